// A store of format version 1, made once by Bitplex 0.1.0 and kept: every later build must read
// from it what the first one wrote. Two networks of resnet10-tiny, 5 and 4 bits, the second with an
// exponent for each output channel.
#include <gtest/gtest.h>

#include "model_store/format/fused_store.h"

namespace bitplex {
namespace {

constexpr char kGolden[] = BITPLEX_TEST_DATA_DIR "/v1.bpx";

// Every convolution weight of the view, in the architecture's order.
std::vector<float> AllWeights(const TaskView& view) {
  std::vector<float> all;
  for (size_t c = 0; c < view.arch().convs.size(); ++c) {
    const ConvLayer& layer = view.arch().convs[c];
    all.resize(all.size() + layer.weight_count());
    view.DecodeFloat32(c, 0, layer.out_channels, all.data() + all.size() - layer.weight_count());
  }
  return all;
}

TEST(GoldenStore, StillReadsAsItDid) {
  const auto opened = FusedStore::Open(kGolden);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const FusedStore& store = **opened;
  EXPECT_EQ(store.id(), "e1905802c9593713");
  EXPECT_EQ(store.arch().name, "resnet10-tiny");
  ASSERT_EQ(store.tasks().size(), 2u);
  EXPECT_EQ(store.tasks()[0].name, "five-bits");
  EXPECT_EQ(store.tasks()[0].bits, 5u);
  EXPECT_EQ(store.tasks()[1].labels,
            (std::vector<std::string>{"label 0", "label 1", "label 2", "label 3"}));
  EXPECT_TRUE(store.tasks()[1].channel_exponents);

  struct Expected {
    size_t task;
    Reading reading;
    float first;
    float thousandth;
    uint64_t checksum;  // Of all weights.
  };
  for (const Expected& expected :
       {Expected{0, Reading::kMask, -0x1.2p-1f, 0x1p-5f, 0x44dfd5d67e79a2e8u},
        Expected{0, Reading::kDither, -0x1.2ap-1f, 0x1.58p-5f, 0x29b3c630746e6117u},
        Expected{1, Reading::kMask, -0x1.4p-1f, 0x1.6p-2f, 0xb8e16354b60b56abu},
        Expected{1, Reading::kDither, -0x1.4p-1f, 0x1.6p-2f, 0xb8e16354b60b56abu}}) {
    const std::vector<float> weights = AllWeights(store.View(expected.task, expected.reading));
    EXPECT_EQ(weights[0], expected.first);
    EXPECT_EQ(weights[1000], expected.thousandth);
    EXPECT_EQ(format::Checksum(weights.data(), weights.size() * sizeof(float)), expected.checksum);
  }
  EXPECT_EQ(store.View(0, Reading::kMask).Classifier().bias.size(), 3u);
}

}  // namespace
}  // namespace bitplex
