// Between protobuf and the server's own types. The only translation of errors to gRPC.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <chrono>

#include "absl/status/status.h"
#include "bitplex/v1/classifier.pb.h"
#include "server/memory/memory_report.h"
#include "server/model/servable.h"
#include "server/serving/classify_job.h"

namespace bitplex {

// The codes are the same numbers; the message is cut at 1 KiB. A Refusal's delay becomes a
// google.rpc.RetryInfo in the details.
grpc::Status ToGrpc(const absl::Status& status);

// The same, for the answer of `call`, which is not sent yet: clients whose gRPC retries by itself
// are told the delay too.
grpc::Status ToGrpc(const absl::Status& status, grpc::CallbackServerContext& call);

// An answer of a stream.
void FillError(const absl::Status& status, v1::Error& error);

// gRPC's deadline on the clock that the server uses; TimePoint::max() for none.
TimePoint ToTimePoint(std::chrono::system_clock::time_point deadline);

// INVALID_ARGUMENT for a request's id that is too long.
absl::Status CheckId(const std::string& id);

// `request` must outlive the job. `cancelled` and `done` are left to the caller. NOT_FOUND for an
// unknown task, INVALID_ARGUMENT for a request without an image or with an id that is too long.
absl::StatusOr<ClassifyInput> ToInput(const v1::ClassifyRequest& request, const ServableSet& set);

void FillResponse(const Servable& task, const std::string& id, const Classification& classification,
                  v1::ClassifyResponse& response);
void FillTasks(const ServableSet& set, v1::ListTasksResponse& response);
void FillMemory(const MemoryReport& report, v1::GetMemoryResponse& response);

}  // namespace bitplex
