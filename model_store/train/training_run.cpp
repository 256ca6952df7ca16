#include "model_store/train/training_run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model_store/checkpoint/safetensors_writer.h"
#include "model_store/train/batches.h"
#include "model_store/train/run_state.h"
#include "model_store/train/trained_tensors.h"
#include "model_store/util/atomic_file.h"
#include "model_store/util/progress.h"

namespace bitplex {
namespace {

// Reading the totals waits for the device; on a GPU that must be rare.
constexpr size_t kStepsBetweenTotalsOnGpu = 32;
constexpr size_t kPredictBatch = 250;

double Percent(size_t part, size_t whole) {
  return 100.0 * static_cast<double>(part) / static_cast<double>(std::max<size_t>(whole, 1));
}

std::string DurationText(double seconds) {
  const auto minutes = static_cast<int64_t>(seconds / 60);
  if (minutes < 2) return absl::StrFormat("%.0f s", seconds);
  if (minutes < 120) return absl::StrFormat("%d min", minutes);
  return absl::StrFormat("%d h %d min", minutes / 60, minutes % 60);
}

class Run {
 public:
  Run(const TrainingJob& job, const TrainingData& data, Trainer& trainer,
      const CountCorrect& count_correct, const std::function<bool()>& stop, std::ostream& out)
      : job_(job),
        recipe_(job.recipe),
        data_(data),
        trainer_(trainer),
        count_correct_(count_correct),
        stop_(stop),
        out_(out),
        maker_(*data.preset),
        steps_(data.train.size() / recipe_.batch) {}

  absl::Status Start();
  absl::Status Train();
  absl::Status Finish();

 private:
  std::string StatePath() const { return job_.out + ".state"; }
  absl::Status TrainEpoch();
  absl::Status TrainStep(const std::vector<uint32_t>& order);
  absl::Status AddTotals();
  absl::Status EndEpoch();
  absl::Status SaveState();
  absl::Status Measure(EpochMetrics& metrics);
  absl::StatusOr<size_t> PredictCorrect(const CifarImages& images);
  absl::Status WriteCsv() const;
  Checkpoint Result() const;
  std::string Note() const;

