// bfloat16 out of a field, against a definition of its own, one bit at a time, in double.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "model_store/codec/field.h"
#include "tests/unit/packed_field.h"

namespace bitplex {
namespace {

using test::Layout;
using test::Packed;

// To nearest, ties to even, by std::nearbyint.
uint16_t Nearest(double magnitude, bool negative) {
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  // The last place of 8 significant bits, or of a subnormal.
  const double unit = std::ldexp(1.0, std::max(exponent - 8, -133));
  const double rounded = std::nearbyint(magnitude / unit) * unit;
  const float value =
      rounded < 0x1p128 ? static_cast<float>(rounded) : std::numeric_limits<float>::infinity();
  return static_cast<uint16_t>(std::bit_cast<uint32_t>(negative ? -value : value) >> 16);
}

float Widened(uint16_t bfloat16) { return std::bit_cast<float>(uint32_t{bfloat16} << 16); }

class FieldBfloat16Test : public test::DecodeTest {
 protected:
  void Check(const Packed& packed, size_t first, size_t count, float scale) {
    const auto decode = [&](const Field& field, size_t from, size_t words, uint16_t* out) {
      DecodeFieldBfloat16With(GetParam(), field, from, words, scale, out);
    };
    const auto expected = [&](size_t i) {
      const double magnitude = static_cast<double>(packed.Mantissa(i)) * scale;
      return Nearest(magnitude, packed.Negative(i));
    };
    CheckDecoded<uint16_t>(packed, first, count, decode, expected);
  }

