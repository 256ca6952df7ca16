// What a store is, for people.
#pragma once

#include <ostream>

#include "model_store/format/fused_store.h"

namespace bitplex {

// Architecture, size, a line a task, and what it saves over one model per task.
void PrintStore(const FusedStore& store, std::ostream& out);

}  // namespace bitplex
