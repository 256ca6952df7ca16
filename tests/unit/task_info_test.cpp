#include "model_store/format/task_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

namespace bitplex {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

StoreMetadata Example() {
  TaskInfo info;
  info.name = "birds";
  info.labels = {"wren", "rüppell's \"griffon\"", "line\nbreak"};
  info.mean = {0.4914f, 0.1f, 0.3f};
  info.std = {0.2470f, 0.2f, 0.7f};
  info.bits = 12;
  info.channel_exponents = true;
  info.checkpoint = "b.pt";
  info.checkpoint_sha256 = "00ff";
  info.checkpoint_metadata = {{"top1", "91.2"}};
  StoreMetadata metadata{"resnet18-cifar", "bitplex 0.1.0", {info}};
  info.name = "cats";
  info.channel_exponents = false;
  metadata.tasks.push_back(info);
  return metadata;
}

TEST(Metadata, ComesBackFromItsTextWhole) {
  const std::string text = MetadataToJson(Example());
  const auto back = MetadataFromJson(text);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(MetadataToJson(*back), text);
  EXPECT_EQ(back->tasks[0].labels, Example().tasks[0].labels);
  EXPECT_EQ(back->tasks[0].mean, Example().tasks[0].mean);
  EXPECT_TRUE(back->tasks[0].channel_exponents);
  EXPECT_FALSE(back->tasks[1].channel_exponents);
  EXPECT_EQ(back->tasks[0].checkpoint_metadata.at("top1"), "91.2");
}

TEST(Metadata, ActivationScalesComeBackToTheBitWithHowTheyWereMeasured) {
  StoreMetadata metadata = Example();
  metadata.tasks[0].activation_scales = {0.1f, 1.0f / 3, 1.17549435e-38f, 3.40282347e+38f};
  metadata.tasks[0].calibration = {{"images", "500"}, {"method", "mse"}};
  const auto back = MetadataFromJson(MetadataToJson(metadata));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->tasks[0].activation_scales, metadata.tasks[0].activation_scales);
  EXPECT_EQ(back->tasks[0].calibration, metadata.tasks[0].calibration);
  EXPECT_TRUE(back->tasks[1].activation_scales.empty());
  EXPECT_TRUE(back->tasks[1].calibration.empty());
}

// A NaN has no form in JSON, so it is stopped before it is written.
TEST(CheckTaskInfo, RefusesScalesThatAreNotAboveZeroOrNotFinite) {
  for (const float scale : {0.0f, -1.0f, std::nanf(""), HUGE_VALF}) {
    TaskInfo info = Example().tasks[0];
    info.activation_scales = {1, scale};
    const absl::Status status = CheckTaskInfo(info);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << scale;
    EXPECT_THAT(std::string(status.message()), HasSubstr("activation scales"));
  }
}

TEST(Metadata, WithoutScalesNeitherMemberIsWritten) {
  const Json json = Json::parse(MetadataToJson(Example()));
  EXPECT_FALSE(json["tasks"][0].contains("activation_scales"));
  EXPECT_FALSE(json["tasks"][0].contains("calibration"));
}

TEST(Metadata, IgnoresMembersThatItDoesNotKnow) {
  Json json = Json::parse(MetadataToJson(Example()));
  json["future"] = 1;
  json["tasks"][0]["future"] = {1, 2};
  EXPECT_TRUE(MetadataFromJson(json.dump()).ok());
}

struct BadMetadata {
  const char* name;
  const char* words;
  std::function<void(Json&)> change;
};

class BadMetadatas : public ::testing::TestWithParam<BadMetadata> {};

