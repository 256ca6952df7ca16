// The memory report against what it speaks of, on networks of ResNet18's real size.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/service/serving_fixture.h"

namespace bitplex::test {
namespace {

// ResNet18's convolutions in float32, and what a layout may add to fill its blocks.
constexpr uint64_t kLeastViewBytes = 44'636'928;
constexpr uint64_t kMostViewBytes = kLeastViewBytes + 100'000;

const std::string& BigStore() {
  static const std::string store = MakeStore("resnet18-cifar", {12, 11});
  return store;
}

void ClassifyBoth(const Server& server, uint32_t rounds) {
  const auto stub = Connect(server);
  for (uint32_t i = 0; i < 2 * rounds; ++i) {
    grpc::ClientContext context;
    v1::ClassifyResponse response;
    const grpc::Status status =
        stub->Classify(&context, RawRequest(absl::StrCat("task", i % 2), 32, 32, i), &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
}

TEST(Memory, WithoutBudgetAtMostTenMegabytesOfWeightsAreHeld) {
  ServerOptions options = OptionsFor(BigStore());
  options.view_budget_bytes = 0;
  const auto server = StartOrDie(options);
  ClassifyBoth(*server, 1);
  const uint64_t first = ReadProcessMemory().private_dirty_bytes;
  ClassifyBoth(*server, 5);
  const MemoryReport report = server->engine()->Memory();
  EXPECT_EQ(report.view_bytes, 0u);
  EXPECT_GT(report.scratch_bytes, 0u);
  EXPECT_LE(report.scratch_bytes, 10'000'000u);
  EXPECT_EQ(report.views.streamed, 12u);
  EXPECT_LT(report.process.private_dirty_bytes, first + 10'000'000u)
      << "it grows with every request";
  EXPECT_EQ(report.now.vs_float32(),
            static_cast<int64_t>(report.now.separate_float32_bytes) -
                static_cast<int64_t>(report.store_mapped_bytes + report.scratch_bytes));
}

TEST(Memory, WithABudgetForOneViewAlternatingTasksEvictAndMemoryComesBack) {
  ServerOptions options = OptionsFor(BigStore());
  options.view_budget_bytes = kMostViewBytes;
  const auto server = StartOrDie(options);
  const uint64_t before = ReadProcessMemory().rss_bytes;
  ClassifyBoth(*server, 3);
  const MemoryReport report = server->engine()->Memory();
  EXPECT_EQ(report.views.materializations, 6u);
  EXPECT_EQ(report.views.evictions, 5u);
  EXPECT_GE(report.view_bytes, kLeastViewBytes);
  EXPECT_LE(report.view_bytes, kMostViewBytes);
  EXPECT_EQ(report.tasks[0].materialized_bytes, 0u);
  EXPECT_EQ(report.tasks[1].materialized_type, "f32");
  // One view and the activations, not two views.
  EXPECT_LT(report.process.rss_bytes, before + kMostViewBytes * 3 / 2);
}

TEST(Memory, TwoViewsBesideTheStoreAreMoreThanTwoModelsAndItSaysSo) {
  ServerOptions options = OptionsFor(BigStore());
  options.view_budget_bytes = 4 * kMostViewBytes;
  const auto server = StartOrDie(options);
  ClassifyBoth(*server, 1);
  const MemoryReport report = server->engine()->Memory();
  EXPECT_GE(report.view_bytes, 2 * kLeastViewBytes);
  EXPECT_LE(report.view_bytes, 2 * kMostViewBytes);
  EXPECT_LT(report.now.vs_float32(), -30'000'000);
  EXPECT_GT(report.at_rest.vs_float32(), 50'000'000);
  EXPECT_GT(report.store_resident_bytes, report.store_mapped_bytes * 9 / 10);
  EXPECT_LE(report.store_mapped_bytes, 35'500'000u);
}

// What narrow fields are for: both views beside the store, in less than half of one float32 model.
TEST(Memory, NarrowViewsAreCountedAtTheirRealSize) {
  if (!SharedExecutor().Supports(Precision::kInt8).ok()) {
    GTEST_SKIP() << "this processor is not made for s8";
  }
  const auto server = StartOrDie(OptionsFor(MakeStore("resnet18-cifar", {7, 7})));
  ClassifyBoth(*server, 2);
  const MemoryReport report = server->engine()->Memory();
  EXPECT_EQ(report.tasks[0].materialized_type, "s8");
  EXPECT_GE(report.view_bytes, 2 * kLeastViewBytes / 4);
  EXPECT_LE(report.view_bytes, 2 * kMostViewBytes / 4);
  EXPECT_EQ(report.views.evictions, 0u);
  EXPECT_GT(report.now.vs_float32(), 40'000'000);
}

TEST(Memory, TheReportOverGrpcIsTheEnginesOwn) {
  const auto server = StartOrDie(OptionsFor(BigStore()));
  ClassifyBoth(*server, 1);
  grpc::ClientContext context;
  v1::GetMemoryResponse response;
  ASSERT_TRUE(Connect(*server)->GetMemory(&context, {}, &response).ok());
  const MemoryReport report = server->engine()->Memory();
  EXPECT_EQ(response.process().view_bytes(), report.view_bytes);
  EXPECT_EQ(response.process().store_mapped_bytes(), report.store_mapped_bytes);
  EXPECT_EQ(response.now().saved_vs_half_bytes(), report.now.vs_half());
  EXPECT_EQ(response.views().materializations(), report.views.materializations);
  ASSERT_EQ(response.tasks_size(), 2);
  EXPECT_EQ(response.tasks(0).store_bytes(), report.tasks[0].store_bytes);
  // 12 of 23 bits and a sign of every weight, and the tensors of its own.
  EXPECT_NEAR(static_cast<double>(response.tasks(0).store_bytes()),
              11'159'232 * 13 / 8.0 + 4800 * 16 + 4 * (3 * 512 + 3), 100);
}

}  // namespace
}  // namespace bitplex::test