  const TrainingJob& job_;
  const Recipe& recipe_;
  const TrainingData& data_;
  Trainer& trainer_;
  const CountCorrect& count_correct_;
  const std::function<bool()>& stop_;
  std::ostream& out_;
  const ImageMaker maker_;
  const size_t steps_;  // Of an epoch.
  RunState state_;
  size_t trained_images_ = 0;   // Of this process.
  double trained_seconds_ = 0;  // Likewise.
};

absl::Status Run::Start() {
  if (steps_ == 0) {
    return absl::InvalidArgumentError(absl::StrCat("--batch ", recipe_.batch, " is more than the ",
                                                   data_.train.size(), " training images"));
  }
  std::map<std::string, std::string> settings = DescribeRecipe(recipe_);
  settings.insert(job_.settings.begin(), job_.settings.end());
  settings["arch"] = job_.arch->name;
  settings["task"] = data_.preset->name;
  settings["train-data"] = data_.train_digests;
  settings["test-data"] = data_.test_digests;
  settings["val-holdout"] = absl::StrCat(data_.holdout.size());
  settings["init"] =
      job_.init == nullptr ? "random" : absl::StrCat(job_.init->file_name, "=", job_.init->sha256);
  settings["library"] = trainer_.library();
  std::error_code error;
  if (std::filesystem::exists(StatePath(), error)) {
    if (!job_.resume) {
      return absl::FailedPreconditionError(
          absl::StrCat(StatePath(),
                       " holds a run that is not done; add --resume to continue it, "
                       "or remove it to train from the beginning"));
    }
    auto read = ReadRunState(StatePath(), *job_.arch, data_.classes(), settings);
    if (!read.ok()) return read.status();
    if (read->epoch > recipe_.epochs || read->step > steps_) {
      return absl::DataLossError(absl::StrCat(StatePath(),
                                              ": it lies beyond the end of the run; "
                                              "remove it to train again"));
    }
    state_ = *std::move(read);
    out_ << absl::StrFormat("continuing after %d of %d epochs and %d of %d steps\n", state_.epoch,
                            recipe_.epochs, state_.step, steps_);
    return trainer_.Restore(state_.network);
  }
  state_.settings = std::move(settings);
  state_.network = job_.init == nullptr
                       ? InitialState(*job_.arch, data_.classes(), recipe_.seed)
                       : StateFrom(*job_.init, *job_.arch, data_.classes(), recipe_.seed);
  if (absl::Status status = trainer_.Restore(state_.network); !status.ok()) return status;
  return WriteRunState(StatePath(), state_);  // Now, not after an hour, if it cannot be written.
}

absl::Status Run::Train() {
  while (state_.epoch < recipe_.epochs) {
    absl::Status status = TrainEpoch();
    if (status.ok()) status = EndEpoch();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Run::TrainEpoch() {
  const std::vector<uint32_t> order = EpochOrder(recipe_, state_.epoch, data_.train.size());
  const bool gpu = job_.trainer.device != Device::kCpu;
  Progress progress(absl::StrFormat("epoch %d/%d", state_.epoch + 1, recipe_.epochs),
                    (steps_ - state_.step) * recipe_.batch);
  const size_t first_step = state_.step;
  auto last = std::chrono::steady_clock::now();
  while (state_.step < steps_) {
    if (absl::Status status = TrainStep(order); !status.ok()) return status;
    ++state_.step;
    const bool stopping = stop_();
    if (gpu && !stopping && state_.step < steps_ && state_.step % kStepsBetweenTotalsOnGpu != 0) {
      continue;
    }
    if (absl::Status status = AddTotals(); !status.ok()) return status;
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - std::exchange(last, now)).count();
    state_.seconds += seconds;
    trained_seconds_ += seconds;
    progress.Update((state_.step - first_step) * recipe_.batch, Note());
    if (!stopping) continue;
    if (absl::Status status = SaveState(); !status.ok()) return status;
    return absl::CancelledError(absl::StrCat("stopped in epoch ", state_.epoch + 1, " after step ",
                                             state_.step, " of ", steps_, "; saved in ",
                                             StatePath(), ", continue with --resume"));
  }
  return absl::OkStatus();
}

absl::Status Run::TrainStep(const std::vector<uint32_t>& order) {
  std::vector<float> images(recipe_.batch * kCifarImageBytes);
  std::vector<uint8_t> labels(recipe_.batch);
  for (size_t i = 0; i < recipe_.batch; ++i) {
    const size_t image = order[state_.step * recipe_.batch + i];
    labels[i] = data_.train.labels[image];
    maker_.Make(data_.train.image(image), DrawAugmentation(recipe_, state_.epoch, image),
                images.data() + i * kCifarImageBytes);
  }
  const size_t step = state_.epoch * steps_ + state_.step;
  trained_images_ += recipe_.batch;
  return trainer_.Step(images, labels, LearningRate(recipe_, step, recipe_.epochs * steps_),
                       AverageDecay(recipe_, step));
}

absl::Status Run::AddTotals() {
  const absl::StatusOr<Trainer::Totals> totals = trainer_.TakeTotals();
  if (!totals.ok()) return totals.status();
  state_.totals.loss += totals->loss;
  state_.totals.correct += totals->correct;
  if (std::isfinite(totals->loss)) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat(
      "the loss is no number any more in epoch ", state_.epoch + 1, ", by step ", state_.step,
      ": the training diverged; lower --lr or lengthen --warmup, and remove ", StatePath()));
}

std::string Run::Note() const {
  const size_t images = state_.step * recipe_.batch;
  const size_t left = ((recipe_.epochs - state_.epoch) * steps_ - state_.step) * recipe_.batch;
  const double seconds_left =
      trained_seconds_ / static_cast<double>(trained_images_) * static_cast<double>(left);
  return absl::StrFormat("loss %.3f, accuracy %.2f %%, all epochs: %s left",
                         state_.totals.loss / static_cast<double>(images),
                         Percent(state_.totals.correct, images), DurationText(seconds_left));
}

absl::Status Run::EndEpoch() {
  const size_t images = steps_ * recipe_.batch;
  EpochMetrics metrics;
  metrics.epoch = state_.epoch + 1;
  metrics.learning_rate =
      LearningRate(recipe_, metrics.epoch * steps_ - 1, recipe_.epochs * steps_);
  metrics.loss = state_.totals.loss / static_cast<double>(images);
  metrics.train_accuracy = Percent(state_.totals.correct, images);
  metrics.images_per_second = static_cast<double>(images) / std::max(state_.seconds, 1e-9);
  const double seconds = state_.seconds;
  if (absl::Status status = Measure(metrics); !status.ok()) return status;
  state_.metrics.push_back(metrics);
  ++state_.epoch;
  state_.step = 0;
  state_.totals = {};
  state_.seconds = 0;
  absl::Status status = SaveState();
  if (status.ok()) status = WriteCsv();
  if (!status.ok()) return status;
  out_ << absl::StrFormat(
              "epoch %d/%d: loss %.4f, train %.2f %%, %s %.2f %% (%d of %d), %.0f images/s, %s\n",
              metrics.epoch, recipe_.epochs, metrics.loss, metrics.train_accuracy,
              metrics.measured_on, Percent(metrics.measured_correct, metrics.measured_images),
              metrics.measured_correct, metrics.measured_images, metrics.images_per_second,
              DurationText(seconds))
       << std::flush;
  return absl::OkStatus();
}

absl::Status Run::SaveState() {
  absl::StatusOr<NetworkState> network = trainer_.Save();
  if (!network.ok()) return network.status();
  state_.network = *std::move(network);
  return WriteRunState(StatePath(), state_);
}

// The last epoch's figure is the checkpoint's, so it is counted as `bitplex evaluate` does: in
// float32, whatever the training's precision.
absl::Status Run::Measure(EpochMetrics& metrics) {
  const bool last = metrics.epoch == recipe_.epochs;
  const bool on_test = last || data_.holdout.size() == 0;
  const CifarImages& images = on_test ? data_.test : data_.holdout;
  metrics.measured_on = on_test ? "test" : "holdout";
  metrics.measured_images = images.size();
  absl::StatusOr<size_t> correct;
  if (last) {
    absl::StatusOr<NetworkState> network = trainer_.Save();
    if (!network.ok()) return network.status();
    state_.network = *std::move(network);
    correct = count_correct_(Result());
  } else {
    correct = PredictCorrect(images);
  }
  if (!correct.ok()) return correct.status();
  metrics.measured_correct = *correct;
  return absl::OkStatus();
}

absl::StatusOr<size_t> Run::PredictCorrect(const CifarImages& images) {
  const size_t classes = data_.classes();
  std::vector<float> input(kPredictBatch * kCifarImageBytes);
  std::vector<float> outputs(kPredictBatch * classes);
  size_t correct = 0;
  for (size_t first = 0; first < images.size(); first += kPredictBatch) {
    const size_t count = std::min(kPredictBatch, images.size() - first);
    for (size_t i = 0; i < count; ++i) {
      maker_.Make(images.image(first + i), {}, input.data() + i * kCifarImageBytes);
    }
    const absl::Status status =
        trainer_.Predict(absl::MakeConstSpan(input).first(count * kCifarImageBytes), count,
                         absl::MakeSpan(outputs).first(count * classes));
    if (!status.ok()) return status;
    for (size_t i = 0; i < count; ++i) {
      const float* row = outputs.data() + i * classes;
      const auto best = static_cast<size_t>(std::max_element(row, row + classes) - row);
      correct += best == images.labels[first + i];
    }
  }
  return correct;
}

absl::Status Run::WriteCsv() const {
  const std::string csv = MetricsCsv(state_.metrics);
  AtomicFile file(job_.out + ".csv");
  absl::Status status = file.Open();
  if (status.ok()) status = file.Write(csv.data(), csv.size());
  return status.ok() ? file.Commit() : status;
}

Checkpoint Run::Result() const {
  Checkpoint result;
  result.tensors = state_.network.average;
  result.classes = data_.classes();
  result.file_name = std::filesystem::path(job_.out).filename().string();
  result.metadata = state_.settings;
  result.metadata["format"] = "pt";  // What readers of PyTorch weights look for.
  return result;
}

absl::Status Run::Finish() {
  const EpochMetrics& last = state_.metrics.back();
  Checkpoint result = Result();
  result.metadata["test-correct"] = absl::StrCat(last.measured_correct);
  result.metadata["test-images"] = absl::StrCat(last.measured_images);
  result.metadata["test-top1"] =
      absl::StrFormat("%.2f", Percent(last.measured_correct, last.measured_images));
  result.metadata["train-loss"] = absl::StrFormat("%.6f", last.loss);
  std::vector<checkpoint::NamedTensor> tensors;
  for (const auto& [name, tensor] : result.tensors) tensors.push_back({name, &tensor});
  absl::Status status = checkpoint::WriteSafetensors(job_.out, tensors, result.metadata);
  if (status.ok()) status = WriteCsv();
  if (!status.ok()) return status;
  std::remove(StatePath().c_str());
  out_ << absl::StrFormat("%s: %d images, %d correct, top-1 %.2f %%\n", job_.out,
                          last.measured_images, last.measured_correct,
                          Percent(last.measured_correct, last.measured_images));
  return absl::OkStatus();
}

}  // namespace

absl::Status RunTraining(const TrainingJob& job, const TrainingData& data, Trainer& trainer,
                         const CountCorrect& count_correct, const std::function<bool()>& stop,
                         std::ostream& out) {
  std::error_code error;
  if (job.resume && !std::filesystem::exists(job.out + ".state", error) &&
      std::filesystem::exists(job.out, error)) {
    out << job.out << " is done: nothing to continue\n";
    return absl::OkStatus();
  }
  Run run(job, data, trainer, count_correct, stop, out);
  absl::Status status = run.Start();
  if (status.ok()) status = run.Train();
  return status.ok() ? run.Finish() : status;
}

}  // namespace bitplex
