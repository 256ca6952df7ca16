// One ModelInfer call.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "inference/grpc_service.pb.h"
#include "server/service/call_admission.h"
#include "server/service/oip/infer_images.h"
#include "server/service/oip/wanted_outputs.h"
#include "server/service/request_record.h"
#include "server/serving/engine.h"

namespace bitplex::oip {

// Each image is a job of its own, so that they run together with those of other calls. Answers once
// all have been answered: with all outputs, or with the first error, after which images that still
// wait are not run. Deletes itself when the call is over.
class InferCall final : public grpc::ServerUnaryReactor {
 public:
  // What is passed by reference must outlive the call.
  InferCall(std::shared_ptr<Engine> engine, CallAdmission& admission,
            grpc::CallbackServerContext& call, const inference::ModelInferRequest& request,
            inference::ModelInferResponse& response);

  void OnCancel() override { *cancelled_ = true; }
  void OnDone() override;

 private:
  absl::Status Read();
  void Answer(const absl::Status& status);
  void Submit(size_t image, TimePoint deadline);
  void Take(size_t image, const absl::StatusOr<Classification>& result);

  const std::shared_ptr<Engine> engine_;
  CallAdmission& admission_;
  grpc::CallbackServerContext& call_;
  AdmissionController::Ticket ticket_;
  const inference::ModelInferRequest& request_;
  inference::ModelInferResponse& response_;
  const RequestRecord record_;
  // Also set by the first error.
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);

  // Set by Read.
  size_t task_ = 0;
  InferImages input_;
  std::vector<WantedOutput> outputs_;

  std::mutex mutex_;  // Guards what follows.
  std::vector<float> logits_;
  absl::Status failure_;
  size_t waiting_ = 0;  // Images not answered yet.
};

}  // namespace bitplex::oip
