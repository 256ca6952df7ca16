// Many images through one ClassifyStream call.
#pragma once

#include <cstddef>
#include <functional>

#include "absl/status/status.h"
#include "bitplex/v1/classifier.grpc.pb.h"
#include "client/send_plan.h"

namespace bitplex {

// Sends requests 0 to count - 1 and returns OK when each has been answered exactly once and the
// server has ended the stream. `make_request(i)` builds a request (its id is set here; it may be
// asked for again after a refusal), `on_answer(i, response)` takes an answer, in any order; an
// error that it returns stops the run. Both are called on the calling thread. Requests that a full
// queue refused are sent again (see SendLimits) and counted in `*refusals`; any other error, a lost
// or a surplus answer stops the run and says which image it was.
absl::Status ClassifyAll(
    v1::Classifier::Stub& stub, size_t count, const SendLimits& limits,
    const std::function<v1::ClassifyRequest(size_t)>& make_request,
    const std::function<absl::Status(size_t, const v1::ClassifyResponse&)>& on_answer,
    size_t* refusals);

}  // namespace bitplex
