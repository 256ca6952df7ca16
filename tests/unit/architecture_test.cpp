#include "model_store/arch/architecture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "model_store/arch/layout.h"

namespace bitplex {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const Architecture& Arch(std::string_view name) { return **FindArchitecture(name); }

// Running means and variances: two values a channel that torchvision does not count as parameters.
size_t StatisticsCount(const Architecture& arch) {
  size_t channels = 0;
  for (const ConvLayer& conv : arch.convs) channels += conv.out_channels;
  return 2 * channels;
}

TEST(ArchitectureTest, KnowsTheseNames) {
  EXPECT_THAT(ArchitectureNames(),
              ElementsAre("resnet18-cifar", "resnet18-imagenet", "resnet10-tiny"));
  for (const std::string& name : ArchitectureNames()) EXPECT_EQ(Arch(name).name, name);
}

TEST(ArchitectureTest, AnUnknownNameListsTheKnownOnes) {
  const absl::Status status = FindArchitecture("resnet19").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("'resnet19'"), HasSubstr("resnet18-cifar, resnet18-imagenet")));
  EXPECT_FALSE(FindArchitecture("").ok());
}

TEST(ArchitectureTest, TheSameObjectEachTime) {
  EXPECT_EQ(*FindArchitecture("resnet18-cifar"), *FindArchitecture("resnet18-cifar"));
}

