#include "model_store/fuse/task_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/unit/tiny_network.h"

namespace bitplex {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TaskSpec One(std::string_view text) {
  const auto specs = ParseTaskSpecs(text);
  EXPECT_TRUE(specs.ok()) << specs.status();
  EXPECT_EQ(specs->size(), 1u);
  return specs->front();
}

TEST(ParseTaskSpecs, ReadsEveryKey) {
  const TaskSpec spec =
      One("birds=nets/b.pt,bits=9,labels=b.txt,mean=0.5,0.4,0.3,std=.25,.24,.26,exponents=channel");
  EXPECT_EQ(spec.name, "birds");
  EXPECT_EQ(spec.checkpoint, "nets/b.pt");
  EXPECT_EQ(spec.bits, 9u);
  EXPECT_EQ(spec.labels_file, "b.txt");
  EXPECT_THAT(*spec.mean, ElementsAre(0.5f, 0.4f, 0.3f));
  EXPECT_THAT(*spec.std, ElementsAre(0.25f, 0.24f, 0.26f));
  EXPECT_TRUE(spec.channel_exponents);
}

TEST(ParseTaskSpecs, TakesSlashesAndColonsBetweenNumbers) {
  EXPECT_THAT(*One("a=c,mean=1/2/3").mean, ElementsAre(1, 2, 3));
  EXPECT_THAT(*One("a=c,std=1:2:3").std, ElementsAre(1, 2, 3));
}

TEST(ParseTaskSpecs, ANewNameBeginsTheNextTask) {
  const auto specs = ParseTaskSpecs("cifar10=a.pt,bits=11,cifar100=b.pt,mean=1,2,3,birds=c.pt");
  ASSERT_TRUE(specs.ok());
  ASSERT_EQ(specs->size(), 3u);
  EXPECT_EQ((*specs)[0].bits, 11u);
  EXPECT_EQ((*specs)[1].name, "cifar100");
  EXPECT_TRUE((*specs)[1].mean.has_value());
  EXPECT_EQ((*specs)[2].checkpoint, "c.pt");
}

struct BadSpec {
  const char* name;
  const char* text;
  const char* words;
};

class BadSpecs : public ::testing::TestWithParam<BadSpec> {};

TEST_P(BadSpecs, AreRefusedByName) {
  const auto specs = ParseTaskSpecs(GetParam().text);
  ASSERT_FALSE(specs.ok());
  EXPECT_TRUE(absl::IsInvalidArgument(specs.status()));
  EXPECT_THAT(std::string(specs.status().message()), HasSubstr(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadSpecs,
    ::testing::Values(BadSpec{"Empty", "", "expected NAME=CHECKPOINT"},
                      BadSpec{"NoEquals", "cifar10", "'cifar10' cannot be read"},
                      BadSpec{"NoName", "=c.pt", "cannot be read"},
                      BadSpec{"NoCheckpoint", "cifar10=", "'cifar10' has no checkpoint"},
                      BadSpec{"KeyFirst", "bits=3,cifar10=c.pt", "stands before any task"},
                      BadSpec{"ZeroBits", "a=c,bits=0", "1 to 24"},
                      BadSpec{"TooManyBits", "a=c,bits=25", "1 to 24"},
                      BadSpec{"NegativeBits", "a=c,bits=-1", "1 to 24"},
                      BadSpec{"WordBits", "a=c,bits=ten", "1 to 24"},
                      BadSpec{"TwoMeans", "a=c,mean=1,2", "expected three numbers"},
                      BadSpec{"InfiniteMean", "a=c,mean=1,2,inf", "expected three numbers"},
                      BadSpec{"NoNumber", "a=c,std=a,b,c", "expected three numbers"},
                      BadSpec{"Exponents", "a=c,exponents=row", "expected tensor or channel"}),
    [](const auto& test) { return test.param.name; });

class DescribeTaskTest : public ::testing::Test {
 protected:
  ~DescribeTaskTest() override { std::remove(labels_.c_str()); }
  absl::StatusOr<TaskInfo> Describe(std::string_view text, size_t classes) {
    return DescribeTask(One(text), test::RandomCheckpoint(test::TinyArch(), classes, 1));
  }
  std::string WithLabels(std::string_view lines) {
    test::WriteBytes(labels_, {reinterpret_cast<const uint8_t*>(lines.data()), lines.size()});
    return labels_;
  }
  const std::string labels_ = test::TempPath("labels.txt");
};

TEST_F(DescribeTaskTest, PresetsBringLabelsMeanAndStd) {
  const auto ten = Describe("cifar10=c,bits=11", 10);
  ASSERT_TRUE(ten.ok()) << ten.status();
  EXPECT_EQ(ten->labels.front(), "airplane");
  EXPECT_EQ(ten->labels.back(), "truck");
  EXPECT_EQ(ten->mean[0], 0.4914f);
  const auto hundred = Describe("fine=c,bits=12,preset=cifar100", 100);
  ASSERT_TRUE(hundred.ok()) << hundred.status();
  EXPECT_EQ(hundred->name, "fine");
  EXPECT_EQ(hundred->labels[99], "worm");
  EXPECT_EQ(hundred->checkpoint, "random.safetensors");
}

TEST_F(DescribeTaskTest, OptionsGoBeforeThePreset) {
  const auto info = Describe("cifar10=c,bits=11,mean=0.1,0.2,0.3", 10);
  ASSERT_TRUE(info.ok());
  EXPECT_THAT(info->mean, ElementsAre(0.1f, 0.2f, 0.3f));
  EXPECT_EQ(info->std[0], 0.2470f);
}

TEST_F(DescribeTaskTest, LabelsComeFromAFile) {
  const auto info =
      Describe("a=c,bits=4,mean=0,0,0,std=1,1,1,labels=" + WithLabels("red\r\ngreen\nblue\n\n"), 3);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_THAT(info->labels, ElementsAre("red", "green", "blue"));
}

TEST_F(DescribeTaskTest, SaysWhatIsMissing) {
  const auto message = [](const absl::StatusOr<TaskInfo>& info) {
    EXPECT_FALSE(info.ok());
    return std::string(info.status().message());
  };
  EXPECT_THAT(message(Describe("a=c,bits=4", 3)), HasSubstr("labels=FILE"));
  const std::string labels = WithLabels("red\ngreen\nblue\n");
  EXPECT_THAT(message(Describe("a=c,bits=4,labels=" + labels, 3)), HasSubstr("mean=R,G,B"));
  EXPECT_THAT(message(Describe("a=c,bits=4,mean=0,0,0,labels=" + labels, 3)),
              HasSubstr("std=R,G,B"));
  EXPECT_THAT(message(Describe("a=c,bits=4,labels=/nowhere/labels.txt", 3)),
              HasSubstr("/nowhere/labels.txt"));
  EXPECT_THAT(message(Describe("cifar10=c,bits=4", 3)),
              HasSubstr("3 outputs, but there are 10 labels"));
  EXPECT_THAT(message(Describe("a=c,bits=4,preset=birds", 3)), HasSubstr("no preset 'birds'"));
  EXPECT_THAT(message(Describe("cifar10=c,bits=4,std=1,0,1", 10)),
              HasSubstr("std must be above zero"));
  EXPECT_THAT(message(Describe("a b=c,bits=4,preset=cifar10", 10)), HasSubstr("letters, digits"));
  EXPECT_THAT(
      message(Describe("a=c,bits=4,mean=0,0,0,std=1,1,1,labels=" + WithLabels("r\xff\ng\nb\n"), 3)),
      HasSubstr("label 0 is not UTF-8"));
}

}  // namespace
}  // namespace bitplex
