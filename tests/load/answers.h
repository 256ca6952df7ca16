// The right answer to every picture of a load, from every store and task, computed beforehand: by
// the executor alone, one picture at a time, from whole materialised weights.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "model_store/format/task_info.h"
#include "tests/load/pictures.h"

namespace bitplex::load {

// Immutable; any number of threads may use it.
class Answers {
 public:
  // All of `stores` have the same tasks but for their weights.
  Answers(const std::vector<std::string>& stores, const std::vector<Picture>& pictures);

  const Architecture& arch() const { return *arch_; }
  const std::vector<TaskInfo>& tasks() const { return tasks_; }
  // As answers name the stores, in the order given.
  const std::vector<std::string>& versions() const { return versions_; }
  // versions().size() when it is none of them.
  size_t FindVersion(std::string_view version) const;
  // Raw outputs. Empty for a version that is none.
  absl::Span<const float> Logits(std::string_view version, size_t task, size_t picture) const;
  // What the network takes: the picture resized and normalised for `task`.
  const std::vector<float>& Input(size_t task, size_t picture) const {
    return inputs_[task][picture];
  }

 private:
  const Architecture* arch_ = nullptr;
  std::vector<TaskInfo> tasks_;
  std::vector<std::string> versions_;
  std::vector<std::vector<std::vector<float>>> inputs_;               // By task, picture.
  std::vector<std::vector<std::vector<std::vector<float>>>> logits_;  // By version, task, picture.
};

}  // namespace bitplex::load
