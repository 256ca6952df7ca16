// Packed words to decode, one bit at a time, and the check that all decoders must pass.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "model_store/codec/field.h"

namespace bitplex::test {

// A sequence of bits in the store's order: bit b is bit b % 8 of byte b / 8.
class Bits {
 public:
  static Bits Random(size_t count, uint32_t seed) {
    Bits bits;
    std::mt19937 random(seed);
    bits.bytes_.resize((count + 7) / 8);
    for (uint8_t& byte : bits.bytes_) byte = static_cast<uint8_t>(random() >> 16);
    return bits;
  }

  const std::vector<uint8_t>& bytes() const { return bytes_; }

  void Set(size_t first, size_t count, uint64_t value) {
    for (size_t b = 0; b < count; ++b) {
      uint8_t& byte = bytes_[(first + b) / 8];
      const unsigned bit = 1u << ((first + b) % 8);
      byte = static_cast<uint8_t>((value >> b) % 2 == 1 ? byte | bit : byte & ~bit);
    }
  }
  uint64_t Get(size_t first, size_t count) const {
    uint64_t value = 0;
    for (size_t b = 0; b < count; ++b) {
      const uint64_t bit = (bytes_[(first + b) / 8] >> ((first + b) % 8)) % 2;
      value += bit << b;
    }
    return value;
  }

 private:
  std::vector<uint8_t> bytes_;
};

// Memory whose last byte is followed by a page that nobody may read.
class GuardedMemory {
 public:
  static constexpr size_t kBytes = 1 << 16;

  GuardedMemory() : page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    void* const data =
        mmap(nullptr, kBytes + page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(data, MAP_FAILED);
    data_ = static_cast<uint8_t*>(data);
    EXPECT_EQ(mprotect(data_ + kBytes, page_, PROT_NONE), 0);
  }
  ~GuardedMemory() { munmap(data_, kBytes + page_); }

  // A copy of `bytes` that ends at the guard page.
  const uint8_t* Place(const std::vector<uint8_t>& bytes) {
    uint8_t* const start = data_ + kBytes - bytes.size();
    std::copy(bytes.begin(), bytes.end(), start);
    return start;
  }

 private:
  const size_t page_;
  uint8_t* data_ = nullptr;
};

struct Layout {
  unsigned word_bits;
  unsigned shift;
  unsigned bits;
};

// Random words and signs of one layout, or the same with the mantissas set.
struct Packed {
  Layout layout;
  size_t count;
  Bits words;
  Bits signs;

  Packed(Layout the_layout, size_t the_count, uint32_t seed)
      : layout(the_layout),
        count(the_count),
        words(Bits::Random(count * layout.word_bits, seed)),
        signs(Bits::Random(count, seed + 1)) {}

  void SetMantissa(size_t i, uint64_t mantissa) {
    words.Set(i * layout.word_bits + layout.shift, layout.bits, mantissa);
  }
  uint64_t Mantissa(size_t i) const {
    return words.Get(i * layout.word_bits + layout.shift, layout.bits);
  }
  bool Negative(size_t i) const { return signs.Get(i, 1) == 1; }
};

// Each test runs once for each instruction set.
class DecodeTest : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!IsaSupported(GetParam())) {
      GTEST_SKIP() << "this processor or build has no " << IsaName(GetParam());
    }
  }

  // Runs decode(field, first, count, out) with a field in memory that ends where the field does,
  // and compares each bit with expected(i), which gives an Out; also that nothing beside the output
  // was written.
  template <typename Out, typename Decode, typename Expected>
  void CheckDecoded(const Packed& packed, size_t first, size_t count, const Decode& decode,
                    const Expected& expected) {
    const Field field{.words = words_.Place(packed.words.bytes()),
                      .signs = signs_.Place(packed.signs.bytes()),
                      .count = packed.count,
                      .word_bits = packed.layout.word_bits,
                      .shift = packed.layout.shift,
                      .bits = packed.layout.bits};
    const Out untouched{85};
    std::vector<Out> out(count + 2, untouched);
    decode(field, first, count, out.data() + 1);
    std::vector<Out> wanted(count + 2, untouched);
    for (size_t i = 0; i < count; ++i) wanted[i + 1] = expected(first + i);
    size_t at = 0;  // Bits, not values: zeros differ by sign.
    while (at < out.size() && std::memcmp(&out[at], &wanted[at], sizeof(Out)) == 0) ++at;
    ASSERT_EQ(at, out.size()) << packed.layout.bits << " bits at " << packed.layout.shift << " of "
                              << packed.layout.word_bits << ", words " << first << " + " << count
                              << " of " << packed.count << ": word " << first + at - 1 << " gives "
                              << +out[at] << ", not " << +wanted[at];
  }

 private:
  GuardedMemory words_;
  GuardedMemory signs_;
};

inline std::string DecodeTestName(const testing::TestParamInfo<Isa>& info) {
  return IsaName(info.param);
}

inline auto AllIsas() { return testing::Values(Isa::kScalar, Isa::kAvx2, Isa::kAvx512); }

}  // namespace bitplex::test
