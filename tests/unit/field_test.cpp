// The decoder against a definition of its own, one bit at a time, and every instruction set against
// the scalar code: the same bits, and no byte read beyond the field.
#include "model_store/codec/field.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cstring>
#include <random>
#include <vector>

namespace bitplex {
namespace {

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
  float Expected(size_t i, float scale) const {
    const uint64_t mantissa = words.Get(i * layout.word_bits + layout.shift, layout.bits);
    // A product of 24 bits and a power of two is exact in double, and here in float32.
    const double magnitude = static_cast<double>(mantissa) * static_cast<double>(scale);
    return static_cast<float>(signs.Get(i, 1) == 1 ? -magnitude : magnitude);
  }
};

uint32_t Pattern(float value) { return std::bit_cast<uint32_t>(value); }

class FieldTest : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!IsaSupported(GetParam())) {
      GTEST_SKIP() << "this processor or build has no " << IsaName(GetParam());
    }
  }

  // Decodes words first .. first + count - 1 from memory that ends where the field does, and compares
  // each bit; also that nothing beside the output was written.
  void Check(const Packed& packed, size_t first, size_t count, float scale) {
    const Field field{.words = words_.Place(packed.words.bytes()),
                      .signs = signs_.Place(packed.signs.bytes()),
                      .count = packed.count,
                      .word_bits = packed.layout.word_bits,
                      .shift = packed.layout.shift,
                      .bits = packed.layout.bits};
    constexpr float kUntouched = 12345.0f;
    std::vector<float> out(count + 2, kUntouched);
    DecodeFieldWith(GetParam(), field, first, count, scale, out.data() + 1);
    size_t wrong = 0;
    for (size_t i = 0; i < count; ++i) {
      wrong += Pattern(out[i + 1]) != Pattern(packed.Expected(first + i, scale));
    }
    wrong += out.front() != kUntouched || out.back() != kUntouched;
    ASSERT_EQ(wrong, 0u) << packed.layout.bits << " bits at " << packed.layout.shift << " of "
                         << packed.layout.word_bits << ", words " << first << " + " << count
                         << " of " << packed.count;
  }

 private:
  GuardedMemory words_;
  GuardedMemory signs_;
};

