#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "client/memory_command.h"
#include "client/message_json.h"

namespace bitplex {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

// A store of 35.3 MB that beats two float32 models at rest, and loses to two half-precision models
// as soon as two views are materialised.
v1::GetMemoryResponse Example() {
  v1::GetMemoryResponse response;
  v1::TaskMemory* task = response.add_tasks();
  task->set_name("cifar10");
  task->set_float32_model_bytes(44'700'000);
  task->set_half_model_bytes(22'350'000);
  task->set_store_bytes(17'100'000);
  task->set_materialized_bytes(44'650'000);
  task->set_materialized_type("float32");
  task = response.add_tasks();
  task->set_name("cifar100");
  task->set_float32_model_bytes(44'884'999);
  v1::ProcessMemory* process = response.mutable_process();
  process->set_store_mapped_bytes(35'300'000);
  process->set_store_resident_bytes(30'010'000);
  process->set_view_bytes(89'410'000);
  process->set_scratch_bytes(9'437'184);
  process->set_rss_bytes(210'000'000);
  process->set_private_dirty_bytes(140'000'000);
  process->set_baseline_rss_bytes(60'500'000);
  v1::Saving* rest = response.mutable_at_rest();
  rest->set_held_bytes(35'300'000);
  rest->set_separate_float32_bytes(89'400'000);
  rest->set_separate_half_bytes(44'700'000);
  rest->set_saved_vs_float32_bytes(54'100'000);
  rest->set_saved_vs_half_bytes(9'400'000);
  v1::Saving* now = response.mutable_now();
  now->set_held_bytes(124'700'000);
  now->set_separate_float32_bytes(124'700'000);
  now->set_separate_half_bytes(62'350'000);
  now->set_saved_vs_float32_bytes(0);
  now->set_saved_vs_half_bytes(-62'350'000);
  response.mutable_views()->set_budget_bytes(100'000'000);
  response.mutable_views()->set_hits(1234);
  response.mutable_views()->set_materializations(2);
  response.mutable_views()->set_evictions(5);
  response.mutable_views()->set_streamed_batches(7);
  return response;
}

std::string Report(const v1::GetMemoryResponse& response) {
  std::ostringstream out;
  PrintMemory(response, out);
  return out.str();
}

TEST(MemoryReportTest, StatesItsUnit) { EXPECT_THAT(Report(Example()), HasSubstr("1,000,000")); }

TEST(MemoryReportTest, ShowsEachTask) {
  const std::string report = Report(Example());
  EXPECT_THAT(report, ContainsRegex("cifar10 +44.70 MB +22.35 MB +17.10 MB +44.65 MB +float32\n"));
  EXPECT_THAT(report, ContainsRegex("cifar100 +44.88 MB +0.00 MB +0.00 MB +-\n"));
}

TEST(MemoryReportTest, ShowsTheProcess) {
  const std::string report = Report(Example());
  EXPECT_THAT(report, ContainsRegex("mapped[^\n]* 35.30 MB\n"));
  EXPECT_THAT(report, ContainsRegex("resident[^\n]* 30.01 MB\n"));
  EXPECT_THAT(report, ContainsRegex("views[^\n]* 89.41 MB\n"));
  EXPECT_THAT(report, ContainsRegex("scratch[^\n]* 9.44 MB\n"));
  EXPECT_THAT(report, ContainsRegex("RSS, whole[^\n]* 210.00 MB\n"));
  EXPECT_THAT(report, ContainsRegex("private dirty[^\n]* 140.00 MB\n"));
  EXPECT_THAT(report, ContainsRegex("baseline[^\n]* 60.50 MB\n"));
}

TEST(MemoryReportTest, ShowsPositiveNegativeAndNoSavings) {
  const std::string report = Report(Example());
  EXPECT_THAT(report, ContainsRegex("at rest +35.30 MB +less than +separate float32 models +"
                                    "89.40 MB +54.10 MB \\(60.5 %\\)\n"));
  EXPECT_THAT(report, ContainsRegex("at rest +35.30 MB +less than +separate half-precision models "
                                    "+44.70 MB +9.40 MB \\(21.0 %\\)\n"));
  EXPECT_THAT(report, ContainsRegex("now +124.70 MB +same as +separate float32 models +124.70 MB +"
                                    "0.00 MB \\(0.0 %\\)\n"));
  EXPECT_THAT(report, ContainsRegex("now +124.70 MB +more than +separate half-precision models +"
                                    "62.35 MB +-62.35 MB \\(-100.0 %\\)\n"));
}

TEST(MemoryReportTest, ShowsTheViewCache) {
  EXPECT_THAT(Report(Example()), HasSubstr("budget 100.00 MB, hits 1234, materialisations 2, "
                                           "evictions 5, batches layer by layer 7"));
}

TEST(MemoryReportTest, ReportsAnEmptyAnswerWithoutDividingByZero) {
  const std::string report = Report(v1::GetMemoryResponse());
  EXPECT_THAT(report, testing::Not(HasSubstr("nan")));
  EXPECT_THAT(report, testing::Not(HasSubstr("inf")));
}

TEST(MemoryJsonTest, NumbersAreNumbersUnderTheirProtoNames) {
  v1::GetMemoryResponse response = Example();
  response.mutable_process()->set_rss_bytes(std::numeric_limits<uint64_t>::max());
  const auto json = nlohmann::json::parse(ToJson(response).dump());
  EXPECT_EQ(json["now"]["saved_vs_half_bytes"], -62'350'000);
  EXPECT_EQ(json["process"]["rss_bytes"], std::numeric_limits<uint64_t>::max());
  EXPECT_TRUE(json["process"]["rss_bytes"].is_number_unsigned());
  EXPECT_EQ(json["tasks"].size(), 2u);
  EXPECT_EQ(json["tasks"][0]["materialized_type"], "float32");
  EXPECT_EQ(json["tasks"][1]["materialized_bytes"], 0);
  EXPECT_EQ(json["views"]["streamed_batches"], 7);
}

TEST(MemoryJsonTest, LeavesOutMessagesThatAreNotSet) {
  const auto json = ToJson(v1::GetMemoryResponse());
  EXPECT_EQ(json.dump(), R"({"tasks":[]})");
}

}  // namespace
}  // namespace bitplex
