// The oneDNN executor: what runs here, and the module's entry.
#include "server/executor/executor.h"

#include "absl/strings/str_cat.h"
#include "server/executor/module.h"
#include "server/executor/onednn/network.h"

namespace bitplex::onednn {
namespace {

// Of the instruction sets that oneDNN will use, which the variable ONEDNN_MAX_CPU_ISA limits.
bool HasInt8Dots() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx2_vnni:
    case dnnl::cpu_isa::avx512_core_vnni:
    case dnnl::cpu_isa::avx512_core_bf16:
    case dnnl::cpu_isa::avx512_core_amx:
      return true;
    default:
      return false;
  }
}

bool HasBfloat16Dots() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core_bf16:
    case dnnl::cpu_isa::avx512_core_amx:
      return true;
    default:
      return false;
  }
}

class OnednnExecutor final : public Executor {
 public:
  std::string_view name() const override { return "onednn"; }

  absl::Status Supports(Precision precision) const override {
    if (precision == Precision::kInt8 && !HasInt8Dots()) {
      // Without them oneDNN adds pairs of products in 16 bits, which overflow.
      return absl::UnimplementedError(
          "s8 needs a processor with VNNI or AMX; take --precision auto or f32");
    }
    if (precision == Precision::kBfloat16 && !HasBfloat16Dots()) {
      return absl::UnimplementedError(
          "bf16 needs a processor with AVX512_BF16 or AMX; take --precision auto or f32");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<const Network>> Prepare(std::shared_ptr<const WeightSource> source,
                                                         Precision precision) const override {
    if (absl::Status status = Supports(precision); !status.ok()) return status;
    if (precision == Precision::kInt8 && source->ActivationScales().empty()) {
      return absl::FailedPreconditionError(
          "s8 needs activation scales, and there are none: fuse the store with --calibrate, or "
          "take "
          "--precision f32 or bf16");
    }
    return OnednnNetwork::Make(std::move(source), precision);
  }
};

}  // namespace
}  // namespace bitplex::onednn

extern "C" bitplex::Executor* BitplexCreateExecutor(int version) {
  if (version != bitplex::kExecutorModuleVersion) return nullptr;
  return new bitplex::onednn::OnednnExecutor();
}
