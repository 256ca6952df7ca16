// What every network promises, of the oneDNN executor's. Run again for older processors by
// ONEDNN_MAX_CPU_ISA.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <bit>
#include <cstring>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/executor/networks.h"

namespace bitplex::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr size_t kClasses = 7;
constexpr size_t kMaxCount = 17;  // Two groups of 8, and one left over.

const Executor& Onednn() { return LoadedExecutor("onednn"); }

std::shared_ptr<const WeightSource> MadeSource(const Architecture& arch, bool scales) {
  FuseTask task = BalancedTask(arch, {.bits = 7, .classes = kClasses, .seed = 21});
  if (scales) task.info.activation_scales.assign(arch.convs.size() + 1, 0.03f);
  return Stored(arch, task);
}

std::vector<uint32_t> Bits(absl::Span<const float> values) {
  std::vector<uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<uint32_t>(value));
  return bits;
}

// Networks of an architecture and type, and images for it.
struct Case {
  const char* arch;
  Precision precision;
};

class NetworkTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (const absl::Status status = Onednn().Supports(GetParam().precision); !status.ok()) {
      GTEST_SKIP() << status;
    }
    source_ = MadeSource(arch_, true);
    network_ = Prepared(Onednn(), source_, GetParam().precision);
    auto packed = network_->Pack();
    ASSERT_TRUE(packed.ok()) << packed.status();
    packed_ = *std::move(packed);
  }

  absl::Span<const float> Images(size_t first, size_t count) const {
    return absl::MakeSpan(images_).subspan(first * image_floats_, count * image_floats_);
  }
  std::vector<float> Run(size_t first, size_t count) const {
    std::vector<float> logits(count * kClasses);
    const absl::Status status =
        network_->Run(*packed_, Images(first, count), count, absl::MakeSpan(logits));
    EXPECT_TRUE(status.ok()) << status;
    return logits;
  }
  // Outputs of every image, each run alone.
  std::vector<float> Single() const {
    std::vector<float> all;
    for (size_t i = 0; i < kMaxCount; ++i) {
      const std::vector<float> one = Run(i, 1);
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  }

  const Architecture& arch_ = Arch(GetParam().arch);
  const size_t image_floats_ = arch_.input_values();
  const std::vector<float> images_ = RandomImages(arch_, kMaxCount, 300);
  std::shared_ptr<const WeightSource> source_;
  std::unique_ptr<const Network> network_;
  std::shared_ptr<const PackedWeights> packed_;
};

// The last images of a batch are those that lie in another group than when they run alone.
TEST_P(NetworkTest, AnImageHasTheSameBitsAtEveryCountAndLayerByLayer) {
  const std::vector<float> single = Single();
  const absl::Span<const float> all(single);
  for (size_t count = 1; count <= kMaxCount; ++count) {
    const size_t first = kMaxCount - count;
    const std::vector<uint32_t> expected = Bits(all.subspan(first * kClasses));
    EXPECT_EQ(Bits(Run(first, count)), expected) << count << " images";
    EXPECT_EQ(Bits(LayerwiseLogits(*network_, kClasses, Images(first, count), count)), expected)
        << count << " images, layer by layer";
  }
}

TEST_P(NetworkTest, ImagesHaveOutputsOfTheirOwn) {
  const std::vector<float> single = Single();
  for (size_t i = 1; i < kMaxCount; ++i) {
    EXPECT_NE(
        std::memcmp(&single[i * kClasses], &single[(i - 1) * kClasses], kClasses * sizeof(float)),
        0)
        << i;
  }
}

// The primitives for 8 images are made by whoever needs them first: here, by all at once.
TEST_P(NetworkTest, ManyThreadsOnOneNetworkGetTheBitsThatOneGets) {
  constexpr size_t kThreads = 8;
  const auto fresh = Prepared(Onednn(), source_, GetParam().precision);
  std::vector<std::vector<float>> got(kThreads);
  std::atomic<size_t> ready{0};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      ++ready;
      while (ready < kThreads) std::this_thread::yield();
      const size_t count = 8 + t;
      got[t] = t % 2 == 0 ? Logits(*fresh, kClasses, Images(0, count), count)
                          : LayerwiseLogits(*fresh, kClasses, Images(0, count), count);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<float> single = Single();
  for (size_t t = 0; t < kThreads; ++t) {
    EXPECT_EQ(Bits(got[t]), Bits(absl::MakeSpan(single).first(got[t].size()))) << "thread " << t;
  }
}

