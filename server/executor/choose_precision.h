// Which number type a task is run in.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "server/executor/executor.h"

namespace bitplex {

// `asked`, if the executor supports it; without, the narrowest type that is exact for the weights,
// that the executor supports, and that the task has what it needs for (int8: activation scales).
absl::StatusOr<Precision> ChoosePrecision(const Executor& executor, const WeightSource& source,
                                          std::optional<Precision> asked);

// True when `precision` rounds the weights a second time.
bool RoundsAgain(const WeightSource& source, Precision precision);

}  // namespace bitplex
