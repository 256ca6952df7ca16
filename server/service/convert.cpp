#include "server/service/convert.h"

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/admission/refusal.h"

namespace bitplex {
namespace {

constexpr size_t kMaxMessageBytes = 1024;  // Of an error; gRPC sends it as a header.
constexpr size_t kMaxIdBytes = 256;

absl::Span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

absl::StatusOr<ImageRef> ToImage(const v1::Image& image) {
  switch (image.data_case()) {
    case v1::Image::kEncoded:
      return ImageRef{.encoded = true, .bytes = Bytes(image.encoded())};
    case v1::Image::kRaw:
      return ImageRef{.encoded = false,
                      .bytes = Bytes(image.raw().rgb()),
                      .height = image.raw().height(),
                      .width = image.raw().width()};
    default:
      return absl::InvalidArgumentError(
          "the request has no image: set image.encoded (a JPEG, PNG, WebP or BMP file) or "
          "image.raw");
  }
}

void FillSaving(const Saving& saving, v1::Saving& out) {
  out.set_held_bytes(saving.held_bytes);
  out.set_separate_float32_bytes(saving.separate_float32_bytes);
  out.set_separate_half_bytes(saving.separate_half_bytes);
  out.set_saved_vs_float32_bytes(saving.vs_float32());
  out.set_saved_vs_half_bytes(saving.vs_half());
}

std::string Message(const absl::Status& status) {
  return std::string(status.message().substr(0, kMaxMessageBytes));
}

// 0: none is suggested.
std::chrono::milliseconds RetryDelayOf(const absl::Status& status) {
  const std::optional<Refusal> refusal = FindRefusal(status);
  return refusal ? refusal->retry_delay : std::chrono::milliseconds::zero();
}

std::string RetryDetails(const absl::Status& status, std::chrono::milliseconds delay) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(delay.count() / 1000);
  retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(delay.count() % 1000 * 1'000'000));
  google::rpc::Status details;
  details.set_code(static_cast<int32_t>(status.code()));
  details.set_message(Message(status));
  details.add_details()->PackFrom(retry);
  return details.SerializeAsString();
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const std::chrono::milliseconds delay = RetryDelayOf(status);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), Message(status),
                      delay.count() > 0 ? RetryDetails(status, delay) : std::string());
}

grpc::Status ToGrpc(const absl::Status& status, grpc::CallbackServerContext& call) {
  const std::chrono::milliseconds delay = RetryDelayOf(status);
  if (absl::IsResourceExhausted(status) && delay.count() > 0)
    call.AddTrailingMetadata("grpc-retry-pushback-ms", absl::StrCat(delay.count()));
  return ToGrpc(status);
}

void FillError(const absl::Status& status, v1::Error& error) {
  error.set_code(static_cast<int32_t>(status.code()));
  error.set_message(Message(status));
  error.set_retry_delay_ms(static_cast<uint32_t>(RetryDelayOf(status).count()));
}

TimePoint ToTimePoint(std::chrono::system_clock::time_point deadline) {
  if (deadline == std::chrono::system_clock::time_point::max()) return TimePoint::max();
  const auto left = deadline - std::chrono::system_clock::now();
  // A deadline of years is none; adding it could overflow.
  if (left > std::chrono::hours(24 * 365)) return TimePoint::max();
  return std::chrono::steady_clock::now() +
         std::chrono::duration_cast<std::chrono::steady_clock::duration>(left);
}

