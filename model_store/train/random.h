// Random numbers that are a function of a seed and of what they are for. A run needs no generator
// state: the numbers of any epoch and image can be had again at any time, on every machine.
#pragma once

#include <cstdint>

namespace bitplex {

// SplitMix64 (Steele, Lea, Flood, 2014), started from a hash of three numbers.
class CounterRandom {
 public:
  CounterRandom(uint64_t seed, uint64_t purpose, uint64_t index)
      : state_(Mix(Mix(Mix(seed) + purpose) + index)) {}

  uint64_t Next() { return Mix(state_ += kStep); }

  // 0 to `count` - 1. `count` is at least 1 and below 2^32.
  uint64_t Below(uint64_t count) { return ((Next() >> 32) * count) >> 32; }

  // In (0, 1).
  double Unit() { return (static_cast<double>(Next() >> 12) + 0.5) * 0x1p-52; }

 private:
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15;
  static constexpr uint64_t Mix(uint64_t z) {
    z += kStep;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  uint64_t state_;
};

}  // namespace bitplex
