#include "server/executor/onednn/network.h"

#include <omp.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model_store/util/mapped_buffer.h"
#include "server/executor/onednn/activations.h"
#include "server/executor/onednn/pack.h"
#include "server/executor/run_buffers.h"

namespace bitplex::onednn {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t Aligned(size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

class Buffer final : public PackedWeights {
 public:
  explicit Buffer(MappedBuffer memory) : memory_(std::move(memory)) {}
  size_t bytes() const override { return memory_.bytes(); }
  std::byte* data() const { return static_cast<std::byte*>(memory_.data()); }

 private:
  MappedBuffer memory_;
};

// Activations of the calling thread: grown as needed, and kept.
absl::StatusOr<std::byte*> Arena(size_t bytes) {
  thread_local MappedBuffer arena;
  if (arena.bytes() < bytes) {
    arena = MappedBuffer();
    absl::StatusOr<MappedBuffer> larger = MappedBuffer::Allocate(bytes);
    if (!larger.ok()) return larger.status();
    arena = *std::move(larger);
  }
  return static_cast<std::byte*>(arena.data());
}

// Measured on ResNet18: eight single images take as long as so many more in a group of eight. With
// AMX, whose tiles a single image of 4 x 4 pixels does not fill, 1.5 times in int8 and 1.15 times
// in bfloat16; else 1.15 times in int8, and nothing in float32.
size_t GroupPaysFrom(Precision precision) {
  const bool amx = dnnl::get_effective_cpu_isa() == dnnl::cpu_isa::avx512_core_amx;
  if (precision == Precision::kInt8) return amx ? 6 : 7;
  return precision == Precision::kBfloat16 && amx ? 7 : 8;
}

// oneDNN's exceptions end here.
template <typename Call>
absl::Status Guarded(Call call) {
  // OpenMP's thread count belongs to each thread.
  thread_local const bool single_threaded = (omp_set_num_threads(1), true);
  (void)single_threaded;
  try {
    return call();
  } catch (const dnnl::error& error) {
    return absl::InternalError(absl::StrCat("oneDNN: ", error.what(), ", status ", error.status));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("oneDNN: ", error.what()));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Network>> OnednnNetwork::Make(
    std::shared_ptr<const WeightSource> source, Precision precision) {
  std::unique_ptr<OnednnNetwork> network;
  absl::Status status = Guarded([&] {
    network.reset(new OnednnNetwork(std::move(source), precision));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return network;
}

OnednnNetwork::OnednnNetwork(std::shared_ptr<const WeightSource> source, Precision precision)
    : source_(std::move(source)),
      arch_(source_->arch()),
      precision_(precision),
      engine_(dnnl::engine::kind::cpu, 0),
      program_(MakeProgram(arch_)) {
  pad_from_ = GroupPaysFrom(precision);
  if (precision == Precision::kInt8) {
    activation_scales_ = FitActivationScales(program_, source_->ActivationScales());
  }
  for (const Step& step : program_.steps) {
    folded_.push_back(FoldBatchNorm(*source_, step, precision, activation_scales_));
  }
  groups_[0] = Create(kGroups[0]);
  for (const Convolution& convolution : groups_[0]->convolutions) {
    offsets_.push_back(packed_bytes_);
    const size_t bytes = convolution.weights().get_size();
    packed_bytes_ += Aligned(bytes);
    scratch_bytes_ = std::max(scratch_bytes_, bytes);
  }
}

std::unique_ptr<OnednnNetwork::Primitives> OnednnNetwork::Create(size_t images) const {
  auto made = std::make_unique<Primitives>();
  for (size_t s = 0; s < program_.steps.size(); ++s) {
    const dnnl::memory::desc* const weights =
        groups_[0] == nullptr ? nullptr : &groups_[0]->convolutions[s].weights();
    made->convolutions.emplace_back(engine_, arch_, program_.steps[s], precision_,
                                    folded_[s].summed_factor, images, weights);
    made->scratchpad_bytes =
        std::max(made->scratchpad_bytes, made->convolutions.back().scratchpad_bytes());
  }
  if (!program_.stem_pool) return made;
  const StemPool& pool = program_.pool;
  const dnnl::memory::desc& stem = made->convolutions[0].out();
  const auto dim = [](size_t value) { return static_cast<dnnl::memory::dim>(value); };
  made->pool_in = stem;
  made->pool_out = dnnl::memory::desc(
      {stem.dims()[0], stem.dims()[1], dim(pool.out_height), dim(pool.out_width)}, stem.data_type(),
      dnnl::memory::format_tag::nhwc);
  const dnnl::pooling_forward::desc desc(
      dnnl::prop_kind::forward_inference, dnnl::algorithm::pooling_max, made->pool_in,
      made->pool_out, {kPoolStride, kPoolStride}, {kPoolKernel, kPoolKernel},
      {kPoolPadding, kPoolPadding}, {kPoolPadding, kPoolPadding});
  made->pool = dnnl::pooling_forward(dnnl::pooling_forward::primitive_desc(desc, engine_));
  return made;
}

const OnednnNetwork::Primitives& OnednnNetwork::Group(size_t index) const {
  if (index == 1) {
    // If it throws, the next caller tries again.
    std::call_once(large_group_made_, [this] { groups_[1] = Create(kGroups[1]); });
  }
  return *groups_[index];
}

size_t OnednnNetwork::Padded(size_t count) const {
  const size_t left = count % kGroups[1];
  return left >= pad_from_ ? count - left + kGroups[1] : count;
}

void OnednnNetwork::PackStep(size_t step, std::byte* out) const {
  const float* const factor =
      precision_ == Precision::kFloat32 ? folded_[step].factor.data() : nullptr;
  PackConv(engine_, *source_, program_.steps[step].conv, precision_, factor,
           groups_[0]->convolutions[step].weights(), out);
}

absl::StatusOr<std::shared_ptr<const PackedWeights>> OnednnNetwork::Pack() const {
  absl::StatusOr<MappedBuffer> memory = MappedBuffer::Allocate(packed_bytes_);
  if (!memory.ok()) return memory.status();
  auto packed = std::make_shared<const Buffer>(*std::move(memory));
  absl::Status status = Guarded([&] {
    for (size_t s = 0; s < program_.steps.size(); ++s) PackStep(s, packed->data() + offsets_[s]);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return packed;
}

absl::Status OnednnNetwork::Run(const PackedWeights& weights, absl::Span<const float> images,
                                size_t count, absl::Span<float> logits) const {
  const std::byte* const packed = static_cast<const Buffer&>(weights).data();
  return Forward([&](size_t step) { return packed + offsets_[step]; }, images, count, nullptr,
                 logits);
}

absl::Status OnednnNetwork::RunLayerwise(absl::Span<std::byte> scratch,
                                         absl::Span<const float> images, size_t count,
                                         absl::Span<float> logits) const {
  if (absl::Status status = CheckScratch(*this, scratch); !status.ok()) return status;
  const auto decode = [&](size_t step) {
    PackStep(step, scratch.data());
    return scratch.data();
  };
  return Forward(decode, images, count, nullptr, logits);
}

absl::Status OnednnNetwork::Observe(const PackedWeights& weights, absl::Span<const float> images,
                                    size_t count, const Observer& observe) const {
  if (precision_ != Precision::kFloat32) {
    return absl::UnimplementedError("activations are observed in f32 only");
  }
  const std::byte* const packed = static_cast<const Buffer&>(weights).data();
  std::vector<float> logits(count * source_->Classifier().bias.size());
  return Forward([&](size_t step) { return packed + offsets_[step]; }, images, count, observe,
                 absl::MakeSpan(logits));
}

void OnednnNetwork::RunStep(size_t index, const dnnl::stream& stream, const std::byte* weights,
                            size_t count, std::byte* const* slots, std::byte* scratchpad) const {
  const Step& step = program_.steps[index];
  const ConvLayer& layer = arch_.convs[step.conv];
  const size_t bytes = ActivationBytes(precision_);
  const size_t in_bytes = step.in_height * step.in_width * layer.in_channels * bytes;
  const size_t out_bytes = step.out_height * step.out_width * layer.out_channels * bytes;
  const std::byte* const in = slots[static_cast<size_t>(step.in)];
  std::byte* const out = slots[static_cast<size_t>(step.out)];
  for (size_t done = 0; done < count;) {
    const size_t group = count - done >= kGroups[1] ? 1 : 0;
    Group(group).convolutions[index].Run(stream, in + done * in_bytes, weights,
                                         folded_[index].factor.data(), folded_[index].offset.data(),
                                         out + done * out_bytes, scratchpad);
    done += kGroups[group];
  }
}

void OnednnNetwork::RunPool(const dnnl::stream& stream, size_t count,
                            std::byte* const* slots) const {
  std::byte* in = slots[static_cast<size_t>(Slot::kBlock)];
  std::byte* out = slots[static_cast<size_t>(Slot::kShortcut)];
  const Primitives& single = Group(0);
  for (size_t i = 0; i < count; ++i) {
    single.pool.execute(stream, {{DNNL_ARG_SRC, dnnl::memory(single.pool_in, engine_, in)},
                                 {DNNL_ARG_DST, dnnl::memory(single.pool_out, engine_, out)}});
    in += single.pool_in.get_size();
    out += single.pool_out.get_size();
  }
}

absl::Status OnednnNetwork::Forward(const ReadStep& read, absl::Span<const float> images,
                                    size_t count, const Observer& observe,
                                    absl::Span<float> logits) const {
  if (absl::Status status = CheckRunBuffers(*source_, images, count, logits); !status.ok()) {
    return status;
  }
  return Guarded([&]() -> absl::Status {
    // Images that fill a group up are whatever lies in the buffers; nobody looks at their results.
    const size_t padded = Padded(count);
    const size_t scratchpad_bytes =
        std::max(Group(0).scratchpad_bytes, Group(padded >= kGroups[1] ? 1 : 0).scratchpad_bytes);
    const size_t slot_bytes = Aligned(padded * program_.slot_values * ActivationBytes(precision_));
    const absl::StatusOr<std::byte*> arena = Arena(kSlots * slot_bytes + scratchpad_bytes);
    if (!arena.ok()) return arena.status();
    std::byte* slots[kSlots] = {*arena, *arena + slot_bytes, *arena + 2 * slot_bytes};
    std::byte* const scratchpad = *arena + kSlots * slot_bytes;
    const auto scale = [&](size_t index) {
      return precision_ == Precision::kInt8 ? activation_scales_[index] : 1.0f;
    };

    const dnnl::stream stream(engine_);
    ConvertInput(precision_, scale(0), images, slots[static_cast<size_t>(Slot::kInner)]);
    if (observe) observe(0, images);
    for (size_t s = 0; s < program_.steps.size(); ++s) {
      const Step& step = program_.steps[s];
      RunStep(s, stream, read(s), padded, slots, scratchpad);
      if (observe) {
        const size_t values =
            count * step.out_height * step.out_width * arch_.convs[step.conv].out_channels;
        observe(step.conv + 1,
                {reinterpret_cast<const float*>(slots[static_cast<size_t>(step.out)]), values});
      }
      if (s == 0 && program_.stem_pool) RunPool(stream, count, slots);
      if (program_.swap[s]) std::swap(slots[0], slots[2]);
    }

    const LinearParams classifier = source_->Classifier();
    const size_t pixels = program_.out_height * program_.out_width;
    const std::byte* last = slots[static_cast<size_t>(Slot::kBlock)];
    std::vector<float> features(arch_.features);
    for (size_t i = 0; i < count; ++i) {
      AveragePool(precision_, scale(program_.out_scale), last, pixels, absl::MakeSpan(features));
      Classify(classifier, features, logits.data() + i * classifier.bias.size());
      last += pixels * arch_.features * ActivationBytes(precision_);
    }
    return absl::OkStatus();
  });
}

}  // namespace bitplex::onednn
