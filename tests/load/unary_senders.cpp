#include <grpcpp/alarm.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <optional>

#include "absl/strings/str_cat.h"
#include "tests/load/senders.h"

namespace bitplex::load {
namespace {

// What the two unary calls differ in.
struct Classify {
  using Stub = v1::Classifier::Stub;
  using Request = v1::ClassifyRequest;
  using Response = v1::ClassifyResponse;
  static constexpr Call kCall = Call::kClassify;
  static Request Make(const MixedRequests& requests, uint64_t number) {
    return requests.Classify(number);
  }
  static const std::string& Version(const Response& response) { return response.store_version(); }
  template <typename Done>
  static void Start(Stub& stub, grpc::ClientContext& context, const Request& request,
                    Response& response, Done done) {
    stub.async()->Classify(&context, &request, &response, std::move(done));
  }
};

struct Infer {
  using Stub = inference::GRPCInferenceService::Stub;
  using Request = inference::ModelInferRequest;
  using Response = inference::ModelInferResponse;
  static constexpr Call kCall = Call::kModelInfer;
  static Request Make(const MixedRequests& requests, uint64_t number) {
    return requests.Infer(number);
  }
  static const std::string& Version(const Response& response) { return response.model_version(); }
  template <typename Done>
  static void Start(Stub& stub, grpc::ClientContext& context, const Request& request,
                    Response& response, Done done) {
    stub.async()->ModelInfer(&context, &request, &response, std::move(done));
  }
};

// One call in flight at a time; deletes itself when there are no more to send.
template <typename Kind>
class Sender {
 public:
  Sender(typename Kind::Stub& stub, SoakRun& run, Running& running)
      : stub_(stub), run_(run), running_(running) {
    running_.Begin();
  }

  void Next() {
    const auto ticket = run_.Take();
    if (!ticket) {
      running_.End();
      delete this;
      return;
    }
    ticket_ = *ticket;
    request_ = Kind::Make(run_.requests(), ticket_.number);
    Send();
  }

 private:
  void Send() {
    context_.emplace();
    response_.Clear();
    Kind::Start(stub_, *context_, request_, response_,
                [this](const grpc::Status& status) { Ended(status); });
  }

  void Ended(const grpc::Status& status) {
    if (status.error_code() == grpc::RESOURCE_EXHAUSTED) {
      run_.Refused();
      alarm_.emplace();
      alarm_->Set(std::chrono::system_clock::now() + std::chrono::milliseconds(2),
                  [this](bool) { Send(); });
      return;
    }
    if (status.ok()) {
      run_.Answered(Kind::kCall, ticket_, Kind::Version(response_), response_);
    } else {
      run_.Lost(ticket_, absl::StrCat(status.error_code(), " ", status.error_message()));
    }
    Next();
  }

  typename Kind::Stub& stub_;
  SoakRun& run_;
  Running& running_;
  SoakRun::Ticket ticket_;
  typename Kind::Request request_;
  typename Kind::Response response_;
  std::optional<grpc::ClientContext> context_;
  std::optional<grpc::Alarm> alarm_;
};

}  // namespace

void StartUnaryCalls(v1::Classifier::Stub& stub, size_t in_flight, SoakRun& run, Running& running) {
  for (size_t i = 0; i < in_flight; ++i) (new Sender<Classify>(stub, run, running))->Next();
}

void StartInferCalls(inference::GRPCInferenceService::Stub& stub, size_t in_flight, SoakRun& run,
                     Running& running) {
  for (size_t i = 0; i < in_flight; ++i) (new Sender<Infer>(stub, run, running))->Next();
}

}  // namespace bitplex::load
