// Packed weights against oneDNN's own reorder, byte for byte, in the layouts that real convolutions
// choose. Run again for older processors by ONEDNN_MAX_CPU_ISA.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "server/executor/onednn/blocked_layout.h"
#include "server/executor/onednn/convolution.h"
#include "server/executor/onednn/folded.h"
#include "server/executor/onednn/pack.h"
#include "tests/executor/networks.h"

namespace bitplex::onednn {
namespace {

using dnnl::memory;
using test::AlignedBytes;
using Tag = memory::format_tag;
using Type = memory::data_type;

struct Case {
  const char* arch;
  Precision precision;
};

class PackTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const absl::Status status = test::LoadedExecutor("onednn").Supports(GetParam().precision);
    if (!status.ok()) GTEST_SKIP() << status;
    FuseTask task = test::BalancedTask(
        arch_, {.bits = GetParam().precision == Precision::kInt8 ? 7u : 12u, .seed = 3});
    task.info.activation_scales.assign(arch_.convs.size() + 1, 0.03f);
    source_ = test::Stored(arch_, task);
    std::vector<float> scales;
    if (GetParam().precision == Precision::kInt8) {
      scales = FitActivationScales(program_, source_->ActivationScales());
    }
    for (const Step& step : program_.steps) {
      folded_.push_back(FoldBatchNorm(*source_, step, GetParam().precision, scales));
      convolutions_.emplace_back(engine_, arch_, step, GetParam().precision,
                                 folded_.back().summed_factor, size_t{1}, nullptr);
    }
  }

  const float* Factor(size_t step) const {
    return GetParam().precision == Precision::kFloat32 ? folded_[step].factor.data() : nullptr;
  }

  // The whole convolution in OHWI order, scaled, then reordered by oneDNN.
  void PackPlainly(size_t step, std::byte* packed) {
    const size_t conv = program_.steps[step].conv;
    const ConvLayer& layer = arch_.convs[conv];
    const Precision precision = GetParam().precision;
    std::vector<uint8_t> plain(layer.weight_count() * WeightBytes(precision));
    if (precision == Precision::kInt8) {
      source_->DecodeInt8(conv, 0, layer.out_channels, reinterpret_cast<int8_t*>(plain.data()));
    } else if (precision == Precision::kBfloat16) {
      source_->DecodeBfloat16(conv, 0, layer.out_channels,
                              reinterpret_cast<uint16_t*>(plain.data()));
    } else {
      float* const values = reinterpret_cast<float*>(plain.data());
      source_->DecodeFloat32(conv, 0, layer.out_channels, values);
      for (size_t i = 0; i < layer.weight_count(); ++i) {
        values[i] *= folded_[step].factor[i / layer.row_count()];
      }
    }
    const memory::desc& wanted = convolutions_[step].weights();
    memory from(memory::desc(wanted.dims(), WeightType(precision), Tag::acdb), engine_,
                plain.data());
    memory to(wanted, engine_, packed);
    dnnl::stream stream(engine_);
    dnnl::reorder(from, to).execute(stream, from, to);
    stream.wait();
  }

  const Architecture& arch_ = test::Arch(GetParam().arch);
  const Program program_ = MakeProgram(arch_);
  const dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  std::shared_ptr<const WeightSource> source_;
  std::vector<Folded> folded_;
  std::vector<Convolution> convolutions_;
};

// Padding included. What the reorder itself leaves as it was, behind the weights, is nobody's.
TEST_P(PackTest, EveryConvolutionIsAsOnednnsReorderWritesIt) {
  for (size_t s = 0; s < program_.steps.size(); ++s) {
    const memory::desc& weights = convolutions_[s].weights();
    const size_t bytes = weights.get_size();
    const AlignedBytes packed(bytes, 0x55), expected(bytes, 0xaa), again(bytes, 0x33);
    PackConv(engine_, *source_, program_.steps[s].conv, GetParam().precision, Factor(s), weights,
             packed.data());
    PackPlainly(s, expected.data());
    PackPlainly(s, again.data());
    size_t wrong = 0, untouched = 0;
    for (size_t i = 0; i < bytes; ++i) {
      const bool written = expected[i] == again[i];
      wrong += written && packed[i] != expected[i];
      untouched += !written;
    }
    const std::string& name = arch_.convs[program_.steps[s].conv].name;
    EXPECT_EQ(wrong, 0u) << name;
    EXPECT_LE(untouched, FindBlockedLayout(weights) ? 0 : bytes / 4) << name;
  }
}

