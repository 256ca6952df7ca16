#include "tests/load/answers.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "model_store/format/fused_store.h"
#include "server/image/normalize.h"
#include "tests/service/serving_fixture.h"

namespace bitplex::load {

Answers::Answers(const std::vector<std::string>& stores, const std::vector<Picture>& pictures) {
  for (const std::string& path : stores) {
    const auto store = FusedStore::Open(path);
    if (!store.ok()) {
      std::fprintf(stderr, "%s\n", store.status().ToString().c_str());
      std::abort();
    }
    arch_ = &(*store)->arch();
    tasks_ = (*store)->tasks();
    versions_.push_back((*store)->id());
    logits_.emplace_back(tasks_.size());
    for (size_t task = 0; task < tasks_.size(); ++task) {
      for (const Picture& picture : pictures) {
        logits_.back()[task].push_back(
            test::OfflineLogits(path, tasks_[task].name, Reading::kMask, picture.Resized(*arch_)));
      }
    }
  }
  for (const TaskInfo& task : tasks_) {
    inputs_.emplace_back();
    for (const Picture& picture : pictures) {
      const std::vector<uint8_t> rgb = picture.Resized(*arch_);
      inputs_.back().emplace_back(rgb.size());
      NormalizeRgb8(rgb, task.mean, task.std, absl::MakeSpan(inputs_.back().back()));
    }
  }
}

size_t Answers::FindVersion(std::string_view version) const {
  return static_cast<size_t>(std::find(versions_.begin(), versions_.end(), version) -
                             versions_.begin());
}

absl::Span<const float> Answers::Logits(std::string_view version, size_t task,
                                        size_t picture) const {
  const size_t index = FindVersion(version);
  if (index == versions_.size()) return {};
  return logits_[index][task][picture];
}

}  // namespace bitplex::load
