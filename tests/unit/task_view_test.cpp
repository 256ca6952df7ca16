// Both readings of a task against FORMAT.md's formulas, evaluated directly.
#include "model_store/view/task_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "model_store/codec/block_float.h"
#include "model_store/format/fused_store.h"
#include "model_store/view/narrow.h"
#include "model_store/view/plain_weights.h"
#include "tests/unit/tiny_network.h"

namespace bitplex {
namespace {

using test::RandomCheckpoint;
using test::RandomTask;
using test::TinyArch;

// The words, signs and exponents of one convolution as they lie in the store, found by name.
class StoredConv {
 public:
  StoredConv(const FusedStore& store, const ConvLayer& layer, uint32_t task) : layer_(layer) {
    for (const format::Record& record : store.records()) {
      if (record.name != layer.name + ".weight") continue;
      const uint8_t* const data = store.mapping().data() + record.offset;
      if (record.kind == format::Kind::kWords) {
        words_ = data;
        word_bits_ = record.word_bits;
      } else if (record.task == task && record.kind == format::Kind::kSigns) {
        signs_ = data;
        shift_ = record.field_shift;
        bits_ = record.field_bits;
      } else if (record.task == task && record.kind == format::Kind::kExponents) {
        exponents_ = reinterpret_cast<const int16_t*>(data);
        exponent_count_ = record.dims[0];
      }
    }
  }

  // The value of weight i, as the table in FORMAT.md has it.
  float Value(size_t i, Reading reading) const {
    uint64_t word = 0;
    for (size_t b = 0; b < word_bits_; ++b) {
      const size_t bit = i * word_bits_ + b;
      word |= static_cast<uint64_t>((words_[bit / 8] >> (bit % 8)) & 1) << b;
    }
    const size_t block = exponent_count_ == 1 ? 0 : i / layer_.row_count();
    const int e = exponents_[block];
    const unsigned s = shift_;
    const unsigned n = bits_;
    double magnitude = 0;
    if (reading == Reading::kMask) {
      magnitude = std::ldexp(static_cast<double>((word >> s) & Ones(n)), e - static_cast<int>(n));
    } else {
      const unsigned m = std::min(24u, s + n);
      const uint64_t q = (word & Ones(s + n)) >> (s + n - m);
      magnitude = std::ldexp(static_cast<double>(q), e - static_cast<int>(m));
    }
    const bool negative = (signs_[i / 8] >> (i % 8)) & 1;
    return static_cast<float>(negative ? -magnitude : magnitude);
  }

  unsigned shift() const { return shift_; }

 private:
  static uint64_t Ones(unsigned count) { return count >= 64 ? ~0ull : (1ull << count) - 1; }

  const ConvLayer& layer_;
  const uint8_t* words_ = nullptr;
  const uint8_t* signs_ = nullptr;
  const int16_t* exponents_ = nullptr;
  size_t exponent_count_ = 0;
  unsigned word_bits_ = 0;
  unsigned shift_ = 0;
  unsigned bits_ = 0;
};

std::shared_ptr<const FusedStore> MakeStore(const std::vector<FuseTask>& tasks) {
  const std::string path = test::TempPath("task_view.bpx");
  EXPECT_EQ(FuseToFile(TinyArch(), tasks, path), absl::OkStatus());
  auto store = FusedStore::Open(path);
  EXPECT_TRUE(store.ok()) << store.status();
  std::filesystem::remove(path);  // The mapping stays.
  return *std::move(store);
}

std::vector<float> Decode(const TaskView& view, size_t conv) {
  std::vector<float> values(view.arch().convs[conv].weight_count());
  view.DecodeFloat32(conv, 0, view.arch().convs[conv].out_channels, values.data());
  return values;
}

std::vector<uint32_t> Patterns(absl::Span<const float> values) {
  std::vector<uint32_t> patterns;
  for (const float value : values) patterns.push_back(std::bit_cast<uint32_t>(value));
  return patterns;
}

struct StoreCase {
  const char* name;
  std::vector<unsigned> widths;
  bool channel_exponents = false;
};

class TaskViewTest : public testing::TestWithParam<StoreCase> {
 protected:
  void SetUp() override {
    std::vector<FuseTask> tasks;
    for (size_t t = 0; t < GetParam().widths.size(); ++t) {
      tasks.push_back(RandomTask(TinyArch(), {.name = absl::StrCat("task", t),
                                              .bits = GetParam().widths[t],
                                              .classes = 2,
                                              .channel_exponents = GetParam().channel_exponents,
                                              .seed = static_cast<uint32_t>(t + 1)}));
    }
    store_ = MakeStore(tasks);
  }