  // All of `mantissas`, with both signs.
  void CheckMantissas(Layout layout, const std::vector<uint64_t>& mantissas, float scale) {
    Packed packed(layout, 2 * mantissas.size(), layout.bits);
    for (size_t i = 0; i < packed.count; ++i) {
      packed.SetMantissa(i, mantissas[i / 2]);
      packed.signs.Set(i, 1, i % 2);
    }
    Check(packed, 0, packed.count, scale);
  }
};

TEST_P(FieldBfloat16Test, EveryFieldOfEveryWordWidth) {
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

TEST_P(FieldBfloat16Test, EveryMantissaUpToSixteenBits) {
  for (unsigned bits = 1; bits <= 16; ++bits) {
    const size_t patterns = size_t{1} << bits;
    // Alone in its word; between neighbours; highest of a wide word.
    for (const Layout layout : {Layout{bits, 0, bits}, Layout{bits + 9, 4, bits},
                                Layout{kMaxWordBits, kMaxWordBits - bits, bits}}) {
      // Pieces that fit the guarded memory.
      for (size_t base = 0; base < patterns; base += 512) {
        std::vector<uint64_t> mantissas(std::max<size_t>(std::min<size_t>(patterns, 512), 64));
        for (size_t i = 0; i < mantissas.size(); ++i) mantissas[i] = (base + i) % patterns;
        CheckMantissas(layout, mantissas, 0x1p-20f);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(FieldBfloat16Test, TiesAndTheirNeighboursToTwentyFourBits) {
  for (unsigned bits = kMaxBfloat16Bits + 1; bits <= kMaxFieldBits; ++bits) {
    const uint64_t half = uint64_t{1} << (bits - kMaxBfloat16Bits - 1);
    std::vector<uint64_t> mantissas;
    for (uint64_t kept = 128; kept < 256; ++kept) {
      const uint64_t tie = kept * 2 * half + half;
      mantissas.insert(mantissas.end(), {tie - 1, tie, tie + (half > 1)});
    }
    for (const Layout layout : {Layout{bits, 0, bits}, Layout{61, 61 - bits, bits}}) {
      CheckMantissas(layout, mantissas, 0x1p-7f);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(FieldBfloat16Test, EveryScaleFromTheLeastFloatToTheGreatest) {
  std::vector<uint64_t> exact(256);
  for (size_t i = 0; i < exact.size(); ++i) exact[i] = i;
  std::vector<uint64_t> rounded = {0, 1, 2, 0x800001, 0xff7fff, 0xff8000, 0xffffff};
  while (rounded.size() < 40) rounded.push_back(rounded.back() / 2 + 1);
  for (int exponent = -149; exponent <= 127; ++exponent) {
    const float scale = std::ldexp(1.0f, exponent);
    if (exponent <= 120) CheckMantissas({16, 8, 8}, exact, scale);
    // Up to what a store can ask for: the largest value there rounds to infinity.
    if (exponent <= 104) CheckMantissas({40, 9, 24}, rounded, scale);
    if (HasFatalFailure()) return;
  }
}

TEST_P(FieldBfloat16Test, AnyRangeThatEndsWhereTheFieldEnds) {
  for (unsigned word_bits = 1; word_bits <= kMaxWordBits; ++word_bits) {
    for (const unsigned most : {kMaxBfloat16Bits, kMaxFieldBits}) {
      const unsigned bits = std::min(word_bits, most);
      for (const size_t first : {0u, 1u, 7u, 8u, 9u, 24u, 31u}) {
        for (size_t count = 0; count <= 40; ++count) {
          Check(Packed({word_bits, word_bits - bits, bits}, first + count, word_bits), first, count,
                2.0f);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(FieldBfloat16Test, ARangeInsideAField) {
  for (const Layout layout : {Layout{16, 8, 8}, Layout{23, 11, 12}, Layout{64, 0, 2},
                              Layout{30, 1, 8}, Layout{33, 20, 5}}) {
    const Packed packed(layout, 101, 3);
    for (size_t first = 0; first < 50; ++first) {
      for (size_t count = 0; count <= 50; ++count) {
        Check(packed, first, count, 1.0f);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(FieldBfloat16Test, IsDecodeFieldToTheBitUpToEightBits) {
  for (unsigned bits = 1; bits <= kMaxBfloat16Bits; ++bits) {
    const Packed packed({19, 5, bits}, 131, bits);
    const std::vector<uint8_t> words = packed.words.bytes();
    const std::vector<uint8_t> signs = packed.signs.bytes();
    const Field field{words.data(), signs.data(), packed.count, 19, 5, bits};
    std::vector<float> wide(packed.count);
    std::vector<uint16_t> narrow(packed.count);
    DecodeField(field, 0, field.count, 0x1p-126f, wide.data());
    DecodeFieldBfloat16With(GetParam(), field, 0, field.count, 0x1p-126f, narrow.data());
    for (size_t i = 0; i < packed.count; ++i) {
      ASSERT_EQ(std::bit_cast<uint32_t>(Widened(narrow[i])), std::bit_cast<uint32_t>(wide[i]))
          << bits << " bits, word " << i;
    }
  }
}

TEST_P(FieldBfloat16Test, ZeroKeepsItsSign) {
  for (const unsigned bits : {8u, 12u}) {
    Packed packed({bits + 4, 4, bits}, 67, 0);
    for (size_t i = 0; i < packed.count; ++i) packed.SetMantissa(i, 0);
    const std::vector<uint8_t> words = packed.words.bytes();
    const std::vector<uint8_t> signs = packed.signs.bytes();
    std::vector<uint16_t> out(packed.count);
    DecodeFieldBfloat16With(GetParam(), {words.data(), signs.data(), 67, bits + 4, 4, bits}, 0, 67,
                            1.0f, out.data());
    for (size_t i = 0; i < packed.count; ++i) {
      EXPECT_EQ(out[i], packed.Negative(i) ? 0x8000 : 0) << bits << " bits, word " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, FieldBfloat16Test, test::AllIsas(), test::DecodeTestName);

TEST(DecodeFieldBfloat16Test, RoundsTiesToEven) {
  const std::vector<std::pair<uint64_t, float>> cases = {{255, 255},
                                                         {256, 256},
                                                         {257, 256},
                                                         {258, 258},
                                                         {259, 260},
                                                         {511, 512},
                                                         {514, 512},
                                                         {515, 516},
                                                         {0x00ffffff, 0x1p24f},
                                                         {0x00ff7fff, 0xff0000},
                                                         {0x00ff8000, 0x1p24f},
                                                         {0x00fe8000, 0xfe0000}};
  Packed packed({24, 0, 24}, cases.size(), 0);
  packed.signs.Set(0, cases.size(), 0);
  for (size_t i = 0; i < cases.size(); ++i) packed.SetMantissa(i, cases[i].first);
  const std::vector<uint8_t> words = packed.words.bytes();
  const std::vector<uint8_t> signs = packed.signs.bytes();
  std::vector<uint16_t> out(cases.size());
  DecodeFieldBfloat16({words.data(), signs.data(), cases.size(), 24, 0, 24}, 0, cases.size(), 1.0f,
                      out.data());
  for (size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(Widened(out[i]), cases[i].second) << "of " << cases[i].first;
  }
}

TEST(DecodeFieldBfloat16Test, UsesTheBestIsa) {
  const Packed packed({16, 8, 8}, 131, 9);
  const std::vector<uint8_t> words = packed.words.bytes();
  const std::vector<uint8_t> signs = packed.signs.bytes();
  const Field field{words.data(), signs.data(), packed.count, 16, 8, 8};
  std::vector<uint16_t> plain(packed.count);
  std::vector<uint16_t> best(packed.count);
  DecodeFieldBfloat16(field, 0, field.count, 0.25f, plain.data());
  DecodeFieldBfloat16With(BestIsa(), field, 0, field.count, 0.25f, best.data());
  EXPECT_EQ(plain, best);
}

}  // namespace
}  // namespace bitplex