absl::Status CheckId(const std::string& id) {
  if (id.size() <= kMaxIdBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the id has ", id.size(), " bytes; at most ", kMaxIdBytes));
}

absl::StatusOr<ClassifyInput> ToInput(const v1::ClassifyRequest& request, const ServableSet& set) {
  if (absl::Status status = CheckId(request.id()); !status.ok()) return status;
  const absl::StatusOr<size_t> task = set.Find(request.task());
  if (!task.ok()) return task.status();
  const absl::StatusOr<ImageRef> image = ToImage(request.image());
  if (!image.ok()) return image.status();
  ClassifyInput input;
  input.task = *task;
  input.image = *image;
  input.top_k = request.top_k();
  input.logits = request.logits();
  return input;
}

void FillResponse(const Servable& task, const std::string& id, const Classification& classification,
                  v1::ClassifyResponse& response) {
  response.set_id(id);
  response.set_task(task.info.name);
  response.set_store_version(task.version);
  for (const RankedClass& ranked : classification.ranked) {
    v1::Prediction& prediction = *response.add_predictions();
    prediction.set_index(static_cast<uint32_t>(ranked.index));
    prediction.set_label(task.info.labels[ranked.index]);
    prediction.set_probability(ranked.probability);
  }
  response.mutable_logits()->Add(classification.logits.begin(), classification.logits.end());
  v1::Timings& timings = *response.mutable_timings();
  timings.set_queue_us(static_cast<uint64_t>(classification.timings.queue.count()));
  timings.set_decode_us(static_cast<uint64_t>(classification.timings.decode.count()));
  timings.set_view_us(static_cast<uint64_t>(classification.timings.view.count()));
  timings.set_compute_us(static_cast<uint64_t>(classification.timings.compute.count()));
  timings.set_batch_size(static_cast<uint32_t>(classification.timings.batch_size));
}

void FillTasks(const ServableSet& set, v1::ListTasksResponse& response) {
  if (set.store != nullptr) response.set_store_version(set.store->id());
  for (const Servable& servable : set.tasks) {
    v1::Task& task = *response.add_tasks();
    task.set_name(servable.info.name);
    task.set_architecture(servable.arch->name);
    task.mutable_labels()->Add(servable.info.labels.begin(), servable.info.labels.end());
    task.set_input_height(static_cast<uint32_t>(servable.arch->input_height));
    task.set_input_width(static_cast<uint32_t>(servable.arch->input_width));
    task.mutable_mean()->Add(servable.info.mean.begin(), servable.info.mean.end());
    task.mutable_std()->Add(servable.info.std.begin(), servable.info.std.end());
    task.set_mantissa_bits(servable.info.bits);
    task.set_reading(servable.reading);
    task.set_checkpoint(servable.info.checkpoint);
    task.set_checkpoint_sha256(servable.info.checkpoint_sha256);
  }
}

void FillMemory(const MemoryReport& report, v1::GetMemoryResponse& response) {
  for (const TaskMemory& memory : report.tasks) {
    v1::TaskMemory& task = *response.add_tasks();
    task.set_name(memory.name);
    task.set_float32_model_bytes(memory.float32_model_bytes);
    task.set_half_model_bytes(memory.half_model_bytes);
    task.set_store_bytes(memory.store_bytes);
    task.set_materialized_bytes(memory.materialized_bytes);
    task.set_materialized_type(memory.materialized_type);
  }
  v1::ProcessMemory& process = *response.mutable_process();
  process.set_store_mapped_bytes(report.store_mapped_bytes);
  process.set_store_resident_bytes(report.store_resident_bytes);
  process.set_view_bytes(report.view_bytes);
  process.set_scratch_bytes(report.scratch_bytes);
  process.set_rss_bytes(report.process.rss_bytes);
  process.set_private_dirty_bytes(report.process.private_dirty_bytes);
  process.set_baseline_rss_bytes(report.baseline_rss_bytes);
  FillSaving(report.at_rest, *response.mutable_at_rest());
  FillSaving(report.now, *response.mutable_now());
  v1::ViewCacheStats& views = *response.mutable_views();
  views.set_budget_bytes(report.views.budget_bytes);
  views.set_hits(report.views.hits);
  views.set_materializations(report.views.materializations);
  views.set_evictions(report.views.evictions);
  views.set_streamed_batches(report.views.streamed);
}

}  // namespace bitplex