TEST(ArchitectureTest, ResNet18ForCifar) {
  const Architecture& arch = Arch("resnet18-cifar");
  EXPECT_EQ(arch.convs.size(), 20u);  // The stem, 16 in the blocks, 3 of the shortcuts.
  EXPECT_EQ(arch.blocks.size(), 8u);
  EXPECT_EQ(arch.features, 512u);
  EXPECT_EQ(arch.input_height, 32u);
  EXPECT_FALSE(arch.stem_max_pool);
  EXPECT_EQ(arch.convs[0].kernel, 3u);
  EXPECT_EQ(arch.convs[0].stride, 1u);
  EXPECT_EQ(StatisticsCount(arch), 9'600u);
  // 11,173,962 and 11,220,132 are the counts of the common CIFAR code.
  EXPECT_EQ(arch.parameter_count(10), 11'173'962u + 9'600u);
  EXPECT_EQ(arch.parameter_count(100), 11'220'132u + 9'600u);
}

TEST(ArchitectureTest, ResNet18ForImageNet) {
  const Architecture& arch = Arch("resnet18-imagenet");
  EXPECT_EQ(arch.convs.size(), 20u);
  EXPECT_EQ(arch.input_height, 224u);
  EXPECT_EQ(arch.input_width, 224u);
  EXPECT_TRUE(arch.stem_max_pool);
  EXPECT_EQ(arch.convs[0].kernel, 7u);
  EXPECT_EQ(arch.convs[0].stride, 2u);
  EXPECT_EQ(arch.convs[0].padding, 3u);
  EXPECT_EQ(StatisticsCount(arch), 9'600u);
  EXPECT_EQ(arch.parameter_count(1000), 11'689'512u + 9'600u);  // torchvision's count.
}

TEST(ArchitectureTest, NamesAreTorchvisions) {
  std::vector<std::string> names;
  for (const ConvLayer& conv : Arch("resnet10-tiny").convs) {
    names.push_back(conv.name + " " + conv.batch_norm);
  }
  EXPECT_THAT(names, ElementsAre("conv1 bn1", "layer1.0.conv1 layer1.0.bn1",
                                 "layer1.0.conv2 layer1.0.bn2", "layer2.0.conv1 layer2.0.bn1",
                                 "layer2.0.conv2 layer2.0.bn2",
                                 "layer2.0.downsample.0 layer2.0.downsample.1",
                                 "layer3.0.conv1 layer3.0.bn1", "layer3.0.conv2 layer3.0.bn2",
                                 "layer3.0.downsample.0 layer3.0.downsample.1",
                                 "layer4.0.conv1 layer4.0.bn1", "layer4.0.conv2 layer4.0.bn2",
                                 "layer4.0.downsample.0 layer4.0.downsample.1"));
}

class EveryArchitectureTest : public testing::TestWithParam<std::string> {
 protected:
  const Architecture& arch() const { return Arch(GetParam()); }
};

TEST_P(EveryArchitectureTest, BlocksFitTogether) {
  size_t channels = arch().convs[0].out_channels;
  std::set<size_t> used = {0};
  for (const ResidualBlock& block : arch().blocks) {
    const ConvLayer& conv1 = arch().convs[block.conv1];
    const ConvLayer& conv2 = arch().convs[block.conv2];
    EXPECT_EQ(conv1.in_channels, channels);
    EXPECT_EQ(conv2.in_channels, conv1.out_channels);
    EXPECT_EQ(conv2.stride, 1u);
    used.insert({block.conv1, block.conv2});
    if (block.has_downsample) {
      const ConvLayer& shortcut = arch().convs[block.downsample];
      EXPECT_EQ(shortcut.in_channels, channels);
      EXPECT_EQ(shortcut.out_channels, conv2.out_channels);
      EXPECT_EQ(shortcut.stride, conv1.stride);
      EXPECT_EQ(shortcut.kernel, 1u);
      EXPECT_EQ(shortcut.padding, 0u);
      used.insert(block.downsample);
    } else {
      EXPECT_EQ(conv1.stride, 1u);
      EXPECT_EQ(conv2.out_channels, channels);
    }
    channels = conv2.out_channels;
  }
  EXPECT_EQ(channels, arch().features);
  EXPECT_EQ(used.size(), arch().convs.size()) << "each convolution runs in one place";
}

TEST_P(EveryArchitectureTest, TensorNamesAreUniqueAndFitARecord) {
  std::set<std::string> names;
  for (const ConvLayer& conv : arch().convs) {
    EXPECT_TRUE(names.insert(conv.name).second) << conv.name;
    EXPECT_TRUE(names.insert(conv.batch_norm).second) << conv.batch_norm;
    EXPECT_LE((conv.batch_norm + ".running_mean").size(), 47u);
  }
}

TEST_P(EveryArchitectureTest, ChunksAreWithinTheLimitAndNotEmpty) {
  for (const ConvLayer& conv : arch().convs) {
    const size_t channels = ConvChunkChannels(conv);
    EXPECT_GE(channels, 1u);
    EXPECT_LE(channels, conv.out_channels);
    EXPECT_LE(channels * conv.row_count() * sizeof(float), kConvChunkBytes);
    EXPECT_EQ(conv.weight_count(), conv.row_count() * conv.out_channels);
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryArchitectureTest, testing::ValuesIn(ArchitectureNames()),
                         [](const auto& suite) {
                           std::string name = suite.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(ConvChunkTest, HalfOfTheLargestLayer) {
  const ConvLayer largest{"conv", "bn", 512, 512, 3, 1, 1};
  EXPECT_EQ(ConvChunkChannels(largest), 256u);
  const ConvLayer huge_row{"conv", "bn", 1 << 20, 4, 7, 1, 3};
  EXPECT_EQ(ConvChunkChannels(huge_row), 1u) << "a channel is never cut";
}

TEST(LayoutTest, OihwBecomesOhwi) {
  const ConvLayer layer{"conv", "bn", /*in_channels=*/3, /*out_channels=*/2, /*kernel=*/2, 1, 0};
  std::vector<float> oihw(layer.weight_count());
  std::iota(oihw.begin(), oihw.end(), 0.0f);
  std::vector<float> ohwi(oihw.size());
  OihwToOhwi(layer, oihw.data(), ohwi.data());
  EXPECT_THAT(ohwi, ElementsAre(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11,  //
                                12, 16, 20, 13, 17, 21, 14, 18, 22, 15, 19, 23));
}

}  // namespace
}  // namespace bitplex
