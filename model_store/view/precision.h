// The number types in which weights are held and multiplied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace bitplex {

enum class Precision : uint8_t { kFloat32, kBfloat16, kInt8 };

// As on the command line and in reports: "f32", "bf16", "s8".
constexpr const char* PrecisionName(Precision precision) {
  return precision == Precision::kInt8 ? "s8" : precision == Precision::kBfloat16 ? "bf16" : "f32";
}

// Nothing for other names, "auto" among them.
constexpr std::optional<Precision> PrecisionFromName(std::string_view name) {
  for (const Precision p : {Precision::kFloat32, Precision::kBfloat16, Precision::kInt8}) {
    if (name == PrecisionName(p)) return p;
  }
  return std::nullopt;
}

constexpr size_t WeightBytes(Precision precision) {
  return precision == Precision::kInt8 ? 1 : precision == Precision::kBfloat16 ? 2 : 4;
}

// The widest mantissa, sign not counted, that `precision` holds without rounding.
constexpr unsigned ExactBits(Precision precision) {
  return precision == Precision::kInt8 ? 7 : precision == Precision::kBfloat16 ? 8 : 24;
}

}  // namespace bitplex
