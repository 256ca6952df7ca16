#include "tests/load/mixed_requests.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "server/executor/predictions.h"
#include "tests/unit/infer_requests.h"

namespace bitplex::load {
namespace {

// The choices of one request: numbers that are as good as random, and its own.
class Choices {
 public:
  explicit Choices(uint64_t number) : state_(number + 1) {}
  size_t Below(size_t bound) {  // SplitMix64.
    uint64_t x = state_ += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return static_cast<size_t>((x ^ x >> 31) % bound);
  }

 private:
  uint64_t state_;
};

struct ClassifyPlan {
  ClassifyPlan(uint64_t number, size_t tasks, size_t pictures) {
    Choices choices(number);
    task = choices.Below(tasks);
    picture = choices.Below(pictures);
    top_k = static_cast<uint32_t>(choices.Below(12));
  }
  size_t task;
  size_t picture;
  uint32_t top_k;
};

bool SameBits(absl::Span<const float> a, const float* b) {
  return std::memcmp(a.data(), b, a.size() * sizeof(float)) == 0;
}

}  // namespace

struct MixedRequests::InferPlan {
  enum Kind { kUint8, kFloat32, kBytes } kind;
  size_t task;
  std::vector<size_t> pictures;
  bool probabilities;
};

MixedRequests::MixedRequests(const Answers& answers, const std::vector<Picture>& pictures)
    : answers_(answers), pictures_(pictures) {
  for (size_t i = 0; i < pictures.size(); ++i) {
    const Picture& picture = pictures[i];
    if (picture.encoded()) {
      encoded_.push_back(i);
    } else if (picture.height == answers.arch().input_height &&
               picture.width == answers.arch().input_width) {
      network_size_.push_back(i);
    }
  }
}

v1::ClassifyRequest MixedRequests::Classify(uint64_t number) const {
  const ClassifyPlan plan(number, answers_.tasks().size(), pictures_.size());
  const Picture& picture = pictures_[plan.picture];
  v1::ClassifyRequest request;
  request.set_id(absl::StrCat(number));
  request.set_task(answers_.tasks()[plan.task].name);
  request.set_top_k(plan.top_k);
  request.set_logits(true);
  if (picture.encoded()) {
    request.mutable_image()->set_encoded(picture.bytes);
  } else {
    v1::RawImage& raw = *request.mutable_image()->mutable_raw();
    raw.set_height(static_cast<uint32_t>(picture.height));
    raw.set_width(static_cast<uint32_t>(picture.width));
    raw.set_rgb(picture.bytes);
  }
  return request;
}

std::string MixedRequests::Check(uint64_t number, const v1::ClassifyResponse& response) const {
  const ClassifyPlan plan(number, answers_.tasks().size(), pictures_.size());
  const TaskInfo& task = answers_.tasks()[plan.task];
  if (response.id() != absl::StrCat(number)) return absl::StrCat("id ", response.id());
  if (response.task() != task.name) return absl::StrCat("task ", response.task());
  const auto right = answers_.Logits(response.store_version(), plan.task, plan.picture);
  if (right.empty()) return absl::StrCat("unknown store_version ", response.store_version());
  if (static_cast<size_t>(response.logits_size()) != right.size() ||
      !SameBits(right, response.logits().data())) {
    return absl::StrCat("logits of picture ", plan.picture, ", task ", task.name);
  }
  const std::vector<RankedClass> ranked = TopK(right, std::max(1u, plan.top_k));
  if (static_cast<size_t>(response.predictions_size()) != ranked.size()) return "top k: number";
  for (size_t i = 0; i < ranked.size(); ++i) {
    const v1::Prediction& prediction = response.predictions(static_cast<int>(i));
    if (prediction.index() != ranked[i].index ||
        prediction.label() != task.labels[ranked[i].index] ||
        prediction.probability() != ranked[i].probability) {
      return absl::StrCat("top k: place ", i);
    }
  }
  return "";
}

MixedRequests::InferPlan MixedRequests::Plan(uint64_t number) const {
  Choices choices(number);
  InferPlan plan;
  plan.kind = static_cast<InferPlan::Kind>(choices.Below(3));
  plan.task = choices.Below(answers_.tasks().size());
  plan.probabilities = choices.Below(2) == 1;
  const std::vector<size_t>& from = plan.kind == InferPlan::kBytes ? encoded_ : network_size_;
  for (size_t count = 1 + choices.Below(4); count > 0; --count) {
    plan.pictures.push_back(from[choices.Below(from.size())]);
  }
  return plan;
}

inference::ModelInferRequest MixedRequests::Infer(uint64_t number) const {
  const InferPlan plan = Plan(number);
  inference::ModelInferRequest request;
  request.set_model_name(answers_.tasks()[plan.task].name);
  request.set_id(absl::StrCat(number));
  std::string data;
  for (const size_t picture : plan.pictures) {
    if (plan.kind == InferPlan::kFloat32) {
      data += test::RawBytes(answers_.Input(plan.task, picture));
    } else if (plan.kind == InferPlan::kBytes) {
      data += test::WithLength(pictures_[picture].bytes);
    } else {
      data += pictures_[picture].bytes;
    }
  }
  request.add_raw_input_contents(std::move(data));
  const auto count = static_cast<int64_t>(plan.pictures.size());
  const auto height = static_cast<int64_t>(answers_.arch().input_height);
  const auto width = static_cast<int64_t>(answers_.arch().input_width);
  if (plan.kind == InferPlan::kBytes) {
    test::AddImage(request, "BYTES", {count});
  } else {
    test::AddImage(request, plan.kind == InferPlan::kUint8 ? "UINT8" : "FP32",
                   {count, height, width, 3});
  }
  test::AddOutput(request, "logits");
  if (plan.probabilities) test::AddOutput(request, "probabilities");
  return request;
}

std::string MixedRequests::Check(uint64_t number,
                                 const inference::ModelInferResponse& response) const {
  const InferPlan plan = Plan(number);
  const TaskInfo& task = answers_.tasks()[plan.task];
  if (response.id() != absl::StrCat(number)) return absl::StrCat("id ", response.id());
  if (response.model_name() != task.name) return absl::StrCat("model ", response.model_name());
  std::string logits;
  std::string probabilities;
  for (const size_t picture : plan.pictures) {
    const auto right = answers_.Logits(response.model_version(), plan.task, picture);
    if (right.empty()) return absl::StrCat("unknown model_version ", response.model_version());
    logits += test::RawBytes(std::vector<float>(right.begin(), right.end()));
    std::vector<float> shares(right.size());
    for (const RankedClass& ranked : TopK(right, right.size()))
      shares[ranked.index] = ranked.probability;
    probabilities += test::RawBytes(shares);
  }
  if (response.raw_output_contents_size() != (plan.probabilities ? 2 : 1)) return "outputs: number";
  if (response.raw_output_contents(0) != logits) return absl::StrCat("logits, task ", task.name);
  if (plan.probabilities && response.raw_output_contents(1) != probabilities)
    return absl::StrCat("probabilities, task ", task.name);
  return "";
}

}  // namespace bitplex::load
