#include "server/executor/onednn/convolution.h"

namespace bitplex::onednn {
namespace {

using dnnl::memory;
using Type = memory::data_type;

Type ActivationType(Precision precision, bool is_signed) {
  if (precision == Precision::kInt8) return is_signed ? Type::s8 : Type::u8;
  return WeightType(precision);
}

memory::desc Images(size_t images, size_t channels, size_t height, size_t width, Type type) {
  return memory::desc({static_cast<memory::dim>(images), static_cast<memory::dim>(channels),
                       static_cast<memory::dim>(height), static_cast<memory::dim>(width)},
                      type, memory::format_tag::nhwc);
}

// Nothing in here differs between tasks, save for the few values of `summed_factor`: primitives
// that are alike share their generated code.
dnnl::primitive_attr Attributes(const Step& step, Precision precision, float summed_factor,
                                const memory::desc& factor) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops after;
  if (precision != Precision::kFloat32) {
    after.append_binary(dnnl::algorithm::binary_mul, factor);
  }
  if (step.sum) {
    after.append_sum(summed_factor, 0,
                     precision == Precision::kInt8
                         ? ActivationType(precision, step.summed_is_signed)
                         : Type::undef);
  }
  if (step.relu) after.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
  attributes.set_post_ops(after);
  return attributes;
}

}  // namespace

Type WeightType(Precision precision) {
  return precision == Precision::kInt8       ? Type::s8
         : precision == Precision::kBfloat16 ? Type::bf16
                                             : Type::f32;
}

Convolution::Convolution(const dnnl::engine& engine, const Architecture& arch, const Step& step,
                         Precision precision, float summed_factor, size_t images,
                         const memory::desc* weights)
    : engine_(engine), precision_(precision) {
  const ConvLayer& layer = arch.convs[step.conv];
  const auto dim = [](size_t value) { return static_cast<memory::dim>(value); };
  const memory::dim channels = dim(layer.out_channels);
  // Only the network's own input is signed.
  in_ = Images(images, layer.in_channels, step.in_height, step.in_width,
               ActivationType(precision, step.in_scale == 0));
  out_ = Images(images, layer.out_channels, step.out_height, step.out_width,
                ActivationType(precision, !step.relu));
  const memory::desc wanted =
      weights != nullptr
          ? *weights
          : memory::desc({channels, dim(layer.in_channels), dim(layer.kernel), dim(layer.kernel)},
                         WeightType(precision), memory::format_tag::any);
  offset_ = memory::desc({channels}, Type::f32, memory::format_tag::x);
  factor_ = memory::desc({1, channels, 1, 1}, Type::f32, memory::format_tag::abcd);
  const memory::dims strides = {dim(layer.stride), dim(layer.stride)};
  const memory::dims padding = {dim(layer.padding), dim(layer.padding)};
  const dnnl::convolution_forward::desc desc(dnnl::prop_kind::forward_inference,
                                             dnnl::algorithm::convolution_direct, in_, wanted,
                                             offset_, out_, strides, padding, padding);
  const dnnl::convolution_forward::primitive_desc chosen(
      desc, Attributes(step, precision, summed_factor, factor_), engine);
  weights_ = chosen.weights_desc();
  scratchpad_ = chosen.scratchpad_desc();
  primitive_ = dnnl::convolution_forward(chosen);
}

void Convolution::Run(const dnnl::stream& stream, const void* in, const void* weights,
                      const float* factor, const float* offset, void* out, void* scratchpad) const {
  // oneDNN has no read-only memory; it writes to none of the inputs.
  const auto wrap = [this](const memory::desc& desc, const void* data) {
    return memory(desc, engine_, const_cast<void*>(data));
  };
  std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, wrap(in_, in)},
      {DNNL_ARG_WEIGHTS, wrap(weights_, weights)},
      {DNNL_ARG_BIAS, wrap(offset_, offset)},
      {DNNL_ARG_DST, wrap(out_, out)},
      {DNNL_ARG_SCRATCHPAD, wrap(scratchpad_, scratchpad)},
  };
  if (precision_ != Precision::kFloat32) {
    arguments.emplace(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, wrap(factor_, factor));
  }
  primitive_.execute(stream, arguments);
}

}  // namespace bitplex::onednn