TEST_P(NetworkTest, PackedWeightsAreAsLargeAsTheNetworkSays) {
  EXPECT_EQ(packed_->bytes(), network_->packed_bytes());
  size_t weight_bytes = 0, largest = 0;
  for (const ConvLayer& layer : arch_.convs) {
    const size_t bytes = layer.weight_count() * WeightBytes(GetParam().precision);
    weight_bytes += bytes;
    largest = std::max(largest, bytes);
  }
  EXPECT_GE(network_->packed_bytes(), weight_bytes);
  EXPECT_GE(network_->scratch_bytes(), largest);
  if (arch_.features < 512) return;
  // Of a real network padding is next to nothing.
  EXPECT_LE(static_cast<double>(network_->packed_bytes()),
            1.01 * static_cast<double>(weight_bytes));
  EXPECT_LE(network_->scratch_bytes(), network_->packed_bytes() / 4);
}

TEST_P(NetworkTest, TwoPackingsGiveTheSameBits) {
  EXPECT_EQ(Bits(Logits(*network_, kClasses, Images(0, 2), 2)), Bits(Run(0, 2)));
}

TEST_P(NetworkTest, TheNetworkKeepsItsSourceAndPackedWeightsKeepNeither) {
  std::weak_ptr<const WeightSource> source = source_;
  source_.reset();
  ASSERT_FALSE(source.expired()) << "the network reads its batch norms from it";
  network_.reset();
  EXPECT_TRUE(source.expired()) << "packed weights of a task that is gone must not hold its store";
  EXPECT_EQ(packed_.use_count(), 1);
  EXPECT_GT(packed_->bytes(), 0u) << "they are still what they were";
}

TEST_P(NetworkTest, BuffersOfTheWrongSizeAreRefused) {
  std::vector<float> logits(2 * kClasses, 99);
  std::vector<std::byte> scratch(network_->scratch_bytes() - 1);
  const auto run = [&](size_t image_values, size_t count, size_t outputs) {
    return network_->Run(*packed_, absl::MakeSpan(images_).first(image_values), count,
                         absl::MakeSpan(logits).first(outputs));
  };
  const size_t one = image_floats_;
  for (const absl::Status& status :
       {run(0, 0, 0), run(one - 1, 1, kClasses), run(one + 1, 1, kClasses),
        run(one, 2, 2 * kClasses), run(2 * one, 1, kClasses), run(one, 1, kClasses - 1),
        run(one, 1, kClasses + 1), run(2 * one, 2, kClasses),
        network_->RunLayerwise(absl::MakeSpan(scratch), Images(0, 1), 1,
                               absl::MakeSpan(logits).first(kClasses))}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  }
  EXPECT_THAT(logits, testing::Each(99)) << "nothing may be written";
}

TEST_P(NetworkTest, ObservesInFloat32Alone) {
  size_t observed = 0;
  const absl::Status status = network_->Observe(
      *packed_, Images(0, 1), 1, [&](size_t, absl::Span<const float>) { ++observed; });
  if (GetParam().precision == Precision::kFloat32) {
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(observed, arch_.convs.size() + 1);
  } else {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << status;
    EXPECT_EQ(observed, 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, NetworkTest,
                         testing::Values(Case{"resnet10-tiny", Precision::kFloat32},
                                         Case{"resnet10-tiny", Precision::kBfloat16},
                                         Case{"resnet10-tiny", Precision::kInt8},
                                         Case{"resnet18-cifar", Precision::kFloat32},
                                         Case{"resnet18-cifar", Precision::kBfloat16},
                                         Case{"resnet18-cifar", Precision::kInt8}),
                         [](const auto& test) {
                           std::string name = absl::StrCat(test.param.arch, "_",
                                                           PrecisionName(test.param.precision));
                           name.erase(name.find('-'), 1);
                           return name;
                         });

TEST(OnednnExecutor, IsNamedAndAlwaysRunsFloat32) {
  EXPECT_EQ(Onednn().name(), "onednn");
  EXPECT_TRUE(Onednn().Supports(Precision::kFloat32).ok());
}

TEST(OnednnExecutor, SaysWhatATypeNeedsOfTheProcessor) {
  for (const Precision precision : {Precision::kBfloat16, Precision::kInt8}) {
    const absl::Status status = Onednn().Supports(precision);
    const auto prepared = Onednn().Prepare(MadeSource(TinyArch(), true), precision);
    EXPECT_EQ(prepared.status(), status);
    if (status.ok()) continue;
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(PrecisionName(precision)), HasSubstr("needs a processor with"),
                      HasSubstr("--precision")));
  }
}

TEST(OnednnExecutor, Int8WithoutScalesNamesTheRemedy) {
  if (!Onednn().Supports(Precision::kInt8).ok()) GTEST_SKIP() << "this processor runs no s8";
  const absl::Status status =
      Onednn().Prepare(MadeSource(TinyArch(), false), Precision::kInt8).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("--calibrate"), HasSubstr("--precision f32")));
  EXPECT_THAT(std::string(status.message()), testing::Not(HasSubstr("  ")));
}

}  // namespace
}  // namespace bitplex::test
