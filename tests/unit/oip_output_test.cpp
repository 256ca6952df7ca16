// What a ModelInfer request asks for, and the answer's bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "server/executor/predictions.h"
#include "server/service/oip/infer_response.h"
#include "server/service/oip/model_metadata.h"
#include "server/service/oip/wanted_outputs.h"
#include "tests/unit/infer_requests.h"

namespace bitplex::oip {
namespace {

using test::AddClasses;
using test::AddOutput;
using test::InferRequest;
using test::RawBytes;
using test::WithLength;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(WantedOutputs, WithoutAnyItIsTheLogits) {
  const auto outputs = ReadWantedOutputs({});
  ASSERT_TRUE(outputs.ok());
  ASSERT_EQ(outputs->size(), 1u);
  EXPECT_EQ((*outputs)[0].tensor, OutputTensor::kLogits);
  EXPECT_EQ((*outputs)[0].classes, 0u);
}

TEST(WantedOutputs, InTheOrderOfTheRequest) {
  InferRequest request;
  AddClasses(request, "probabilities", 5);
  (*AddOutput(request, "logits").mutable_parameters())["binary_data"].set_bool_param(true);
  const auto outputs = ReadWantedOutputs(request);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  ASSERT_EQ(outputs->size(), 2u);
  EXPECT_EQ((*outputs)[0].tensor, OutputTensor::kProbabilities);
  EXPECT_EQ((*outputs)[0].classes, 5u);
  EXPECT_EQ((*outputs)[1].tensor, OutputTensor::kLogits);
  EXPECT_EQ((*outputs)[1].classes, 0u);
}

struct Wrong {
  const char* name;
  std::vector<std::string> words;
  std::function<void(InferRequest&)> spoil;
};

class WrongOutputs : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongOutputs, AreRefusedByName) {
  InferRequest request;
  GetParam().spoil(request);
  const auto outputs = ReadWantedOutputs(request);
  EXPECT_EQ(outputs.status().code(), absl::StatusCode::kInvalidArgument);
  for (const std::string& words : GetParam().words) {
    EXPECT_THAT(std::string(outputs.status().message()), HasSubstr(words));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongOutputs,
    ::testing::Values(
        Wrong{"Unknown",
              {"'softmax'", "'logits'", "'probabilities'"},
              [](auto& r) { AddOutput(r, "softmax"); }},
        Wrong{"NoName", {"''"}, [](auto& r) { AddOutput(r, ""); }},
        Wrong{"Twice",
              {"'logits'", "twice"},
              [](auto& r) { AddOutput(r, "logits"), AddClasses(r, "logits", 1); }},
        Wrong{"SharedMemory",
              {"shared memory"},
              [](auto& r) {
                (*AddOutput(r, "logits").mutable_parameters())["shared_memory_region"];
              }},
        Wrong{"NoClasses",
              {"'logits'", "'classification' is 0", "1 or more"},
              [](auto& r) { AddClasses(r, "logits", 0); }},
        Wrong{"NegativeClasses", {"-3"}, [](auto& r) { AddClasses(r, "logits", -3); }},
        Wrong{"ClassesAsText",
              {"another type"},
              [](auto& r) {
                (*AddOutput(r, "logits").mutable_parameters())["classification"].set_string_param(
                    "3");
              }}),
    [](const auto& test) { return test.param.name; });

Servable ThreeClasses() {
  Servable task{};
  task.info.name = "pets";
  task.info.labels = {"cat", "dog", "a:b"};
  task.version = "0123456789abcdef";
  return task;
}

const std::vector<float> kLogits = {0.5f, -1, 2, 3, 1, 1};  // 2 x 3.

inference::ModelInferResponse Fill(const std::vector<WantedOutput>& outputs) {
  inference::ModelInferResponse response;
  FillInferResponse(ThreeClasses(), "an id", outputs, kLogits, 2, response);
  return response;
}

TEST(Response, LogitsAreTheBytesOfTheFloats) {
  const auto response = Fill({{}});
  EXPECT_EQ(response.model_name(), "pets");
  EXPECT_EQ(response.model_version(), "0123456789abcdef");
  EXPECT_EQ(response.id(), "an id");
  ASSERT_EQ(response.outputs_size(), 1);
  EXPECT_EQ(response.outputs(0).name(), "logits");
  EXPECT_EQ(response.outputs(0).datatype(), "FP32");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(2, 3));
  EXPECT_FALSE(response.outputs(0).has_contents());
  EXPECT_THAT(response.raw_output_contents(), ElementsAre(RawBytes(kLogits)));
}

TEST(Response, ProbabilitiesAreThoseOfClassify) {
  const auto response = Fill({{OutputTensor::kProbabilities, 0}});
  std::vector<float> expected(6);
  for (size_t image = 0; image < 2; ++image) {
    for (const RankedClass& ranked : TopK(absl::MakeSpan(kLogits).subspan(image * 3, 3), 3)) {
      expected[image * 3 + ranked.index] = ranked.probability;
    }
  }
  EXPECT_EQ(response.outputs(0).name(), "probabilities");
  EXPECT_THAT(response.raw_output_contents(), ElementsAre(RawBytes(expected)));
}

TEST(Response, ClassesAreNamedBestFirst) {
  const auto response = Fill({{OutputTensor::kLogits, 2}});
  EXPECT_EQ(response.outputs(0).datatype(), "BYTES");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(2, 2));
  EXPECT_THAT(response.raw_output_contents(),
              ElementsAre(WithLength("2.000000:2:a:b") + WithLength("0.500000:0:cat") +
                          WithLength("3.000000:0:cat") + WithLength("1.000000:1:dog")));
}

TEST(Response, MoreClassesThanThereAreMeansAll) {
  const auto response = Fill({{OutputTensor::kProbabilities, SIZE_MAX}});
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(2, 3));
  EXPECT_THAT(response.raw_output_contents(0), HasSubstr("0.785597:2:a:b"));
}

TEST(Model, IsFoundByItsVersionOrByNone) {
  ServableSet set;
  set.tasks.push_back(ThreeClasses());
  for (const char* version : {"", "1", "0123456789abcdef"}) {
    const auto found = FindModel(set, "pets", version);
    ASSERT_TRUE(found.ok()) << version;
    EXPECT_EQ(*found, 0u);
  }
  for (const char* version : {"2", "0", "0123456789abcde", "0123456789ABCDEF"}) {
    const auto found = FindModel(set, "pets", version);
    EXPECT_EQ(found.status().code(), absl::StatusCode::kNotFound) << version;
    EXPECT_THAT(std::string(found.status().message()), HasSubstr("0123456789abcdef"));
  }
  EXPECT_EQ(FindModel(set, "birds", "").status().code(), absl::StatusCode::kNotFound);
}

TEST(Model, Metadata) {
  inference::ModelMetadataResponse response;
  FillModelMetadata(ThreeClasses(), response);
  EXPECT_EQ(response.name(), "pets");
  EXPECT_EQ(response.platform(), "bitplex");
  EXPECT_THAT(response.versions(), ElementsAre("0123456789abcdef"));
  ASSERT_EQ(response.inputs_size(), 1);
  EXPECT_EQ(response.inputs(0).name(), "image");
  EXPECT_THAT(response.inputs(0).shape(), ElementsAre(-1, -1, -1, 3));
  ASSERT_EQ(response.outputs_size(), 2);
  EXPECT_EQ(response.outputs(1).name(), "probabilities");
  EXPECT_EQ(response.outputs(1).datatype(), "FP32");
  EXPECT_THAT(response.outputs(1).shape(), ElementsAre(-1, 3));
}

}  // namespace
}  // namespace bitplex::oip