// A slow way that is right would not show otherwise.
TEST_P(PackTest, OnlyTheStemMayNeedTheReorder) {
  for (size_t s = 1; s < program_.steps.size(); ++s) {
    EXPECT_TRUE(FindBlockedLayout(convolutions_[s].weights()))
        << arch_.convs[program_.steps[s].conv].name;
  }
}

// Images of a group of 8 run on what was packed for single ones.
TEST_P(PackTest, GroupsOfEightTakeTheSameLayout) {
  for (size_t s = 0; s < program_.steps.size(); ++s) {
    const Convolution eight(engine_, arch_, program_.steps[s], GetParam().precision,
                            folded_[s].summed_factor, 8, &convolutions_[s].weights());
    EXPECT_EQ(eight.weights(), convolutions_[s].weights());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Networks, PackTest, testing::ValuesIn([] {
      std::vector<Case> cases;
      for (const char* arch : {"resnet18-cifar", "resnet18-imagenet", "resnet10-tiny"}) {
        for (const Precision precision :
             {Precision::kFloat32, Precision::kBfloat16, Precision::kInt8}) {
          cases.push_back({arch, precision});
        }
      }
      return cases;
    }()),
    [](const auto& test) {
      std::string name = absl::StrCat(test.param.arch, "_", PrecisionName(test.param.precision));
      name.erase(name.find('-'), 1);
      return name;
    });

struct Layout {
  const char* name;
  memory::dims dims;  // Output, input, row, column.
  Type type;
  Tag tag;
  bool ours;
};

class FindBlockedLayoutTest : public testing::TestWithParam<Layout> {};

TEST_P(FindBlockedLayoutTest, TakesBlocksOfOutputsAndNothingElse) {
  const Layout& layout = GetParam();
  const auto found = FindBlockedLayout(memory::desc(layout.dims, layout.type, layout.tag));
  EXPECT_EQ(found.has_value(), layout.ours);
}

INSTANTIATE_TEST_SUITE_P(
    Layouts, FindBlockedLayoutTest,
    testing::Values(
        Layout{"BlocksOfOutputs", {64, 3, 3, 3}, Type::f32, Tag::Acdb16a, true},
        Layout{"PairsOfInputs", {64, 32, 3, 3}, Type::bf16, Tag::AcdB64a2b, true},
        Layout{"FoursOfInputs", {64, 32, 3, 3}, Type::s8, Tag::AcdB64a4b, true},
        Layout{"MoreInputs", {64, 128, 3, 3}, Type::s8, Tag::AcdB16b16a4b, true},
        Layout{"PaddedOutputs", {8, 16, 3, 3}, Type::f32, Tag::Acdb16a, true},
        Layout{"TapsBetweenTheInputs", {64, 32, 3, 3}, Type::f32, Tag::ABcd16b16a, true},
        Layout{"Plain", {64, 32, 3, 3}, Type::f32, Tag::abcd, false},
        Layout{"Ohwi", {64, 32, 3, 3}, Type::f32, Tag::acdb, false},
        Layout{"InputsInnermost", {64, 16, 3, 3}, Type::f32, Tag::ABcd16a16b, false},
        Layout{"PaddedInputs", {64, 8, 3, 3}, Type::f32, Tag::ABcd16b16a, false},
        Layout{"PaddedFours", {64, 3, 3, 3}, Type::s8, Tag::AcdB16a4b, false},
        Layout{"PairsOfEightBits", {64, 32, 3, 3}, Type::s8, Tag::AcdB16a2b, false},
        Layout{"OutputsBeforeInputs", {64, 16, 3, 3}, Type::f32, Tag::BAcd16a16b, false}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(FindBlockedLayoutTest, RefusesWeightsOfOtherDimensionsAndWithMoreThanWeights) {
  EXPECT_FALSE(FindBlockedLayout(memory::desc({64, 32}, Type::f32, Tag::ab)));
  EXPECT_FALSE(FindBlockedLayout(memory::desc({64, 32, 3, 3}, Type::f32, Tag::any)));
  memory::desc compensated({64, 32, 3, 3}, Type::s8, Tag::AcdB64a4b);
  EXPECT_TRUE(FindBlockedLayout(compensated));
  compensated.data.extra.flags = dnnl_memory_extra_flag_compensation_conv_s8s8;
  EXPECT_FALSE(FindBlockedLayout(compensated));
}

}  // namespace
}  // namespace bitplex::onednn
