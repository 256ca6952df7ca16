#include "client/classify_stream.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/connection.h"

namespace bitplex {
namespace {

using Clock = std::chrono::steady_clock;

// The stream as events for one thread, which must not block in a write: it has deadlines to watch.
class Stream final
    : private grpc::ClientBidiReactor<v1::ClassifyRequest, v1::ClassifyStreamResponse> {
 public:
  enum class Event { kAnswer, kClosed, kWritten, kTime };

  explicit Stream(v1::Classifier::Stub& stub) {
    stub.async()->ClassifyStream(&context_, this);
    AddHold();  // Writes start outside the reactions below, so gRPC must wait for Finish.
    StartRead(&read_);
    StartCall();
  }

  ~Stream() {
    context_.TryCancel();
    Finish().IgnoreError();  // Whoever wanted it has had it.
  }

  bool can_write() {
    std::lock_guard<std::mutex> lock(mutex_);
    return !writing_;
  }

  void Write(v1::ClassifyRequest request) {
    SetWriting();
    request_ = std::move(request);
    StartWrite(&request_);
  }

  void CloseWriting() {
    SetWriting();
    StartWritesDone();
  }

  // The next event; kTime at `until`. kAnswer holds until TakeAnswer, kClosed for good: the server
  // sends no more, and Finish says why.
  Event Wait(Clock::time_point until) {
    std::unique_lock<std::mutex> lock(mutex_);
    const auto happened = [this] { return answer_ || closed_ || written_; };
    if (until == Clock::time_point::max()) {
      changed_.wait(lock, happened);
    } else if (!changed_.wait_until(lock, until, happened)) {
      return Event::kTime;
    }
    if (answer_) return Event::kAnswer;
    if (closed_) return Event::kClosed;
    written_ = false;
    return Event::kWritten;
  }

  v1::ClassifyStreamResponse TakeAnswer() {
    v1::ClassifyStreamResponse answer;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      answer = std::move(read_);
      answer_ = false;
    }
    read_.Clear();
    StartRead(&read_);
    return answer;
  }

  // Blocks until the call is over (at once after kClosed or a cancellation).
  absl::Status Finish() {
    if (!finished_) RemoveHold();
    finished_ = true;
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return status_.has_value(); });
    return FromGrpc(*status_);
  }

 private:
  void SetWriting() {
    std::lock_guard<std::mutex> lock(mutex_);
    writing_ = true;
  }

  void OnReadDone(bool ok) override {
    std::lock_guard<std::mutex> lock(mutex_);
    (ok ? answer_ : closed_) = true;
    changed_.notify_all();
  }

  void OnWriteDone(bool ok) override {
    // A failed write means that the call is over, and reading ends with it. Left as "writing",
    // nothing more is written until then.
    if (!ok) return;
    std::lock_guard<std::mutex> lock(mutex_);
    writing_ = false;
    written_ = true;
    changed_.notify_all();
  }

  void OnDone(const grpc::Status& status) override {
    std::lock_guard<std::mutex> lock(mutex_);
    status_ = status;
    changed_.notify_all();
  }

  grpc::ClientContext context_;
  v1::ClassifyRequest request_;      // gRPC's while writing_.
  v1::ClassifyStreamResponse read_;  // gRPC's until OnReadDone.
  bool finished_ = false;            // The calling thread's.
  std::mutex mutex_;
  std::condition_variable changed_;
  bool writing_ = false;  // From here on under mutex_.
  bool written_ = false;
  bool answer_ = false;
  bool closed_ = false;
  std::optional<grpc::Status> status_;
};

absl::Status Annotate(const absl::Status& status, const std::string& prefix) {
  return absl::Status(status.code(), absl::StrCat(prefix, ": ", std::string(status.message())));
}

// The server ended the stream although images are open.
absl::Status EndedEarly(const absl::Status& status, const SendPlan& plan, size_t count) {
  const std::string lost =
      absl::StrCat("the stream ended after ", plan.answered(), " of ", count,
                   " answers; the first image without one is ", plan.FirstUnanswered());
  return status.ok() ? absl::DataLossError(lost) : Annotate(status, lost);
}

absl::Status HandleAnswer(
    const v1::ClassifyStreamResponse& answer, SendPlan& plan,
    const std::function<absl::Status(size_t, const v1::ClassifyResponse&)>& on_answer) {
  uint64_t index = 0;
  if (!absl::SimpleAtoi(answer.id(), &index)) {
    return absl::InternalError(
        absl::StrCat("the server sent an answer with the unknown id '", answer.id(), "'"));
  }
  if (answer.has_error()) {
    const absl::Status error = FromError(answer.error());
    if (absl::IsResourceExhausted(error)) {
      return plan.Refused(index, answer.error().message(), Clock::now(),
                          std::chrono::milliseconds(answer.error().retry_delay_ms()));
    }
    return Annotate(error, absl::StrCat("image ", index));
  }
  if (!answer.has_response()) {
    return absl::InternalError(absl::StrCat("the answer for image ", index, " is empty"));
  }
  if (absl::Status status = plan.Answered(index); !status.ok()) return status;
  return on_answer(index, answer.response());
}

// Waits for the server's end of the stream, which shows that no answer comes twice.
absl::Status CloseStream(Stream& stream, const SendLimits& limits) {
  const auto deadline = Clock::now() + limits.answer_timeout;
  bool closing = false;
  while (true) {
    // The last answer may overtake the news that its request was written.
    if (!closing && stream.can_write()) {
      stream.CloseWriting();
      closing = true;
    }
    switch (stream.Wait(deadline)) {
      case Stream::Event::kAnswer:
        return absl::InternalError(
            absl::StrCat("the server sent a surplus answer, for image ", stream.TakeAnswer().id()));
      case Stream::Event::kClosed:
        if (absl::Status status = stream.Finish(); !status.ok()) {
          return Annotate(status, "the stream failed at its end");
        }
        return absl::OkStatus();
      case Stream::Event::kTime:
        return absl::DeadlineExceededError("the server answered all images, but does not end");
      case Stream::Event::kWritten:
        break;
    }
  }
}

}  // namespace

absl::Status ClassifyAll(
    v1::Classifier::Stub& stub, size_t count, const SendLimits& limits,
    const std::function<v1::ClassifyRequest(size_t)>& make_request,
    const std::function<absl::Status(size_t, const v1::ClassifyResponse&)>& on_answer,
    size_t* refusals) {
  SendPlan plan(count, limits);
  Stream stream(stub);
  while (!plan.finished()) {
    const auto now = Clock::now();
    if (absl::Status status = plan.CheckTimeouts(now); !status.ok()) return status;
    if (stream.can_write()) {
      if (const std::optional<size_t> index = plan.Next(now)) {
        v1::ClassifyRequest request = make_request(*index);
        request.set_id(absl::StrCat(*index));
        stream.Write(std::move(request));
      }
    }
    switch (stream.Wait(plan.WakeAt(stream.can_write()))) {
      case Stream::Event::kAnswer: {
        absl::Status status = HandleAnswer(stream.TakeAnswer(), plan, on_answer);
        *refusals = plan.refusals();
        if (!status.ok()) return status;
        break;
      }
      case Stream::Event::kClosed:
        return EndedEarly(stream.Finish(), plan, count);
      case Stream::Event::kWritten:
      case Stream::Event::kTime:
        break;
    }
  }
  return CloseStream(stream, limits);
}

}  // namespace bitplex
