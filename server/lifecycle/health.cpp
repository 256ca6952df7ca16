#include "server/lifecycle/health.h"

namespace bitplex {
namespace {

constexpr const char* kServices[] = {"bitplex.v1.Classifier", "inference.GRPCInferenceService"};

}  // namespace

void Health::Serve(const std::vector<std::string>& tasks) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  const std::set<std::string> wanted(tasks.begin(), tasks.end());
  for (const std::string& task : tasks_) {
    if (!wanted.contains(task)) service_.SetServingStatus(task, false);
  }
  for (const std::string& task : wanted) service_.SetServingStatus(task, true);
  for (const char* name : kServices) service_.SetServingStatus(name, true);
  service_.SetServingStatus("", true);
  tasks_ = wanted;
}

void Health::Suspend() {
  const std::lock_guard lock(mutex_);
  if (!stopped_) service_.SetServingStatus(false);
}

void Health::Stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  service_.SetServingStatus(false);
}

}  // namespace bitplex
