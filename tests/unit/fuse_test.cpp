#include "model_store/fuse/fuse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "model_store/arch/layout.h"
#include "model_store/codec/block_float.h"
#include "model_store/codec/field.h"
#include "model_store/format/fused_store.h"
#include "tests/unit/tiny_network.h"

namespace bitplex {
namespace {

using test::RandomTask;
using test::TinyArch;
using testing::AllOf;
using testing::HasSubstr;

std::vector<FuseTask> Tasks(const std::vector<unsigned>& widths, bool channel_exponents = false) {
  std::vector<FuseTask> tasks;
  for (size_t t = 0; t < widths.size(); ++t) {
    tasks.push_back(RandomTask(TinyArch(), {.name = absl::StrCat("task", t),
                                            .bits = widths[t],
                                            .classes = 2 + t % 3,
                                            .channel_exponents = channel_exponents,
                                            .seed = static_cast<uint32_t>(t + 1)}));
  }
  return tasks;
}

absl::StatusOr<std::shared_ptr<const FusedStore>> FuseAndOpen(const std::vector<FuseTask>& tasks) {
  const std::string path = test::TempPath("fuse.bpx");
  if (absl::Status status = FuseToFile(TinyArch(), tasks, path); !status.ok()) return status;
  auto store = FusedStore::Open(path);
  std::filesystem::remove(path);
  return store;
}

// The file's length as FORMAT.md has it: each section at the next multiple of 64.
uint64_t StoreSize(const std::vector<StoreSection>& sections, size_t metadata_bytes) {
  uint64_t end = format::AlignUp(128 + metadata_bytes) + sections.size() * 128;
  for (const StoreSection& section : sections) end = format::AlignUp(end) + section.data.size();
  return end;
}

TEST(FuseTest, TheSameInputsGiveTheSameBytes) {
  const std::vector<uint8_t> first = test::StoreBytes(TinyArch(), Tasks({9, 5}));
  EXPECT_EQ(first, test::StoreBytes(TinyArch(), Tasks({9, 5})));
  EXPECT_NE(first, test::StoreBytes(TinyArch(), Tasks({9, 6})));
}

TEST(FuseTest, TheStoreSaysWhatWasFused) {
  std::vector<FuseTask> tasks = Tasks({9, 5});
  tasks[1].info.checkpoint_metadata = {{"top1", "95.1"}};
  const auto store = FuseAndOpen(tasks);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->arch().name, "resnet10-tiny");
  EXPECT_THAT((*store)->metadata().created_by, testing::StartsWith("bitplex "));
  ASSERT_EQ((*store)->tasks().size(), 2u);
  EXPECT_EQ((*store)->tasks()[1].name, "task1");
  EXPECT_EQ((*store)->tasks()[1].labels, tasks[1].info.labels);
  EXPECT_EQ((*store)->tasks()[1].checkpoint_metadata, tasks[1].info.checkpoint_metadata);
  EXPECT_EQ((*store)->id().size(), 16u);
}

struct WidthCase {
  const char* name;
  std::vector<unsigned> widths;
  bool channel_exponents = false;
};

class FuseWidthsTest : public testing::TestWithParam<WidthCase> {};

TEST_P(FuseWidthsTest, EveryWeightIsWithinItsErrorBound) {
  const std::vector<FuseTask> tasks = Tasks(GetParam().widths, GetParam().channel_exponents);
  const auto store = FuseAndOpen(tasks);
  ASSERT_TRUE(store.ok()) << store.status();
  for (size_t t = 0; t < tasks.size(); ++t) {
    const TaskView view = (*store)->View(t, Reading::kMask);
    for (size_t c = 0; c < TinyArch().convs.size(); ++c) {
      const ConvLayer& layer = TinyArch().convs[c];
      std::vector<float> want(layer.weight_count());
      OihwToOhwi(layer, tasks[t].checkpoint.tensors.at(layer.name + ".weight").values.data(),
                 want.data());
      std::vector<float> got(want.size());
      view.DecodeFloat32(c, 0, layer.out_channels, got.data());
      const size_t run = GetParam().channel_exponents ? layer.row_count() : want.size();
      double worst = 0;  // In units of the last mantissa bit.
      for (size_t first = 0; first < want.size(); first += run) {
        const int exponent = SharedExponent(absl::MakeSpan(want).subspan(first, run));
        const double unit = UnitScale(exponent, tasks[t].info.bits);
        const double top = std::ldexp(1.0, exponent) - unit / 2;
        for (size_t i = first; i < first + run; ++i) {
          const double error = std::fabs(double{want[i]} - double{got[i]}) / unit;
          // Half a unit, but up to a whole one where the mantissa was clamped.
          worst = std::max(worst, std::fabs(want[i]) < top ? 2 * error : error);
          ASSERT_EQ(std::signbit(want[i]), std::signbit(got[i]));
        }
      }
      ASSERT_LE(worst, 1.0) << "task " << t << ", " << layer.name;
      ASSERT_GT(worst, tasks[t].info.bits < 24 ? 0.5 : 0.0) << "the test's own sample is too easy";
    }
  }
}

TEST_P(FuseWidthsTest, WhatBelongsToOneTaskIsExact) {
  const std::vector<FuseTask> tasks = Tasks(GetParam().widths, GetParam().channel_exponents);
  const auto store = FuseAndOpen(tasks);
  ASSERT_TRUE(store.ok()) << store.status();
  for (size_t t = 0; t < tasks.size(); ++t) {
    const auto& tensors = tasks[t].checkpoint.tensors;
    const TaskView view = (*store)->View(t, Reading::kMask);
    EXPECT_EQ(view.Classifier().weight, tensors.at("fc.weight").values);
    EXPECT_EQ(view.Classifier().bias, tensors.at("fc.bias").values);
    EXPECT_EQ(view.BatchNorm(0).weight, tensors.at("bn1.weight").values);
    EXPECT_EQ(view.BatchNorm(3).running_var, tensors.at("layer2.0.bn1.running_var").values);
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, FuseWidthsTest,
                         testing::Values(WidthCase{"OneTask", {7}},
                                         WidthCase{"OneTaskOfOneBit", {1}},
                                         WidthCase{"ThePapers", {12, 11}},
                                         WidthCase{"FullMantissas", {24, 24}},
                                         WidthCase{"SumIs64", {24, 24, 16}},
                                         WidthCase{"ThirtyTwoTasks", std::vector<unsigned>(32, 2)},
                                         WidthCase{"SixtyFourTasks", std::vector<unsigned>(64, 1)},
                                         WidthCase{"ChannelExponents", {12, 11}, true}),
                         [](const auto& suite) { return std::string(suite.param.name); });

TEST(FuseTest, TheFirstTaskHasTheHighestBits) {
  const auto sections = FuseSections(TinyArch(), Tasks({9, 4, 7}));
  ASSERT_TRUE(sections.ok()) << sections.status();
  for (const StoreSection& section : *sections) {
    if (section.record.kind == format::Kind::kWords) {
      EXPECT_EQ(section.record.word_bits, 20u);
    }
    if (section.record.kind != format::Kind::kSigns) continue;
    const unsigned shifts[] = {11, 7, 0};
    const unsigned bits[] = {9, 4, 7};
    EXPECT_EQ(section.record.field_shift, shifts[section.record.task]);
    EXPECT_EQ(section.record.field_bits, bits[section.record.task]);
  }
}

TEST(FuseTest, WordsArePackedAtTheSumOfTheWidths) {
  for (const std::vector<unsigned>& widths :
       {std::vector<unsigned>{7}, {12, 11}, {24, 24, 16}, std::vector<unsigned>(32, 2)}) {
    unsigned sum = 0;
    for (const unsigned bits : widths) sum += bits;
    const std::vector<FuseTask> tasks = Tasks(widths);
    const auto store = FuseAndOpen(tasks);
    ASSERT_TRUE(store.ok()) << store.status();
    const auto sections = FuseSections(TinyArch(), tasks);
    uint64_t words = 0;
    uint64_t formula = 0;
    for (const StoreSection& section : *sections) {
      if (section.record.kind == format::Kind::kWords) words += section.data.size();
    }
    for (const ConvLayer& layer : TinyArch().convs) formula += (layer.weight_count() * sum + 7) / 8;
    EXPECT_EQ(words, formula);
    StoreMetadata metadata{"resnet10-tiny", (*store)->metadata().created_by, (*store)->tasks()};
    EXPECT_EQ((*store)->mapping().size(), StoreSize(*sections, MetadataToJson(metadata).size()));
  }
}

// 11.16 M weights at 12 + 11 bits of mantissa and two signs, against 2 x 44.7 MB in float32.
TEST(FuseTest, TwoResNet18sAtThePapersWidthsFitIn35Point5Megabytes) {
  const Architecture& arch = test::Arch("resnet18-cifar");
  std::vector<FuseTask> tasks;
  tasks.push_back(RandomTask(arch, {.name = "cifar100", .bits = 12, .classes = 100, .seed = 1}));
  tasks.push_back(RandomTask(arch, {.name = "cifar10", .bits = 11, .classes = 10, .seed = 2}));
  const auto sections = FuseSections(arch, tasks);
  ASSERT_TRUE(sections.ok()) << sections.status();
  StoreMetadata metadata{arch.name, "bitplex", {tasks[0].info, tasks[1].info}};
  const uint64_t store_bytes = StoreSize(*sections, MetadataToJson(metadata).size());
  EXPECT_LE(store_bytes, 35'500'000u);
  EXPECT_GE(store_bytes, 11'164'352u * 25 / 8) << "less than its own weights";
}

TEST(FuseTest, SumsBeyond64AreRefused) {
  const absl::Status status = FuseSections(TinyArch(), Tasks({24, 24, 17})).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("65"), HasSubstr("at most 64")));
  EXPECT_EQ(FuseSections(TinyArch(), Tasks(std::vector<unsigned>(65, 1))).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(FuseTest, NoTaskIsRefused) {
  const absl::Status status = FuseSections(TinyArch(), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("1 to 64"));
}

TEST(FuseTest, OneNameTwiceIsRefused) {
  std::vector<FuseTask> tasks = Tasks({8, 8});
  tasks[1].info.name = tasks[0].info.name;
  const absl::Status status = FuseSections(TinyArch(), tasks).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("two tasks are named 'task0'"));
}

TEST(FuseTest, ATaskThatCannotBeIsRefused) {
  for (const unsigned bits : {0u, 25u}) {
    const absl::Status status = FuseSections(TinyArch(), Tasks({bits})).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bits;
  }
}

TEST(FuseTest, ARefusedStoreIsNotWritten) {
  const std::string path = test::TempPath("refused.bpx");
  EXPECT_FALSE(FuseToFile(TinyArch(), Tasks({24, 24, 17}), path).ok());
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(FuseTest, ANewStoreReplacesAnOldOneThatIsOpen) {
  const std::string path = test::TempPath("replaced.bpx");
  ASSERT_EQ(FuseToFile(TinyArch(), Tasks({8}), path), absl::OkStatus());
  const auto before = FusedStore::Open(path);
  ASSERT_TRUE(before.ok()) << before.status();
  ASSERT_EQ(FuseToFile(TinyArch(), Tasks({9}), path), absl::OkStatus());
  const auto after = FusedStore::Open(path);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_NE((*before)->id(), (*after)->id());
  EXPECT_EQ((*before)->tasks()[0].bits, 8u);
  EXPECT_EQ((*after)->tasks()[0].bits, 9u);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace bitplex
