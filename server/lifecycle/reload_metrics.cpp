#include "server/lifecycle/reload_metrics.h"

namespace bitplex {

std::vector<SampledFamily> SampleReloads(const Reloader& reloader, const ModelHost& host) {
  const ReloadCounts counts = reloader.counts();
  return {
      {"bitplex_reloads_total",
       "Reloads of the store; failed ones put nothing in its place",
       true,
       {{{{"result", "done"}}, static_cast<double>(counts.done)},
        {{{"result", "failed"}}, static_cast<double>(counts.failed)}}},
      {"bitplex_last_reload_timestamp_seconds",
       "When the last reload was done, in Unix time; 0: none was",
       false,
       {{{}, static_cast<double>(counts.last_done_seconds)}}},
      {"bitplex_replaced_stores",
       "Stores that were replaced, and still answer calls that came before",
       false,
       {{{}, static_cast<double>(host.Retiring())}}},
  };
}

}  // namespace bitplex
