// `bitplex fuse --calibrate`, and what `bitplex evaluate` makes of its stores, as a user runs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "model_store/checkpoint/safetensors_writer.h"
#include "model_store/format/fused_store.h"
#include "tests/executor/networks.h"
#include "tests/service/child_process.h"

namespace bitplex::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

constexpr size_t kImages = 20;

struct Result {
  int code;
  std::string output;
};

Result Bitplex(std::vector<std::string> arguments) {
  ChildProcess tool("bitplex", std::move(arguments));
  const int code = tool.Wait();
  return {code, tool.output()};
}

class CalibrateCommandTest : public testing::Test {
 protected:
  // Two networks of 10 classes, and a set of pictures for each.
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    for (const uint32_t t : {1u, 2u}) {
      const Checkpoint checkpoint = BalancedTask(TinyArch(), {.classes = 10, .seed = t}).checkpoint;
      std::vector<checkpoint::NamedTensor> tensors;
      for (const auto& [name, tensor] : checkpoint.tensors) tensors.push_back({name, &tensor});
      ASSERT_TRUE(checkpoint::WriteSafetensors(Checkpoint_(t), tensors, {}).ok());
      WriteCifar(Images(t), kImages, 10, 100 * t);
    }
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Checkpoint_(uint32_t t) const {
    return absl::StrCat(folder_, "/", t, ".safetensors");
  }
  std::string Images(uint32_t t) const { return absl::StrCat(folder_, "/", t, ".bin"); }

  // Tasks "one" (7 bits) and "two" (6 bits).
  Result Fuse(const std::vector<std::string>& calibrations) const {
    std::vector<std::string> arguments = {
        "fuse",
        "--arch",
        "resnet10-tiny",
        "--out",
        store_,
        "--task",
        absl::StrCat("one=", Checkpoint_(1), ",bits=7,preset=cifar10"),
        "--task",
        absl::StrCat("two=", Checkpoint_(2), ",bits=6,preset=cifar10")};
    for (const std::string& calibration : calibrations) {
      arguments.insert(arguments.end(), {"--calibrate", calibration});
    }
    return Bitplex(std::move(arguments));
  }
  std::vector<TaskInfo> Tasks() const {
    const auto store = FusedStore::Open(store_);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? (*store)->tasks() : std::vector<TaskInfo>(2);
  }
  Result Evaluate(const std::string& task, const std::string& precision) const {
    return Bitplex({"evaluate", "--store", store_, "--task", task, "--data", Images(1),
                    "--precision", precision, "--threads", "1", "--json"});
  }

  const std::string folder_ = TempPath("calibrate_command");
  const std::string store_ = folder_ + "/store.bpx";
};

constexpr size_t kScales = 13;  // The input, and 12 convolutions.

TEST_F(CalibrateCommandTest, OneSpecificationIsForAllTasks) {
  const Result result = Fuse({Images(1)});
  ASSERT_EQ(result.code, 0) << result.output;
  const std::vector<TaskInfo> tasks = Tasks();
  for (const TaskInfo& task : tasks) {
    EXPECT_THAT(task.activation_scales, SizeIs(kScales)) << task.name;
    EXPECT_EQ(task.calibration.at("images"), std::to_string(kImages)) << task.name;
    EXPECT_EQ(task.calibration.at("method"), "mse") << task.name;
  }
  EXPECT_EQ(tasks[0].calibration.at("images_sha256"), tasks[1].calibration.at("images_sha256"));
  EXPECT_NE(tasks[0].activation_scales, tasks[1].activation_scales) << "networks of their own";
}

TEST_F(CalibrateCommandTest, EachTaskMayHaveItsOwn) {
  const Result result = Fuse({"two=" + Images(2) + ",images=5,method=max", "one=" + Images(1)});
  ASSERT_EQ(result.code, 0) << result.output;
  const std::vector<TaskInfo> tasks = Tasks();
  EXPECT_EQ(tasks[0].calibration.at("method"), "mse");
  EXPECT_EQ(tasks[1].calibration.at("method"), "max");
  EXPECT_EQ(tasks[0].calibration.at("images"), std::to_string(kImages));
  EXPECT_EQ(tasks[1].calibration.at("images"), "5");
  EXPECT_NE(tasks[0].calibration.at("images_sha256"), tasks[1].calibration.at("images_sha256"));
}

