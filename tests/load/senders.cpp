#include "tests/load/senders.h"

#include <grpcpp/create_channel.h>

namespace bitplex::load {
namespace {

// A connection of its own.
std::shared_ptr<grpc::Channel> Dial(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

void Running::Begin() {
  const std::lock_guard lock(mutex_);
  ++count_;
}

void Running::End() {
  const std::lock_guard lock(mutex_);
  if (--count_ == 0) ended_.notify_all();
}

void Running::WaitForNone() {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return count_ == 0; });
}

Senders::Senders(const std::string& address, const SenderOptions& options, SoakRun& run)
    : classifier_(v1::Classifier::NewStub(Dial(address))),
      streams_(v1::Classifier::NewStub(Dial(address))),
      inference_(inference::GRPCInferenceService::NewStub(Dial(address))) {
  StartUnaryCalls(*classifier_, options.unary, run, running_);
  StartInferCalls(*inference_, options.infer, run, running_);
  StartStreams(*streams_, options, run, running_);
}

}  // namespace bitplex::load
