#include "server/service/oip/model_metadata.h"

#include <initializer_list>

#include "absl/strings/str_cat.h"
#include "server/service/oip/infer_images.h"
#include "server/service/oip/shown_name.h"
#include "server/service/oip/wanted_outputs.h"

namespace bitplex::oip {
namespace {

constexpr int64_t kAnySize = -1;

void Describe(const char* name, const char* datatype, std::initializer_list<int64_t> shape,
              inference::ModelMetadataResponse::TensorMetadata& tensor) {
  tensor.set_name(name);
  tensor.set_datatype(datatype);
  for (const int64_t side : shape) tensor.add_shape(side);
}

}  // namespace

absl::StatusOr<size_t> FindModel(const ServableSet& set, const std::string& name,
                                 const std::string& version) {
  const absl::StatusOr<size_t> index = set.Find(name);
  if (!index.ok()) return index;
  const std::string& own = set.tasks[*index].version;
  if (version.empty() || version == "1" || version == own) return index;
  return absl::NotFoundError(absl::StrCat("task '", name, "' has no version ", ShownName(version),
                                          "; it has ", own, ", which an empty version stands for"));
}

void FillServerMetadata(inference::ServerMetadataResponse& response) {
  response.set_name("bitplex");
  response.set_version(BITPLEX_VERSION);
  response.add_extensions("classification");
}

void FillModelMetadata(const Servable& task, inference::ModelMetadataResponse& response) {
  response.set_name(task.info.name);
  response.add_versions(task.version);
  response.set_platform("bitplex");
  const int64_t classes = static_cast<int64_t>(task.classes());
  // An input has one datatype here; the others that are taken are in OIP.md.
  Describe(kInputName, "UINT8", {kAnySize, kAnySize, kAnySize, 3}, *response.add_inputs());
  Describe(kLogitsName, "FP32", {kAnySize, classes}, *response.add_outputs());
  Describe(kProbabilitiesName, "FP32", {kAnySize, classes}, *response.add_outputs());
}

}  // namespace bitplex::oip
