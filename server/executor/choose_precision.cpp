#include "server/executor/choose_precision.h"

namespace bitplex {

absl::StatusOr<Precision> ChoosePrecision(const Executor& executor, const WeightSource& source,
                                          std::optional<Precision> asked) {
  if (asked) {
    if (absl::Status status = executor.Supports(*asked); !status.ok()) return status;
    return *asked;
  }
  for (const Precision precision : {Precision::kInt8, Precision::kBfloat16}) {
    if (RoundsAgain(source, precision) || !executor.Supports(precision).ok()) continue;
    if (precision == Precision::kInt8 && source.ActivationScales().empty()) continue;
    return precision;
  }
  return Precision::kFloat32;
}

bool RoundsAgain(const WeightSource& source, Precision precision) {
  return source.mantissa_bits() > ExactBits(precision);
}

}  // namespace bitplex
