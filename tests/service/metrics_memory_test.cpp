// The gauges and the view metrics against GetMemory of the same server.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/service/scrape.h"
#include "tests/service/serving_fixture.h"

namespace bitplex::test {
namespace {

void ClassifyInTurn(const Server& server, uint32_t rounds) {
  const auto stub = Connect(server);
  for (uint32_t i = 0; i < 2 * rounds; ++i) {
    grpc::ClientContext context;
    v1::ClassifyResponse response;
    const grpc::Status status =
        stub->Classify(&context, RawRequest(absl::StrCat("task", i % 2), 32, 32, i), &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
}

v1::GetMemoryResponse GetMemory(const Server& server) {
  grpc::ClientContext context;
  v1::GetMemoryResponse response;
  EXPECT_TRUE(Connect(server)->GetMemory(&context, {}, &response).ok());
  return response;
}

void ExpectGaugesOf(const v1::GetMemoryResponse& memory, const Scrape& scrape) {
  const v1::ProcessMemory& process = memory.process();
  const auto value = [&](const char* name) { return scrape.Value(name); };
  const auto number = [](auto bytes) { return static_cast<double>(bytes); };
  EXPECT_EQ(value("bitplex_store_mapped_bytes"), number(process.store_mapped_bytes()));
  EXPECT_EQ(value("bitplex_store_resident_bytes"), number(process.store_resident_bytes()));
  EXPECT_EQ(value("bitplex_scratch_bytes"), number(process.scratch_bytes()));
  EXPECT_EQ(scrape.Sum("bitplex_view_bytes"), number(process.view_bytes()));
  for (const v1::TaskMemory& task : memory.tasks()) {
    EXPECT_EQ(scrape.Value("bitplex_view_bytes", {{"task", task.name()}}),
              number(task.materialized_bytes()));
  }
  EXPECT_EQ(scrape.Value("bitplex_saved_bytes", {{"when", "now"}}),
            number(memory.now().saved_vs_float32_bytes()));
  EXPECT_EQ(scrape.Value("bitplex_saved_bytes", {{"when", "at_rest"}}),
            number(memory.at_rest().saved_vs_float32_bytes()));
  EXPECT_EQ(value("bitplex_view_budget_bytes"), number(memory.views().budget_bytes()));
  EXPECT_EQ(value("bitplex_view_hits_total"), number(memory.views().hits()));
  EXPECT_EQ(value("bitplex_view_materializations_total"),
            number(memory.views().materializations()));
  EXPECT_EQ(value("bitplex_view_evictions_total"), number(memory.views().evictions()));
  EXPECT_EQ(value("bitplex_view_streamed_total"), number(memory.views().streamed_batches()));
  // The process goes on between the two; 32 MB is more than a call or a sanitizer takes.
  EXPECT_NEAR(value("bitplex_process_resident_bytes"), number(process.rss_bytes()), 32e6);
  EXPECT_NEAR(value("bitplex_process_private_dirty_bytes"), number(process.private_dirty_bytes()),
              32e6);
  EXPECT_GT(value("bitplex_process_resident_bytes"), 10e6);
  EXPECT_GT(value("bitplex_memory_limit_bytes"), value("bitplex_process_private_dirty_bytes"));
}

TEST(MetricsMemory, ViewsThatPushEachOtherOut) {
  ServerOptions options = WithMetrics(MakeStore("resnet10-tiny", {12, 11}));
  const auto one_view = [&] {
    ServerOptions large = options;
    large.view_budget_bytes = size_t{1} << 30;
    const auto server = StartOrDie(large);
    ClassifyInTurn(*server, 1);
    return server->engine()->Memory().tasks[0].materialized_bytes;
  };
  options.view_budget_bytes = one_view();
  const auto server = StartOrDie(options);
  ClassifyInTurn(*server, 3);

  const Scrape scrape = ScrapeMetrics(*server);
  ExpectGaugesOf(GetMemory(*server), scrape);
  EXPECT_EQ(scrape.Value("bitplex_view_materializations_total"), 6);
  EXPECT_EQ(scrape.Value("bitplex_view_evictions_total"), 5);
  for (const std::string task : {"task0", "task1"}) {
    const auto count = [&](const char* metric) {
      return scrape.Value(absl::StrCat(metric, "_count"), {{"task", task}});
    };
    EXPECT_EQ(count("bitplex_view_materialize_duration_seconds"), 3);
    EXPECT_EQ(count("bitplex_view_age_at_eviction_seconds"), task == "task0" ? 3 : 2);
    EXPECT_EQ(count("bitplex_batch_images"), 3);
  }
  // What is waited for a view is its making, and the giving back of the one before.
  const double made = scrape.Sum("bitplex_view_materialize_duration_seconds_sum");
  EXPECT_GT(made, 0);
  double waited = 0;
  for (const char* task : {"task0", "task1"}) {
    waited +=
        scrape.Value("bitplex_request_duration_seconds_sum", {{"task", task}, {"stage", "view"}});
  }
  EXPECT_GE(waited + 6e-6, made);  // It is told in whole microseconds, six times.
}

TEST(MetricsMemory, ViewsThatStay) {
  const auto server = StartOrDie(WithMetrics(MakeStore("resnet10-tiny", {7, 7})));
  ClassifyInTurn(*server, 3);
  const Scrape scrape = ScrapeMetrics(*server);
  ExpectGaugesOf(GetMemory(*server), scrape);
  EXPECT_EQ(scrape.Sum("bitplex_view_age_at_eviction_seconds_count"),
            scrape.Value("bitplex_view_evictions_total"));
}

TEST(MetricsMemory, NoViewsAtAll) {
  ServerOptions options = WithMetrics(MakeStore("resnet10-tiny", {12, 11}));
  options.view_budget_bytes = 0;
  const auto server = StartOrDie(options);
  ClassifyInTurn(*server, 2);
  const Scrape scrape = ScrapeMetrics(*server);
  ExpectGaugesOf(GetMemory(*server), scrape);
  EXPECT_EQ(scrape.Value("bitplex_view_streamed_total"), 4);
  EXPECT_EQ(scrape.Sum("bitplex_view_materialize_duration_seconds_count"), 0);
}

TEST(MetricsMemory, WhatIsRunningIsTold) {
  ServerOptions options = WithMetrics(MakeStore("resnet10-tiny", {12, 5}));
  options.precision = Precision::kFloat32;
  const auto server = StartOrDie(options);
  const Scrape scrape = ScrapeMetrics(*server);
  EXPECT_EQ(
      scrape.Value("bitplex_build_info", {{"version", BITPLEX_VERSION}, {"executor", "onednn"}}),
      1);
  const std::string version = server->engine()->set().store->id();
  EXPECT_EQ(scrape.Value("bitplex_task_info", {{"task", "task1"},
                                               {"precision", "f32"},
                                               {"mantissa_bits", "5"},
                                               {"store_version", version}}),
            1);
  EXPECT_EQ(scrape.Sum("bitplex_task_info"), 2);
}

}  // namespace
}  // namespace bitplex::test