TEST_P(BadMetadatas, AreRefusedByName) {
  Json json = Json::parse(MetadataToJson(Example()));
  GetParam().change(json);
  const auto metadata = MetadataFromJson(json.dump());
  ASSERT_FALSE(metadata.ok());
  EXPECT_TRUE(absl::IsDataLoss(metadata.status()));
  EXPECT_THAT(std::string(metadata.status().message()), HasSubstr(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadMetadatas,
    ::testing::Values(
        BadMetadata{"NoObject", "no JSON object", [](Json& j) { j = Json::array(); }},
        BadMetadata{"NoArchitecture", "architecture", [](Json& j) { j.erase("architecture"); }},
        BadMetadata{"CreatedByNumber", "created_by", [](Json& j) { j["created_by"] = 1; }},
        BadMetadata{"NoTasks", "no tasks", [](Json& j) { j["tasks"] = Json::array(); }},
        BadMetadata{"TaskNumber", "no object", [](Json& j) { j["tasks"][0] = 1; }},
        BadMetadata{"NoName", "no name", [](Json& j) { j["tasks"][0].erase("name"); }},
        BadMetadata{"SameName", "two tasks", [](Json& j) { j["tasks"][1]["name"] = "birds"; }},
        BadMetadata{"BadName", "letters", [](Json& j) { j["tasks"][0]["name"] = "a/b"; }},
        BadMetadata{"NoLabels", "labels", [](Json& j) { j["tasks"][0]["labels"] = Json::array(); }},
        BadMetadata{"NumberLabel", "labels", [](Json& j) { j["tasks"][0]["labels"][1] = 1; }},
        BadMetadata{"ShortMean", "mean",
                    [](Json& j) {
                      j["tasks"][0]["mean"] = {1, 2};
                    }},
        BadMetadata{"TextMean", "mean", [](Json& j) { j["tasks"][0]["mean"][0] = "1"; }},
        BadMetadata{"HugeMean", "mean", [](Json& j) { j["tasks"][0]["mean"][0] = 1e300; }},
        BadMetadata{"ZeroStd", "std", [](Json& j) { j["tasks"][0]["std"][2] = 0; }},
        BadMetadata{"NegativeStd", "std", [](Json& j) { j["tasks"][0]["std"][2] = -1; }},
        BadMetadata{"ZeroBits", "bits", [](Json& j) { j["tasks"][0]["bits"] = 0; }},
        BadMetadata{"ManyBits", "bits", [](Json& j) { j["tasks"][0]["bits"] = 25; }},
        BadMetadata{"NegativeBits", "bits", [](Json& j) { j["tasks"][0]["bits"] = -3; }},
        BadMetadata{"HugeBits", "bits", [](Json& j) { j["tasks"][0]["bits"] = 1ull << 40; }},
        BadMetadata{"Exponents", "exponents", [](Json& j) { j["tasks"][0]["exponents"] = "row"; }},
        BadMetadata{"NoDigest", "checkpoint_sha256",
                    [](Json& j) { j["tasks"][0].erase("checkpoint_sha256"); }},
        BadMetadata{"MetadataNumber", "checkpoint_metadata",
                    [](Json& j) { j["tasks"][0]["checkpoint_metadata"]["top1"] = 91; }}),
    [](const auto& test) { return test.param.name; });

// The scales of the first task become what JSON text says.
class BadScales : public ::testing::TestWithParam<BadMetadata> {};

TEST_P(BadScales, AreRefusedByName) {
  StoreMetadata good = Example();
  good.tasks[0].activation_scales = {0.5f, 0.25f};
  good.tasks[0].calibration = {{"images", "500"}};
  Json json = Json::parse(MetadataToJson(good));
  ASSERT_TRUE(MetadataFromJson(json.dump()).ok());
  GetParam().change(json["tasks"][0]);
  const auto metadata = MetadataFromJson(json.dump());
  ASSERT_FALSE(metadata.ok());
  EXPECT_TRUE(absl::IsDataLoss(metadata.status())) << metadata.status();
  EXPECT_THAT(std::string(metadata.status().message()),
              ::testing::AllOf(HasSubstr("'birds'"), HasSubstr(GetParam().words)));
}

void SetScale(Json& task, const char* value) { task["activation_scales"][1] = Json::parse(value); }

INSTANTIATE_TEST_SUITE_P(
    All, BadScales,
    ::testing::Values(
        BadMetadata{"Zero", "scales must be", [](Json& task) { SetScale(task, "0"); }},
        BadMetadata{"NegativeZero", "scales must be", [](Json& task) { SetScale(task, "-0.0"); }},
        BadMetadata{"Negative", "scales must be", [](Json& task) { SetScale(task, "-0.1"); }},
        BadMetadata{"TooSmall", "scales must be", [](Json& task) { SetScale(task, "1e-60"); }},
        BadMetadata{"TooLarge", "scales must be", [](Json& task) { SetScale(task, "1e60"); }},
        BadMetadata{"Null", "activation_scales", [](Json& task) { SetScale(task, "null"); }},
        BadMetadata{"Text", "activation_scales", [](Json& task) { SetScale(task, "\"0.1\""); }},
        BadMetadata{"Truth", "activation_scales", [](Json& task) { SetScale(task, "true"); }},
        BadMetadata{"Nested", "activation_scales", [](Json& task) { SetScale(task, "[0.1]"); }},
        BadMetadata{"None", "activation_scales",
                    [](Json& task) { task["activation_scales"] = Json::array(); }},
        BadMetadata{"Number", "activation_scales",
                    [](Json& task) { task["activation_scales"] = 0.5; }},
        BadMetadata{"Object", "activation_scales",
                    [](Json& task) { task["activation_scales"] = Json::object(); }},
        BadMetadata{"ScalesAlone", "calibration", [](Json& task) { task.erase("calibration"); }},
        BadMetadata{"CalibrationAlone", "activation_scales",
                    [](Json& task) { task.erase("activation_scales"); }},
        BadMetadata{"CalibrationText", "calibration",
                    [](Json& task) { task["calibration"] = "500"; }},
        BadMetadata{"CalibrationNumber", "calibration",
                    [](Json& task) { task["calibration"]["images"] = 500; }}),
    [](const auto& test) { return test.param.name; });

TEST(Metadata, RefusesTextThatIsNoJson) {
  for (const std::string& text :
       {std::string(), std::string("{"), std::string(100'000, '['), std::string("\xff\xfe")}) {
    EXPECT_TRUE(absl::IsDataLoss(MetadataFromJson(text).status()));
  }
}

}  // namespace
}  // namespace bitplex
