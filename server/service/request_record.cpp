#include "server/service/request_record.h"

#include <optional>
#include <utility>

namespace bitplex {

RequestRecord::RequestRecord(std::shared_ptr<const Engine> engine)
    : engine_(engine->recorder() == nullptr ? nullptr : std::move(engine)) {
  if (engine_ != nullptr) came_ = std::chrono::steady_clock::now();
}

void RequestRecord::Answered(std::string_view task, const absl::Status& status) const {
  if (engine_ == nullptr) return;
  const absl::StatusOr<size_t> found = engine_->set().Find(task);
  engine_->recorder()->RequestAnswered(found.ok() ? std::optional<size_t>(*found) : std::nullopt,
                                       status.code(), std::chrono::steady_clock::now() - came_);
}

}  // namespace bitplex
