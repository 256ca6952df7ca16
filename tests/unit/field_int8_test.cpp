// int8 out of a field, against a definition of its own, one bit at a time.
#include <algorithm>
#include <vector>

#include "model_store/codec/field.h"
#include "tests/unit/packed_field.h"

namespace bitplex {
namespace {

using test::Layout;
using test::Packed;

class FieldInt8Test : public test::DecodeTest {
 protected:
  void Check(const Packed& packed, size_t first, size_t count) {
    const auto decode = [](const Field& field, size_t from, size_t words, int8_t* out) {
      DecodeFieldInt8With(GetParam(), field, from, words, out);
    };
    const auto expected = [&](size_t i) {
      const auto mantissa = static_cast<int>(packed.Mantissa(i));
      return static_cast<int8_t>(packed.Negative(i) ? -mantissa : mantissa);
    };
    CheckDecoded<int8_t>(packed, first, count, decode, expected);
  }
};

TEST_P(FieldInt8Test, EveryFieldOfEveryWordWidth) {
  uint32_t seed = 0;
  for (unsigned word_bits = 1; word_bits <= kMaxWordBits; ++word_bits) {
    for (unsigned bits = 1; bits <= std::min(word_bits, kMaxInt8Bits); ++bits) {
      for (unsigned shift = 0; shift + bits <= word_bits; ++shift) {
        Check(Packed({word_bits, shift, bits}, 131, ++seed), 0, 131);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(FieldInt8Test, EveryMantissaWithBothSigns) {
  for (unsigned bits = 1; bits <= kMaxInt8Bits; ++bits) {
    const size_t patterns = size_t{1} << bits;
    for (unsigned word_bits = bits; word_bits <= kMaxWordBits; ++word_bits) {
      // Between random neighbours, which must not show.
      Packed packed({word_bits, (word_bits - bits) / 2, bits}, 2 * patterns + 64, word_bits);
      for (size_t i = 0; i < packed.count; ++i) {
        packed.SetMantissa(i, i / 2 % patterns);
        packed.signs.Set(i, 1, i % 2);
      }
      Check(packed, 0, packed.count);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(FieldInt8Test, EveryWordOnesOrZeros) {
  for (unsigned word_bits = 1; word_bits <= kMaxWordBits; ++word_bits) {
    const unsigned bits = std::min(word_bits, kMaxInt8Bits);
    for (const uint64_t fill : {uint64_t{0}, ~uint64_t{0}}) {
      Packed packed({word_bits, word_bits - bits, bits}, 131, word_bits);
      for (size_t i = 0; i < packed.count; ++i) packed.words.Set(i * word_bits, word_bits, fill);
      Check(packed, 0, packed.count);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(FieldInt8Test, AnyRangeThatEndsWhereTheFieldEnds) {
  for (unsigned word_bits = 1; word_bits <= kMaxWordBits; ++word_bits) {
    const unsigned bits = std::min(word_bits, kMaxInt8Bits);
    for (const unsigned shift : {0u, word_bits - bits}) {
      for (const size_t first : {0u, 1u, 7u, 8u, 9u, 24u, 31u}) {
        for (size_t count = 0; count <= 72; ++count) {
          Check(Packed({word_bits, shift, bits}, first + count, word_bits), first, count);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(FieldInt8Test, ARangeInsideAField) {
  for (const Layout layout : {Layout{14, 7, 7}, Layout{23, 16, 7}, Layout{64, 0, 2},
                              Layout{5, 1, 3}, Layout{33, 20, 5}}) {
    const Packed packed(layout, 141, 3);
    for (size_t first = 0; first < 70; ++first) {
      for (size_t count = 0; count <= 70; ++count) {
        Check(packed, first, count);
        if (HasFatalFailure()) return;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, FieldInt8Test, test::AllIsas(), test::DecodeTestName);

TEST(DecodeFieldInt8Test, UsesTheBestIsa) {
  const Packed packed({14, 7, 7}, 131, 9);
  const std::vector<uint8_t> words = packed.words.bytes();
  const std::vector<uint8_t> signs = packed.signs.bytes();
  const Field field{words.data(), signs.data(), packed.count, 14, 7, 7};
  std::vector<int8_t> plain(packed.count);
  std::vector<int8_t> best(packed.count);
  DecodeFieldInt8(field, 0, field.count, plain.data());
  DecodeFieldInt8With(BestIsa(), field, 0, field.count, best.data());
  EXPECT_EQ(plain, best);
}

TEST(DecodeFieldInt8Test, TimesTheScaleIsWhatDecodeFieldGives) {
  const Packed packed({14, 0, 7}, 131, 11);
  const std::vector<uint8_t> words = packed.words.bytes();
  const std::vector<uint8_t> signs = packed.signs.bytes();
  const Field field{words.data(), signs.data(), packed.count, 14, 0, 7};
  std::vector<int8_t> narrow(packed.count);
  std::vector<float> wide(packed.count);
  DecodeFieldInt8(field, 0, field.count, narrow.data());
  DecodeField(field, 0, field.count, 0x1p-9f, wide.data());
  for (size_t i = 0; i < packed.count; ++i) EXPECT_EQ(narrow[i] * 0x1p-9f, wide[i]) << i;
}

}  // namespace
}  // namespace bitplex
