// The decoder against a definition of its own, one bit at a time, and every instruction set against
// the scalar code: the same bits, and no byte read beyond the field.
#include "model_store/codec/field.h"

#include <algorithm>
#include <bit>
#include <random>
#include <vector>

#include "tests/unit/packed_field.h"

namespace bitplex {
namespace {

using test::Layout;
using test::Packed;

uint32_t Pattern(float value) { return std::bit_cast<uint32_t>(value); }

float Expected(const Packed& packed, size_t i, float scale) {
  // A product of 24 bits and a power of two is exact in double, and here in float32.
  const double magnitude = static_cast<double>(packed.Mantissa(i)) * static_cast<double>(scale);
  return static_cast<float>(packed.Negative(i) ? -magnitude : magnitude);
}

class FieldTest : public test::DecodeTest {
 protected:
  void Check(const Packed& packed, size_t first, size_t count, float scale) {
    const auto decode = [&](const Field& field, size_t from, size_t words, float* out) {
      DecodeFieldWith(GetParam(), field, from, words, scale, out);
    };
    const auto expected = [&](size_t i) { return Expected(packed, i, scale); };
    CheckDecoded<float>(packed, first, count, decode, expected);
  }
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

INSTANTIATE_TEST_SUITE_P(Isas, FieldTest, test::AllIsas(), test::DecodeTestName);

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
