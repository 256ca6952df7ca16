#include "model_store/fuse/fuse.h"

#include <cstring>
#include <set>

#include "absl/strings/str_cat.h"
#include "model_store/arch/layout.h"
#include "model_store/codec/block_float.h"
#include "model_store/codec/field.h"

namespace bitplex {
namespace {

using format::Kind;

template <typename T>
std::vector<uint8_t> Bytes(const std::vector<T>& values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

absl::Status CheckTasks(const std::vector<FuseTask>& tasks) {
  if (tasks.empty() || tasks.size() > format::kMaxTasks) {
    return absl::InvalidArgumentError(
        absl::StrCat(tasks.size(), " tasks: a store holds 1 to ", format::kMaxTasks));
  }
  std::set<std::string> names;
  unsigned sum = 0;
  for (const FuseTask& task : tasks) {
    if (absl::Status status = CheckTaskInfo(task.info); !status.ok()) return status;
    if (!names.insert(task.info.name).second) {
      return absl::InvalidArgumentError(absl::StrCat("two tasks are named '", task.info.name, "'"));
    }
    sum += task.info.bits;
  }
  if (sum > kMaxWordBits) {
    return absl::InvalidArgumentError(
        absl::StrCat("the tasks' bits add up to ", sum, ", but a word has at most ", kMaxWordBits,
                     ": give fewer bits to some, or make two stores"));
  }
  return absl::OkStatus();
}

// One convolution of all tasks: the words, then each task's signs and exponents.
void FuseConv(const ConvLayer& layer, const std::vector<FuseTask>& tasks,
              std::vector<StoreSection>& sections) {
  const std::string name = layer.name + ".weight";
  const size_t count = layer.weight_count();
  const std::vector<size_t> dims = {layer.out_channels, layer.kernel, layer.kernel,
                                    layer.in_channels};
  unsigned word_bits = 0;
  for (const FuseTask& task : tasks) word_bits += task.info.bits;

  StoreSection words{MakeRecord(name, Kind::kWords, format::kAllTasks, dims),
                     std::vector<uint8_t>(PackedBytes(count, word_bits))};
  words.record.word_bits = word_bits;
  std::vector<StoreSection> own;
  unsigned shift = word_bits;
  std::vector<float> values(count);
  for (uint32_t t = 0; t < tasks.size(); ++t) {
    const TaskInfo& info = tasks[t].info;
    shift -= info.bits;
    OihwToOhwi(layer, tasks[t].checkpoint.tensors.at(name).values.data(), values.data());
    const size_t blocks = info.channel_exponents ? layer.out_channels : 1;
    std::vector<int16_t> exponents;
    for (size_t b = 0; b < blocks; ++b) {
      const size_t run = count / blocks;
      exponents.push_back(
          static_cast<int16_t>(SharedExponent(absl::MakeSpan(values).subspan(b * run, run))));
    }
    StoreSection signs{MakeRecord(name, Kind::kSigns, t, dims),
                       std::vector<uint8_t>(PackedBytes(count, 1))};
    signs.record.field_shift = shift;
    signs.record.field_bits = info.bits;
    PackField(values, exponents, info.bits, shift, word_bits, words.data, signs.data);
    own.push_back(std::move(signs));
    own.push_back({MakeRecord(name, Kind::kExponents, t, {blocks}), Bytes(exponents)});
  }
  sections.push_back(std::move(words));
  std::move(own.begin(), own.end(), std::back_inserter(sections));
}

}  // namespace

absl::StatusOr<std::vector<StoreSection>> FuseSections(const Architecture& arch,
                                                       const std::vector<FuseTask>& tasks) {
  if (absl::Status status = CheckTasks(tasks); !status.ok()) return status;
  std::vector<StoreSection> sections;
  std::set<std::string> fused;
  for (const ConvLayer& layer : arch.convs) {
    FuseConv(layer, tasks, sections);
    fused.insert(layer.name + ".weight");
  }
  // Batch norms and classifiers belong to one task each and stay in float32.
  for (uint32_t t = 0; t < tasks.size(); ++t) {
    for (const auto& [name, tensor] : tasks[t].checkpoint.tensors) {
      if (fused.contains(name)) continue;
      const std::vector<size_t> dims(tensor.shape.begin(), tensor.shape.end());
      sections.push_back({MakeRecord(name, Kind::kFloat32, t, dims), Bytes(tensor.values)});
    }
  }
  return sections;
}

absl::Status FuseToFile(const Architecture& arch, const std::vector<FuseTask>& tasks,
                        const std::string& path) {
  absl::StatusOr<std::vector<StoreSection>> sections = FuseSections(arch, tasks);
  if (!sections.ok()) return sections.status();
  StoreMetadata metadata{arch.name, absl::StrCat("bitplex ", BITPLEX_VERSION), {}};
  for (const FuseTask& task : tasks) metadata.tasks.push_back(task.info);
  return WriteStore(path, metadata, *std::move(sections));
}

}  // namespace bitplex
