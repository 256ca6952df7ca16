#include "model_store/checkpoint/validate.h"

#include <cmath>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace bitplex::checkpoint {
namespace {

using Shape = std::vector<int64_t>;

absl::StatusOr<size_t> CountClasses(const RawTensors& raw, const Architecture& arch) {
  const auto fc = raw.entries.find("fc.weight");
  if (fc == raw.entries.end()) {
    return absl::InvalidArgumentError(absl::StrCat("fc.weight, the classifier of ", arch.name,
                                                   ", is missing; the file holds ",
                                                   raw.entries.size(), " tensors"));
  }
  const Shape& shape = fc->second.shape;
  const auto features = static_cast<int64_t>(arch.features);
  if (shape.size() != 2 || shape[1] != features || shape[0] < 1 ||
      shape[0] > static_cast<int64_t>(kMostClasses)) {
    return absl::InvalidArgumentError(absl::StrCat("fc.weight is ", ShapeText(shape), ", ",
                                                   arch.name, " expects (1 to ", kMostClasses,
                                                   " classes,", features, ")"));
  }
  return static_cast<size_t>(shape[0]);
}

std::vector<std::pair<std::string, Shape>> ExpectedTensors(const Architecture& arch,
                                                           size_t classes) {
  std::vector<std::pair<std::string, Shape>> expected;
  for (const ConvLayer& conv : arch.convs) {
    const auto in = static_cast<int64_t>(conv.in_channels);
    const auto out = static_cast<int64_t>(conv.out_channels);
    const auto kernel = static_cast<int64_t>(conv.kernel);
    expected.emplace_back(conv.name + ".weight", Shape{out, in, kernel, kernel});
    for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"}) {
      expected.emplace_back(conv.batch_norm + part, Shape{out});
    }
  }
  const auto outputs = static_cast<int64_t>(classes);
  expected.emplace_back("fc.weight", Shape{outputs, static_cast<int64_t>(arch.features)});
  expected.emplace_back("fc.bias", Shape{outputs});
  return expected;
}

std::string ElementText(const Tensor& tensor, size_t element) {
  std::string index;
  for (size_t axis = tensor.shape.size(); axis-- > 0;) {
    const auto size = static_cast<size_t>(tensor.shape[axis]);
    index = absl::StrCat(element % size, index.empty() ? "" : ",", index);
    element /= size;
  }
  return absl::StrCat("[", index, "]");
}

}  // namespace

absl::StatusOr<size_t> CheckShapes(const RawTensors& raw, const Architecture& arch) {
  // The stem first: its shape says most about what the file really is.
  std::set<std::string_view> known;
  const auto classes = CountClasses(raw, arch);
  const auto expected = ExpectedTensors(arch, classes.value_or(1));
  for (const auto& [name, shape] : expected) {
    if (name == "fc.weight" && !classes.ok()) return classes.status();
    known.insert(name);
    const auto found = raw.entries.find(name);
    if (found == raw.entries.end()) {
      return absl::InvalidArgumentError(absl::StrCat(name, " is missing: ", arch.name, " has ",
                                                     expected.size(), " tensors, the file holds ",
                                                     raw.entries.size()));
    }
    if (found->second.shape != shape) {
      return absl::InvalidArgumentError(absl::StrCat(name, " is ", ShapeText(found->second.shape),
                                                     ", ", arch.name, " expects ",
                                                     ShapeText(shape)));
    }
  }
  for (const auto& [name, entry] : raw.entries) {
    if (!known.contains(name)) {
      return absl::InvalidArgumentError(absl::StrCat(Printable(name), ", ", ShapeText(entry.shape),
                                                     ", is no tensor of ", arch.name,
                                                     "; remove it from the checkpoint"));
    }
  }
  return *classes;
}

absl::Status CheckValues(const std::string& name, const Tensor& tensor) {
  const bool is_variance = name.ends_with(".running_var");
  for (size_t i = 0; i < tensor.values.size(); ++i) {
    const float value = tensor.values[i];
    if (std::isfinite(value) && !(is_variance && value < 0)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(name, ElementText(tensor, i), " is ", value,
                     std::isfinite(value) ? ", a negative variance" : " as float32",
                     "; the training diverged or the file is damaged, use another checkpoint"));
  }
  return absl::OkStatus();
}

}  // namespace bitplex::checkpoint
