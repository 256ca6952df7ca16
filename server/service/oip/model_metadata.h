// What a task looks like as a model of the Open Inference Protocol.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "inference/grpc_service.pb.h"
#include "server/model/servable.h"

namespace bitplex::oip {

// The task `name`, asked for in `version`: its own, or "" or "1", which stand for whichever there
// is. NOT_FOUND names what there is.
absl::StatusOr<size_t> FindModel(const ServableSet& set, const std::string& name,
                                 const std::string& version);

void FillServerMetadata(inference::ServerMetadataResponse& response);
void FillModelMetadata(const Servable& task, inference::ModelMetadataResponse& response);

}  // namespace bitplex::oip
