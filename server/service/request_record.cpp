#include "server/service/request_record.h"

#include <optional>
#include <utility>

#include "server/admission/refusal.h"

namespace bitplex {

RequestRecord::RequestRecord(std::shared_ptr<const Engine> engine)
    : engine_(engine->recorder() == nullptr ? nullptr : std::move(engine)) {
  if (engine_ != nullptr) came_ = std::chrono::steady_clock::now();
}

void RequestRecord::Answered(std::string_view task, const absl::Status& status) const {
  if (engine_ == nullptr) return;
  const absl::StatusOr<size_t> found = engine_->set().Find(task);
  const std::optional<size_t> index = found.ok() ? std::optional<size_t>(*found) : std::nullopt;
  if (const std::optional<Refusal> refusal = FindRefusal(status))
    engine_->recorder()->RequestRefused(index, refusal->reason);
  engine_->recorder()->RequestAnswered(index, status.code(),
                                       std::chrono::steady_clock::now() - came_);
}

}  // namespace bitplex
