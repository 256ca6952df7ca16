// One convolution of a network as a oneDNN primitive: with its batch norm, sum and ReLU.
#pragma once

#include <cstddef>
#include <oneapi/dnnl/dnnl.hpp>

#include "model_store/arch/architecture.h"
#include "model_store/view/precision.h"
#include "server/executor/onednn/steps.h"

namespace bitplex::onednn {

// Creates primitives and holds what they are made of. Throws dnnl::error, as all of oneDNN does.
class Convolution {
 public:
  // `images` run together. `summed_factor`: of what a step with a sum adds. `weights`: as another
  // Convolution of the same step has them, or null for what oneDNN likes best.
  Convolution(const dnnl::engine& engine, const Architecture& arch, const Step& step,
              Precision precision, float summed_factor, size_t images,
              const dnnl::memory::desc* weights);

  // Runs on the calling thread; thread-safe. Buffers in the sizes that `step` gives, activations as
  // image, row, column, channel; `factor` and `offset` as Folded has them.
  void Run(const dnnl::stream& stream, const void* in, const void* weights, const float* factor,
           const float* offset, void* out, void* scratchpad) const;

  const dnnl::memory::desc& weights() const { return weights_; }
  const dnnl::memory::desc& out() const { return out_; }
  size_t scratchpad_bytes() const { return scratchpad_.get_size(); }

 private:
  const dnnl::engine engine_;
  const Precision precision_;
  dnnl::memory::desc in_, weights_, offset_, factor_, out_, scratchpad_;
  dnnl::convolution_forward primitive_;
};

dnnl::memory::data_type WeightType(Precision precision);

}  // namespace bitplex::onednn