TEST_F(CalibrateCommandTest, ATasksOwnComesBeforeThatForAllInEitherOrder) {
  const std::string all = Images(1) + ",method=percentile";
  const std::string own = "two=" + Images(2) + ",method=max";
  for (const auto& calibrations : {std::vector{all, own}, std::vector{own, all}}) {
    const Result result = Fuse(calibrations);
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_EQ(Tasks()[0].calibration.at("method"), "percentile");
    EXPECT_EQ(Tasks()[1].calibration.at("method"), "max");
  }
}

TEST_F(CalibrateCommandTest, ATaskWithoutOneStaysWithoutScales) {
  const Result result = Fuse({"one=" + Images(1)});
  ASSERT_EQ(result.code, 0) << result.output;
  EXPECT_THAT(Tasks()[0].activation_scales, SizeIs(kScales));
  EXPECT_THAT(Tasks()[1].activation_scales, IsEmpty());
  EXPECT_THAT(Tasks()[1].calibration, IsEmpty());
}

TEST_F(CalibrateCommandTest, TheSameInputsGiveTheSameBytes) {
  ASSERT_EQ(Fuse({Images(1)}).code, 0);
  const std::vector<uint8_t> first = ReadBytes(store_);
  ASSERT_EQ(Fuse({Images(1)}).code, 0);
  EXPECT_EQ(ReadBytes(store_), first);
}

TEST_F(CalibrateCommandTest, FaultsAreNamedAndLeaveNoStore) {
  struct Fault {
    std::string calibration, words;
  };
  WriteCifar(folder_ + "/cut.bin", 1, 10, 1);
  std::filesystem::resize_file(folder_ + "/cut.bin", 3000);
  for (const Fault& fault :
       {Fault{"three=" + Images(1), "'three'"}, Fault{folder_ + "/none.bin", "none.bin"},
        Fault{folder_ + "/cut.bin", "3000 bytes"}, Fault{Images(1) + ",images=0", "images=0"},
        Fault{Images(1) + ",method=best", "mse|percentile|max"}}) {
    const Result result = Fuse({fault.calibration});
    EXPECT_EQ(result.code, 1) << result.output;
    EXPECT_THAT(result.output, AllOf(StartsWith("bitplex: "), HasSubstr(fault.words)));
    EXPECT_FALSE(std::filesystem::exists(store_)) << fault.calibration;
  }
}

TEST_F(CalibrateCommandTest, TheStoreIsEvaluatedInEveryTypeThatTheProcessorHas) {
  ASSERT_EQ(Fuse({Images(1)}).code, 0);
  for (const Precision precision : SupportedPrecisions()) {
    for (const char* task : {"one", "two"}) {
      const Result result = Evaluate(task, PrecisionName(precision));
      ASSERT_EQ(result.code, 0) << result.output;
      const auto json = nlohmann::json::parse(result.output);
      EXPECT_EQ(json["precision"], PrecisionName(precision));
      EXPECT_EQ(json["images"], kImages);
      EXPECT_EQ(json["rounded_again"], false) << "7 bits are exact in each";
    }
  }
}

TEST_F(CalibrateCommandTest, AutoTakesInt8WhereThereAreScalesAndElseWhatNeedsNone) {
  ASSERT_EQ(Fuse({"one=" + Images(1)}).code, 0);
  const std::vector<Precision> supported = SupportedPrecisions();
  const auto chosen = [&](const char* task) {
    const Result result = Evaluate(task, "auto");
    EXPECT_EQ(result.code, 0) << result.output;
    return nlohmann::json::parse(result.output)["precision"];
  };
  EXPECT_EQ(chosen("one"), PrecisionName(supported.back()));
  const auto narrowest_without_scales =
      std::find_if(supported.rbegin(), supported.rend(),
                   [](Precision precision) { return precision != Precision::kInt8; });
  EXPECT_EQ(chosen("two"), PrecisionName(*narrowest_without_scales));
}

TEST_F(CalibrateCommandTest, Int8WithoutScalesNamesTheRemedy) {
  if (!LoadedExecutor("onednn").Supports(Precision::kInt8).ok()) {
    GTEST_SKIP() << "this processor runs no s8";
  }
  ASSERT_EQ(Fuse({}).code, 0);
  const Result result = Evaluate("one", "s8");
  EXPECT_EQ(result.code, 1) << result.output;
  EXPECT_THAT(result.output, AllOf(StartsWith("bitplex: "), HasSubstr("--calibrate")));
}

}  // namespace
}  // namespace bitplex::test
