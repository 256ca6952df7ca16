// What the executors' tests share: random networks that behave like trained ones, stores of them,
// and their answers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model_store/fuse/fuse.h"
#include "server/executor/executor.h"
#include "tests/unit/tiny_network.h"

namespace bitplex::test {

// As RandomTask, but with convolutions whose outputs neither grow nor fade from layer to layer, and
// with batch norms that also multiply by negative values and by nought.
FuseTask BalancedTask(const Architecture& arch, const TaskOptions& options);

// The task as it comes back from a store of it alone. The source keeps the store; the file is gone.
std::shared_ptr<const WeightSource> Stored(const Architecture& arch, const FuseTask& task);

// Pictures of soft colours with some noise, normalised: image, row, column, channel.
std::vector<float> RandomImages(const Architecture& arch, size_t count, uint32_t seed);

// Writes `count` CIFAR-10 records of such pictures with labels 0, 1, ... below `classes`.
void WriteCifar(const std::string& path, size_t count, size_t classes, uint32_t seed);

// The task with activation scales that Calibrate measures on 16 pictures.
FuseTask Calibrated(const Executor& executor, const Architecture& arch, FuseTask task);

// The executor module of that name, loaded once; aborts when it is not there.
const Executor& LoadedExecutor(const std::string& name);

// Those that the oneDNN executor runs on this processor, one after the other.
std::vector<Precision> SupportedPrecisions();

// Aborts when the executor refuses.
std::unique_ptr<const Network> Prepared(const Executor& executor,
                                        std::shared_ptr<const WeightSource> source,
                                        Precision precision);

// Memory aligned as scratch buffers and packed weights are, full of one byte.
class AlignedBytes {
 public:
  AlignedBytes(size_t bytes, int fill);
  ~AlignedBytes();
  AlignedBytes(const AlignedBytes&) = delete;
  AlignedBytes& operator=(const AlignedBytes&) = delete;
  std::byte* data() const { return data_; }
  std::byte operator[](size_t i) const { return data_[i]; }

 private:
  std::byte* const data_;
};

// The raw outputs of the images, from materialised weights, or layer by layer.
std::vector<float> Logits(const Network& network, size_t classes, absl::Span<const float> images,
                          size_t count);
std::vector<float> LayerwiseLogits(const Network& network, size_t classes,
                                   absl::Span<const float> images, size_t count);

// How far `a` is from `b`: root of the summed squares of a - b over that of b.
double RelativeError(absl::Span<const float> a, absl::Span<const float> b);

// The same for outputs of several images, over what tells them apart: the outputs' distances from
// their class's mean.
double RelativeLogitError(absl::Span<const float> a, absl::Span<const float> b, size_t classes);

}  // namespace bitplex::test
