// How reloads went, for the metrics.
#pragma once

#include <vector>

#include "server/lifecycle/reloader.h"
#include "server/metrics/sampled.h"
#include "server/serving/model_host.h"

namespace bitplex {

// Thread-safe.
std::vector<SampledFamily> SampleReloads(const Reloader& reloader, const ModelHost& host);

}  // namespace bitplex
