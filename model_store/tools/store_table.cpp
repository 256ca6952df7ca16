#include "model_store/tools/store_table.h"

#include "absl/strings/str_format.h"

namespace bitplex {
namespace {

double Megabytes(uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

}  // namespace

void PrintStore(const FusedStore& store, std::ostream& out) {
  const uint64_t store_bytes = store.mapping().size();
  uint64_t separate_bytes = 0;
  unsigned word_bits = 0;
  for (const TaskInfo& task : store.tasks()) {
    separate_bytes += Float32ModelBytes(store.arch(), task);
    word_bits += task.bits;
  }
  out << absl::StreamFormat("%s\n  format %d, id %s, %s, made by %s\n", store.path(),
                            format::kVersion, store.id(), store.arch().name,
                            store.metadata().created_by);
  out << absl::StreamFormat("  %d task(s) in words of %d bits, and a sign plane each\n\n",
                            store.tasks().size(), word_bits);
  out << absl::StreamFormat("  %-20s %7s %5s %10s %12s %14s  %s\n", "task", "classes", "bits",
                            "exponents", "in the store", "own float32", "checkpoint");
  for (size_t i = 0; i < store.tasks().size(); ++i) {
    const TaskInfo& task = store.tasks()[i];
    out << absl::StreamFormat(
        "  %-20s %7d %5d %10s %9.2f MB %11.2f MB  %s\n", task.name, task.labels.size(), task.bits,
        task.channel_exponents ? "channel" : "tensor", Megabytes(store.TaskBytes(i)),
        Megabytes(Float32ModelBytes(store.arch(), task)), task.checkpoint);
  }
  const double saved = Megabytes(separate_bytes) - Megabytes(store_bytes);
  const double saved_half = Megabytes(separate_bytes) / 2 - Megabytes(store_bytes);
  out << absl::StreamFormat(
      "\n  store %.2f MB; separate float32 models %.2f MB (saves %.2f MB, %.1f %%), in half "
      "precision %.2f MB "
      "(saves %.2f MB, %.1f %%)\n  MB = 1,000,000 bytes\n",
      Megabytes(store_bytes), Megabytes(separate_bytes), saved,
      100 * saved / Megabytes(separate_bytes), Megabytes(separate_bytes) / 2, saved_half,
      100 * saved_half / (Megabytes(separate_bytes) / 2));
}

}  // namespace bitplex