TEST_P(FieldTest, EveryFieldOfEveryWordWidth) {
  uint32_t seed = 0;
  for (unsigned word_bits = 1; word_bits <= kMaxWordBits; ++word_bits) {
    for (unsigned bits = 1; bits <= std::min(word_bits, kMaxFieldBits); ++bits) {
      for (unsigned shift = 0; shift + bits <= word_bits; ++shift) {
        Check(Packed({word_bits, shift, bits}, 67, ++seed), 0, 67, 0.5f);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(FieldTest, EveryMantissaUpToSixteenBits) {
  for (unsigned bits = 1; bits <= 16; ++bits) {
    const size_t patterns = size_t{1} << bits;
    // Alone in its word; between neighbours; highest of a wide word.
    for (const Layout layout : {Layout{bits, 0, bits}, Layout{bits + 9, 4, bits},
                                Layout{kMaxWordBits, kMaxWordBits - bits, bits}}) {
      // Pieces that fit the guarded memory: 512 patterns, both signs of each.
      for (size_t base = 0; base < patterns; base += 512) {
        const size_t here = std::min<size_t>(patterns - base, 512);
        Packed packed(layout, 2 * here, bits);
        for (size_t i = 0; i < 2 * here; ++i) {
          packed.SetMantissa(i, base + i / 2);
          packed.signs.Set(i, 1, i % 2);
        }
        Check(packed, 0, packed.count, 0x1p-20f);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(FieldTest, EdgesAndASampleOfMantissasToTwentyFourBits) {
  std::mt19937 random(24);
  for (unsigned bits = 17; bits <= kMaxFieldBits; ++bits) {
    const uint64_t largest = (uint64_t{1} << bits) - 1;
    std::vector<uint64_t> mantissas = {0, 1, 2, largest, largest - 1, largest / 2, largest / 2 + 1};
    for (unsigned b = 0; b < bits; ++b) mantissas.push_back(uint64_t{1} << b);
    while (mantissas.size() < 400) mantissas.push_back(random() & largest);
    for (const Layout layout : {Layout{bits, 0, bits}, Layout{bits + 7, 7, bits},
                                Layout{kMaxWordBits, 40, bits}, Layout{61, 33, bits}}) {
      Packed packed(layout, 2 * mantissas.size(), bits);
      for (size_t i = 0; i < packed.count; ++i) {
        packed.SetMantissa(i, mantissas[i / 2]);
        packed.signs.Set(i, 1, i % 2);
      }
      // The least and the greatest scale that a store can ask for, and one between.
      for (const float scale : {0x1p-126f, 0x1p-7f, 0x1p103f}) {
        Check(packed, 0, packed.count, scale);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(FieldTest, AllOnesAndAllZeros) {
  for (unsigned word_bits = 1; word_bits <= kMaxWordBits; ++word_bits) {
    const unsigned bits = std::min(word_bits, kMaxFieldBits);
    for (const uint64_t fill : {uint64_t{0}, ~uint64_t{0}}) {
      Packed packed({word_bits, word_bits - bits, bits}, 67, word_bits);
      for (size_t i = 0; i < packed.count; ++i) {
        packed.words.Set(i * word_bits, word_bits, fill);
        packed.signs.Set(i, 1, fill & 1);
      }
      Check(packed, 0, packed.count, 1.0f);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(FieldTest, AnyRangeThatEndsWhereTheFieldEnds) {
  for (unsigned word_bits = 1; word_bits <= kMaxWordBits; ++word_bits) {
    const unsigned bits = std::min(word_bits, word_bits % 2 == 0 ? kMaxFieldBits : 11u);
    for (const unsigned shift : {0u, word_bits - bits}) {
      for (const size_t first : {0u, 1u, 5u, 7u, 8u, 9u, 15u, 16u, 17u, 31u}) {
        for (size_t count = 0; count <= 40; ++count) {
          Check(Packed({word_bits, shift, bits}, first + count, word_bits), first, count, 2.0f);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(FieldTest, ARangeInsideAField) {
  for (const Layout layout : {Layout{23, 11, 12}, Layout{64, 0, 2}, Layout{5, 1, 3}}) {
    const Packed packed(layout, 101, 3);
    for (size_t first = 0; first < 50; ++first) {
      for (size_t count = 0; count <= 40; ++count) {
        Check(packed, first, count, 1.0f);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(FieldTest, ZeroKeepsItsSign) {
  Packed packed({12, 4, 8}, 48, 0);
  for (size_t i = 0; i < packed.count; ++i) {
    packed.SetMantissa(i, 0);
    packed.signs.Set(i, 1, i % 3 == 0);
  }
  const std::vector<uint8_t> words = packed.words.bytes();
  const std::vector<uint8_t> signs = packed.signs.bytes();
  std::vector<float> out(packed.count);
  DecodeFieldWith(GetParam(), {words.data(), signs.data(), packed.count, 12, 4, 8}, 0, packed.count,
                  1.0f, out.data());
  for (size_t i = 0; i < packed.count; ++i) {
    EXPECT_EQ(Pattern(out[i]), i % 3 == 0 ? 0x80000000u : 0u) << "weight " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, FieldTest,
                         testing::Values(Isa::kScalar, Isa::kAvx2, Isa::kAvx512),
                         [](const auto& suite) { return std::string(IsaName(suite.param)); });

TEST(BestIsaTest, IsSupportedAndIsWhatDecodeFieldUses) {
  EXPECT_TRUE(IsaSupported(Isa::kScalar));
  EXPECT_TRUE(IsaSupported(BestIsa()));
  const Packed packed({23, 11, 12}, 67, 9);
  const std::vector<uint8_t> words = packed.words.bytes();
  const std::vector<uint8_t> signs = packed.signs.bytes();
  const Field field{words.data(), signs.data(), packed.count, 23, 11, 12};
  std::vector<float> plain(packed.count);
  std::vector<float> best(packed.count);
  DecodeField(field, 0, field.count, 0.25f, plain.data());
  DecodeFieldWith(BestIsa(), field, 0, field.count, 0.25f, best.data());
  EXPECT_EQ(plain, best);
}

}  // namespace
}  // namespace bitplex