  // Calls `check` for each task in both readings.
  template <typename Check>
  void ForEachView(const Check& check) {
    for (uint32_t task = 0; task < store_->tasks().size(); ++task) {
      for (const Reading reading : {Reading::kMask, Reading::kDither}) {
        SCOPED_TRACE(absl::StrCat("task ", task, reading == Reading::kMask ? " mask" : " dither"));
        check(task, reading, store_->View(task, reading));
        if (HasFatalFailure()) return;
      }
    }
  }

  std::shared_ptr<const FusedStore> store_;
};

TEST_P(TaskViewTest, EveryWeightIsTheFormulas) {
  ForEachView([&](uint32_t task, Reading reading, const TaskView& view) {
    for (size_t c = 0; c < TinyArch().convs.size(); ++c) {
      const StoredConv stored(*store_, TinyArch().convs[c], task);
      const std::vector<float> values = Decode(view, c);
      size_t wrong = 0;
      for (size_t i = 0; i < values.size(); ++i) {
        wrong +=
            std::bit_cast<uint32_t>(values[i]) != std::bit_cast<uint32_t>(stored.Value(i, reading));
      }
      ASSERT_EQ(wrong, 0u) << "of " << values.size() << " in " << TinyArch().convs[c].name;
    }
  });
}

// Up to 24 bits in all, a dithered value is the word's upper part as it stands: the field's own
// value plus what the bits below are worth, which is less than one unit of it.
TEST_P(TaskViewTest, DitherAddsLessThanOneUnit) {
  for (uint32_t task = 0; task < store_->tasks().size(); ++task) {
    const StoredConv stored(*store_, TinyArch().convs[0], task);
    const std::vector<float> mask = Decode(store_->View(task, Reading::kMask), 0);
    const std::vector<float> dither = Decode(store_->View(task, Reading::kDither), 0);
    bool differs = false;
    for (size_t i = 0; i < mask.size(); ++i) {
      ASSERT_GE(std::fabs(dither[i]), std::fabs(mask[i]));
      ASSERT_EQ(std::signbit(dither[i]), std::signbit(mask[i]));
      differs |= dither[i] != mask[i];
    }
    // The lowest task has no bits below, and a full mantissa has no room for any.
    EXPECT_EQ(differs, stored.shift() > 0 && GetParam().widths[task] < kMaxFieldBits) << task;
  }
}

TEST_P(TaskViewTest, PiecesEqualTheWhole) {
  ForEachView([&](uint32_t, Reading, const TaskView& view) {
    for (size_t c = 0; c < TinyArch().convs.size(); ++c) {
      const ConvLayer& layer = TinyArch().convs[c];
      const std::vector<float> whole = Decode(view, c);
      for (const size_t piece : {size_t{1}, size_t{3}, layer.out_channels - 1}) {
        std::vector<float> joined;
        for (size_t first = 0; first < layer.out_channels; first += piece) {
          const size_t count = std::min(piece, layer.out_channels - first);
          std::vector<float> part(count * layer.row_count());
          view.DecodeFloat32(c, first, count, part.data());
          joined.insert(joined.end(), part.begin(), part.end());
        }
        ASSERT_EQ(Patterns(joined), Patterns(whole)) << layer.name << " by " << piece;
      }
    }
  });
}

// Exact to 8 mantissa bits, to nearest beyond.
TEST_P(TaskViewTest, Bfloat16IsTheNearestToFloat32) {
  ForEachView([&](uint32_t, Reading, const TaskView& view) {
    for (size_t c = 0; c < TinyArch().convs.size(); ++c) {
      const std::vector<float> values = Decode(view, c);
      std::vector<uint16_t> narrow(values.size());
      view.DecodeBfloat16(c, 0, TinyArch().convs[c].out_channels, narrow.data());
      for (size_t i = 0; i < values.size(); ++i) {
        ASSERT_EQ(narrow[i], RoundToBfloat16(values[i])) << i;
        const float back = std::bit_cast<float>(uint32_t{narrow[i]} << 16);
        if (view.mantissa_bits() <= 8) {
          ASSERT_EQ(back, values[i]) << i;
        }
        ASSERT_LE(std::fabs(back - values[i]), std::fabs(values[i]) * 0x1p-8f) << i;
      }
    }
  });
}

// Exact to 7 mantissa bits; beyond, within half a unit of the channel's largest weight.
TEST_P(TaskViewTest, Int8TimesItsScaleIsTheWeight) {
  ForEachView([&](uint32_t, Reading, const TaskView& view) {
    for (size_t c = 0; c < TinyArch().convs.size(); ++c) {
      const ConvLayer& layer = TinyArch().convs[c];
      const std::vector<float> values = Decode(view, c);
      std::vector<int8_t> narrow(values.size());
      view.DecodeInt8(c, 0, layer.out_channels, narrow.data());
      std::vector<float> scales;
      for (size_t o = 0; o < layer.out_channels; ++o) scales.push_back(view.Int8Scale(c, o));
      for (size_t i = 0; i < values.size(); ++i) {
        const float scale = scales[i / layer.row_count()];
        const float allowed = view.mantissa_bits() <= 7 ? 0.0f : 0.501f * scale;
        ASSERT_LE(std::fabs(static_cast<float>(narrow[i]) * scale - values[i]), allowed) << i;
      }
    }
  });
}

TEST_P(TaskViewTest, MantissaBitsAreThoseOfTheReading) {
  ForEachView([&](uint32_t task, Reading reading, const TaskView& view) {
    const StoredConv stored(*store_, TinyArch().convs[0], task);
    const unsigned own = GetParam().widths[task];
    EXPECT_EQ(view.mantissa_bits(),
              reading == Reading::kMask ? own : std::min(own + stored.shift(), 24u));
  });
}

INSTANTIATE_TEST_SUITE_P(
    Stores, TaskViewTest,
    testing::Values(StoreCase{"ThePapers", {12, 11}}, StoreCase{"SumIs24", {12, 12}},
                    StoreCase{"SumIs25", {12, 13}}, StoreCase{"FullMantissas", {24, 24}},
                    StoreCase{"Three", {9, 4, 7}}, StoreCase{"SumIs64", {24, 24, 16}},
                    StoreCase{"ThirtyTwoTasks", std::vector<unsigned>(32, 2)},
                    StoreCase{"ChannelExponents", {12, 11}, true}),
    [](const auto& suite) { return std::string(suite.param.name); });

TEST(PlainWeightsTest, ACheckpointsValuesInOhwiOrder) {
  const Checkpoint checkpoint = RandomCheckpoint(TinyArch(), 5, 11);
  const auto weights = PlainWeights::FromCheckpoint(checkpoint, TinyArch());
  ASSERT_TRUE(weights.ok()) << weights.status();
  const WeightSource* const source = weights->get();
  for (size_t c = 0; c < TinyArch().convs.size(); ++c) {
    const ConvLayer& layer = TinyArch().convs[c];
    const std::vector<float>& oihw = checkpoint.tensors.at(layer.name + ".weight").values;
    std::vector<float> ohwi(oihw.size());
    source->DecodeFloat32(c, 0, layer.out_channels, ohwi.data());
    EXPECT_EQ(absl::MakeSpan(source->Float32InMemory(c), ohwi.size()), ohwi);
    size_t at = 0;
    for (size_t o = 0; o < layer.out_channels; ++o) {
      for (size_t row = 0; row < layer.kernel; ++row) {
        for (size_t column = 0; column < layer.kernel; ++column) {
          for (size_t i = 0; i < layer.in_channels; ++i) {
            const size_t from =
                ((o * layer.in_channels + i) * layer.kernel + row) * layer.kernel + column;
            ASSERT_EQ(ohwi[at++], oihw[from]) << layer.name;
          }
        }
      }
    }
    const BatchNormParams batch_norm = source->BatchNorm(c);
    const auto is = [&](absl::Span<const float> values, const char* suffix) {
      EXPECT_EQ(values, checkpoint.tensors.at(layer.batch_norm + suffix).values) << suffix;
    };
    is(batch_norm.weight, ".weight");
    is(batch_norm.bias, ".bias");
    is(batch_norm.running_mean, ".running_mean");
    is(batch_norm.running_var, ".running_var");
  }
  EXPECT_EQ(source->Classifier().weight, checkpoint.tensors.at("fc.weight").values);
  EXPECT_EQ(source->Classifier().bias, checkpoint.tensors.at("fc.bias").values);
}

}  // namespace
}  // namespace bitplex
