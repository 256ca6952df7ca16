#include "server/service/oip/infer_response.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "server/executor/predictions.h"

namespace bitplex::oip {
namespace {

// Little-endian, as the server's processor.
template <typename T>
void AppendRaw(absl::Span<const T> values, std::string& out) {
  out.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

void AppendString(const std::string& text, std::string& out) {
  const uint32_t length = static_cast<uint32_t>(text.size());
  AppendRaw(absl::MakeConstSpan(&length, 1), out);
  out += text;
}

void AppendProbabilities(absl::Span<const float> logits, std::string& out) {
  std::vector<float> values(logits.size());
  for (const RankedClass& ranked : TopK(logits, logits.size())) {
    values[ranked.index] = ranked.probability;
  }
  AppendRaw(absl::MakeConstSpan(values), out);
}

// "value:index:label", with six decimals as std::to_string writes them, but in no language.
void AppendClasses(const Servable& task, const WantedOutput& output, absl::Span<const float> logits,
                   std::string& out) {
  for (const RankedClass& ranked : TopK(logits, output.classes)) {
    const float value =
        output.tensor == OutputTensor::kLogits ? logits[ranked.index] : ranked.probability;
    AppendString(absl::StrFormat("%f:%d:%s", value, ranked.index, task.info.labels[ranked.index]),
                 out);
  }
}

void FillOutput(const Servable& task, const WantedOutput& output, absl::Span<const float> logits,
                size_t count, inference::ModelInferResponse& response) {
  const size_t classes = task.classes();
  auto& tensor = *response.add_outputs();
  std::string& raw = *response.add_raw_output_contents();
  tensor.set_name(OutputName(output.tensor));
  tensor.set_datatype(output.classes == 0 ? "FP32" : "BYTES");
  tensor.add_shape(static_cast<int64_t>(count));
  tensor.add_shape(
      static_cast<int64_t>(output.classes == 0 ? classes : std::min(output.classes, classes)));
  if (output.classes == 0 && output.tensor == OutputTensor::kLogits) {
    AppendRaw(logits, raw);
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    const absl::Span<const float> own = logits.subspan(i * classes, classes);
    if (output.classes == 0) {
      AppendProbabilities(own, raw);
    } else {
      AppendClasses(task, output, own, raw);
    }
  }
}

}  // namespace

void FillInferResponse(const Servable& task, const std::string& id,
                       absl::Span<const WantedOutput> outputs, absl::Span<const float> logits,
                       size_t count, inference::ModelInferResponse& response) {
  response.set_model_name(task.info.name);
  response.set_model_version(task.version);
  response.set_id(id);
  for (const WantedOutput& output : outputs) FillOutput(task, output, logits, count, response);
}

}  // namespace bitplex::oip
