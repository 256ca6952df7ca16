// What an executor module exports: one function that makes an executor.
#pragma once

namespace bitplex {

class Executor;

// Raised whenever Executor, Network, WeightSource or Architecture change.
inline constexpr int kExecutorModuleVersion = 3;
inline constexpr char kCreateExecutorSymbol[] = "BitplexCreateExecutor";

// Null when `version` is not the module's own. The caller owns the executor.
using CreateExecutorFunction = Executor* (*)(int version);

}  // namespace bitplex
