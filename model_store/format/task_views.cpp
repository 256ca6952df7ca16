#include "model_store/format/task_views.h"

#include <cmath>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model_store/codec/block_float.h"
#include "model_store/format/container.h"

namespace bitplex::format {
namespace {

using Shape = std::vector<size_t>;

absl::Status Wrong(const std::string& what) {
  return absl::DataLossError(absl::StrCat(what, "; make the store again with `bitplex fuse`"));
}

// Gives out each record once, after checking its shape and size.
class Shelf {
 public:
  Shelf(absl::Span<const uint8_t> file) : file_(file) {}

  absl::Status Fill(absl::Span<const Record> records) {
    for (const Record& record : records) {
      if (!records_.emplace(Key{record.name, record.kind, record.task}, &record).second) {
        return Wrong(absl::StrCat(Describe(record), " is there twice"));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<const Record*> Take(const std::string& name, Kind kind, uint32_t task,
                                     const Shape& shape, uint64_t bytes) {
    const auto found = records_.find(Key{name, kind, task});
    if (found == records_.end()) {
      Record missing{};
      name.copy(missing.name, sizeof(missing.name) - 1);
      missing.kind = kind;
      missing.task = task;
      return Wrong(absl::StrCat(Describe(missing), ": missing"));
    }
    const Record& record = *found->second;
    const Shape is(record.dims, record.dims + record.rank);
    if (is != shape || record.bytes != bytes) {
      return Wrong(absl::StrCat(Describe(record), ": shape (", absl::StrJoin(is, ", "), ") and ",
                                record.bytes, " bytes, expected (", absl::StrJoin(shape, ", "),
                                ") and ", bytes));
    }
    records_.erase(found);
    return &record;
  }

  absl::Status CheckEmpty() const {
    if (records_.empty()) return absl::OkStatus();
    return Wrong(
        absl::StrCat(Describe(*records_.begin()->second), ": the architecture has no such tensor"));
  }

  const uint8_t* Data(const Record& record) const { return file_.data() + record.offset; }

 private:
  using Key = std::tuple<std::string, Kind, uint32_t>;

  absl::Span<const uint8_t> file_;
  std::map<Key, const Record*> records_;
};

// One task's tensors, taken off the shelf in the architecture's order.
class TaskReader {
 public:
  TaskReader(Shelf& shelf, const TaskInfo& info, uint32_t task)
      : shelf_(shelf), info_(info), task_(task) {}

  absl::StatusOr<TaskView::Conv> Conv(const ConvLayer& layer, const Record& words) {
    const std::string name = layer.name + ".weight";
    const size_t count = layer.weight_count();
    const Shape shape = {layer.out_channels, layer.kernel, layer.kernel, layer.in_channels};
    const auto signs = shelf_.Take(name, Kind::kSigns, task_, shape, PackedBytes(count, 1));
    if (!signs.ok()) return signs.status();
    const uint32_t shift = (*signs)->field_shift;
    const uint32_t bits = (*signs)->field_bits;
    if (bits < 1 || bits > kMaxFieldBits || shift > words.word_bits ||
        bits > words.word_bits - shift) {
      return Wrong(absl::StrCat(Describe(**signs), ": a field of ", bits, " bits from bit ", shift,
                                " does not lie in words of ", words.word_bits, " bits"));
    }
    const size_t exponent_count = info_.channel_exponents ? layer.out_channels : 1;
    const auto exponents = shelf_.Take(name, Kind::kExponents, task_, {exponent_count},
                                       exponent_count * sizeof(int16_t));
    if (!exponents.ok()) return exponents.status();
    const auto* values = reinterpret_cast<const int16_t*>(shelf_.Data(**exponents));
    for (size_t i = 0; i < exponent_count; ++i) {
      if (values[i] < kMinExponent || values[i] > kMaxExponent) {
        return Wrong(absl::StrCat(Describe(**exponents), ": exponent ", i, " is ", values[i],
                                  ", not ", kMinExponent, " to ", kMaxExponent));
      }
    }
    bytes_ += (*signs)->bytes + (*exponents)->bytes + PackedBytes(count, bits);
    return TaskView::Conv{{.words = shelf_.Data(words),
                           .signs = shelf_.Data(**signs),
                           .count = count,
                           .word_bits = words.word_bits,
                           .shift = shift,
                           .bits = bits},
                          {values, exponent_count}};
  }

  absl::StatusOr<absl::Span<const float>> Floats(const std::string& name, const Shape& shape) {
    size_t count = 1;
    for (const size_t dim : shape) count *= dim;
    const auto record = shelf_.Take(name, Kind::kFloat32, task_, shape, count * sizeof(float));
    if (!record.ok()) return record.status();
    const absl::Span<const float> values(reinterpret_cast<const float*>(shelf_.Data(**record)),
                                         count);
    for (size_t i = 0; i < count; ++i) {
      if (!std::isfinite(values[i]))
        return Wrong(absl::StrCat(Describe(**record), ": value ", i, " is not finite"));
    }
    bytes_ += (*record)->bytes;
    return values;
  }

  uint64_t bytes() const { return bytes_; }

 private:
  Shelf& shelf_;
  const TaskInfo& info_;
  const uint32_t task_;
  uint64_t bytes_ = 0;
};

absl::StatusOr<BatchNormParams> ReadBatchNorm(TaskReader& reader, const ConvLayer& layer) {
  BatchNormParams params;
  for (const auto& [suffix, member] :
       {std::pair{".weight", &BatchNormParams::weight}, std::pair{".bias", &BatchNormParams::bias},
        std::pair{".running_mean", &BatchNormParams::running_mean},
        std::pair{".running_var", &BatchNormParams::running_var}}) {
    const auto values = reader.Floats(layer.batch_norm + suffix, {layer.out_channels});
    if (!values.ok()) return values.status();
    params.*member = *values;
  }
  return params;
}

absl::StatusOr<IndexedTask> IndexTask(const Architecture& arch, const TaskInfo& info, uint32_t task,
                                      absl::Span<const Record* const> words, Shelf& shelf) {
  const size_t scales = info.activation_scales.size();
  if (scales != 0 && scales != arch.convs.size() + 1) {
    return Wrong(absl::StrCat("metadata: task '", info.name, "' has ", scales,
                              " activation scales; ", arch.name, " has ", arch.convs.size() + 1));
  }
  TaskReader reader(shelf, info, task);
  std::vector<TaskView::Conv> convs;
  std::vector<BatchNormParams> batch_norms;
  for (size_t c = 0; c < arch.convs.size(); ++c) {
    const auto conv = reader.Conv(arch.convs[c], *words[c]);
    if (!conv.ok()) return conv.status();
    convs.push_back(*conv);
    const auto batch_norm = ReadBatchNorm(reader, arch.convs[c]);
    if (!batch_norm.ok()) return batch_norm.status();
    batch_norms.push_back(*batch_norm);
  }
  const size_t classes = info.labels.size();
  const auto weight = reader.Floats("fc.weight", {classes, arch.features});
  if (!weight.ok()) return weight.status();
  const auto bias = reader.Floats("fc.bias", {classes});
  if (!bias.ok()) return bias.status();
  TaskView view(arch, std::move(convs),
                {std::move(batch_norms), {*weight, *bias}, info.activation_scales});
  return IndexedTask{std::move(view), reader.bytes()};
}

}  // namespace

absl::StatusOr<std::vector<IndexedTask>> IndexTasks(const Architecture& arch,
                                                    const StoreMetadata& metadata,
                                                    absl::Span<const Record> records,
                                                    absl::Span<const uint8_t> file) {
  Shelf shelf(file);
  if (absl::Status status = shelf.Fill(records); !status.ok()) return status;
  std::vector<const Record*> words;
  for (const ConvLayer& layer : arch.convs) {
    const std::string name = layer.name + ".weight";
    unsigned word_bits = 0;
    for (const Record& record : records) {
      if (record.kind == Kind::kWords && name == record.name) word_bits = record.word_bits;
    }
    if (word_bits > kMaxWordBits) {
      return Wrong(
          absl::StrCat("words, ", name, ": ", word_bits, " bits a word; at most ", kMaxWordBits));
    }
    const auto record =
        shelf.Take(name, Kind::kWords, kAllTasks,
                   {layer.out_channels, layer.kernel, layer.kernel, layer.in_channels},
                   PackedBytes(layer.weight_count(), word_bits));
    if (!record.ok()) return record.status();
    words.push_back(*record);
  }
  std::vector<IndexedTask> tasks;
  for (uint32_t task = 0; task < metadata.tasks.size(); ++task) {
    absl::StatusOr<IndexedTask> indexed = IndexTask(arch, metadata.tasks[task], task, words, shelf);
    if (!indexed.ok()) return indexed.status();
    tasks.push_back(*std::move(indexed));
  }
  if (absl::Status status = shelf.CheckEmpty(); !status.ok()) return status;
  return tasks;
}

}  // namespace bitplex::format
