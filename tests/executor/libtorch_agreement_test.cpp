// The two executors on the same networks: LibTorch runs them operator by operator, oneDNN with
// batch norms folded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/executor/networks.h"

namespace bitplex::test {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::Le;

constexpr size_t kClasses = 10;

// Of RelativeLogitError: measured 1.7e-6 (tiny), 6.8e-6 (cifar) and 4.8e-6 (imagenet), with AVX2
// 2.1e-6, 1.0e-5 and 4.8e-6. Both round every sum, in orders of their own: none is no difference.
constexpr double kLeastDifference = 4e-7;
constexpr double kMostDifference = 3e-5;
// Of RelativeError of the layer that differs most: measured 3.2e-7 (tiny), 1.4e-6 (cifar)
// and 1.5e-6 (imagenet), with AVX2 4.8e-7, 1.9e-6 and 2.1e-6.
constexpr double kLeastActivationDifference = 1e-7;
constexpr double kMostActivationDifference = 6e-6;

struct Case {
  const char* name;
  const char* arch;
  size_t images;
};

class AgreementTest : public testing::TestWithParam<Case> {
 protected:
  const Architecture& arch_ = Arch(GetParam().arch);
  const size_t count_ = GetParam().images;
  const std::shared_ptr<const WeightSource> source_ =
      Stored(arch_, BalancedTask(arch_, {.bits = 12, .classes = kClasses, .seed = 8}));
  const std::vector<float> images_ = RandomImages(arch_, count_, 50);
  const std::unique_ptr<const Network> onednn_ =
      Prepared(LoadedExecutor("onednn"), source_, Precision::kFloat32);
  const std::unique_ptr<const Network> libtorch_ =
      Prepared(LoadedExecutor("libtorch"), source_, Precision::kFloat32);
};

TEST_P(AgreementTest, LogitsAreThoseOfLibtorch) {
  const std::vector<float> reference = Logits(*libtorch_, kClasses, images_, count_);
  const double whole =
      RelativeLogitError(Logits(*onednn_, kClasses, images_, count_), reference, kClasses);
  RecordProperty("relative_error", absl::StrCat(whole));
  EXPECT_THAT(whole, AllOf(Ge(kLeastDifference), Le(kMostDifference)));
}

// One layer's activations; their order within a layer is each executor's own.
struct Seen {
  size_t index;
  std::vector<float> sorted;
};

std::vector<Seen> Observed(const Network& network, absl::Span<const float> images, size_t count) {
  std::vector<Seen> seen;
  const auto weights = network.Pack();
  EXPECT_TRUE(weights.ok()) << weights.status();
  const absl::Status status =
      network.Observe(**weights, images, count, [&](size_t index, absl::Span<const float> values) {
        seen.push_back({index, {values.begin(), values.end()}});
        std::sort(seen.back().sorted.begin(), seen.back().sorted.end());
      });
  EXPECT_TRUE(status.ok()) << status;
  return seen;
}

TEST_P(AgreementTest, TheSameActivationsAreObservedInTheSameOrder) {
  const std::vector<Seen> a = Observed(*onednn_, images_, count_);
  const std::vector<Seen> b = Observed(*libtorch_, images_, count_);
  ASSERT_EQ(a.size(), arch_.convs.size() + 1);
  ASSERT_EQ(b.size(), a.size());
  std::vector<size_t> times(a.size());
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].index, b[i].index) << "number " << i;
    ASSERT_LT(a[i].index, times.size());
    ++times[a[i].index];
    ASSERT_EQ(a[i].sorted.size(), b[i].sorted.size()) << "activation " << a[i].index;
    const double difference = RelativeError(a[i].sorted, b[i].sorted);
    EXPECT_LE(difference, kMostActivationDifference) << "activation " << a[i].index;
    most = std::max(most, difference);
  }
  RecordProperty("largest_relative_error", absl::StrCat(most));
  EXPECT_GE(most, kLeastActivationDifference);
  EXPECT_EQ(times, std::vector<size_t>(a.size(), 1)) << "each once";
  EXPECT_EQ(a[0].index, 0u);
}

INSTANTIATE_TEST_SUITE_P(Networks, AgreementTest,
                         testing::Values(Case{"Tiny", "resnet10-tiny", 11},
                                         Case{"Cifar", "resnet18-cifar", 9},
                                         Case{"Imagenet", "resnet18-imagenet", 2}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace bitplex::test
