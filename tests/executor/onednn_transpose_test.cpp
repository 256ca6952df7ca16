#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <vector>

#include "server/executor/onednn/transpose.h"

namespace bitplex::onednn {
namespace {

constexpr size_t kRows = 16;
constexpr size_t kMaxColumns = 50;  // Three whole blocks of 16, and a rest.
constexpr uint32_t kUntouched = 0xdeadbeef;

using Function = void (*)(const uint32_t* in, size_t in_stride, size_t rows, size_t columns,
                          const float* row_scales, uint32_t* out, size_t out_stride);

#if defined(__x86_64__)
void Avx512(const uint32_t* in, size_t in_stride, size_t, size_t columns, const float* row_scales,
            uint32_t* out, size_t out_stride) {
  internal::TransposeAvx512(in, in_stride, columns, row_scales, out, out_stride);
}
#endif

struct Case {
  const char* name;
  Function function;
  size_t first_rows;  // Of rows 1 to 16, those that it can do.
};

class TransposeTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
#if defined(__x86_64__)
    if (GetParam().function == Avx512 && !__builtin_cpu_supports("avx512f")) {
      GTEST_SKIP() << "this processor has no AVX-512";
    }
#endif
  }

  // The definition: each value by itself, and nothing beside them written.
  void Check(size_t rows, size_t columns, size_t in_stride, size_t out_stride, bool scaled) {
    std::mt19937 random(static_cast<uint32_t>(rows + 17 * columns));
    std::vector<uint32_t> in(rows * in_stride);
    std::vector<float> scales(rows);
    for (uint32_t& value : in) {
      value = static_cast<uint32_t>(random());
      if (scaled) value = std::bit_cast<uint32_t>(static_cast<float>(value) * 0x1p-31f - 1);
    }
    for (float& scale : scales) scale = static_cast<float>(random()) * 0x1p-31f - 1;
    std::vector<uint32_t> out(columns * out_stride, kUntouched);
    std::vector<uint32_t> expected = out;
    for (size_t r = 0; r < rows; ++r) {
      for (size_t c = 0; c < columns; ++c) {
        const uint32_t bits = in[r * in_stride + c];
        expected[c * out_stride + r] =
            scaled ? std::bit_cast<uint32_t>(std::bit_cast<float>(bits) * scales[r]) : bits;
      }
    }
    GetParam().function(in.data(), in_stride, rows, columns, scaled ? scales.data() : nullptr,
                        out.data(), out_stride);
    ASSERT_EQ(out, expected) << rows << " x " << columns << ", strides " << in_stride << " and "
                             << out_stride << (scaled ? ", scaled" : "");
  }
};

TEST_P(TransposeTest, EveryShapeAndStrideIsTheDefinitionToTheBit) {
  for (size_t rows = GetParam().first_rows; rows <= kRows; ++rows) {
    for (size_t columns = 0; columns <= kMaxColumns; ++columns) {
      for (const size_t gap : {0, 1, 31}) {
        for (const size_t out_stride : {kRows, kRows + 1, 4 * kRows}) {
          Check(rows, columns, columns + gap, out_stride, false);
          Check(rows, columns, columns + gap, out_stride, true);
        }
      }
    }
  }
}

const Case kCases[] = {
    {"Chosen", Transpose, 1},
#if defined(__x86_64__)
    {"Avx512", Avx512, kRows},
#endif
    {"Scalar", internal::TransposeScalar, 1},
};

INSTANTIATE_TEST_SUITE_P(Functions, TransposeTest, testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace bitplex::onednn
