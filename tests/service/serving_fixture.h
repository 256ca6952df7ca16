// What the service tests share: stores of small networks, a real server on a free loopback port,
// and the answers that the offline path gives to the same images.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bitplex/v1/classifier.grpc.pb.h"
#include "server/app/server.h"
#include "server/executor/executor.h"
#include "server/model/servable.h"

namespace bitplex::test {

// A store of random networks of `arch_name`, one for each entry of `bits`: tasks "task0", "task1",
// ... with 3, 4, ... classes, and activation scales, so that narrow ones run in int8 where the
// processor can. Written once for each test program and call.
std::string MakeStore(const std::string& arch_name, const std::vector<unsigned>& bits);

// Options for a server on `store` at a free loopback port, with one worker.
ServerOptions OptionsFor(const std::string& store);

// Starts the server or aborts with the reason.
std::unique_ptr<Server> StartOrDie(const ServerOptions& options);

// A client of `server`.
std::unique_ptr<v1::Classifier::Stub> Connect(const Server& server);

// An RGB8 picture with soft random colours, the same for the same seed.
std::vector<uint8_t> RandomRgb(size_t height, size_t width, uint32_t seed);

v1::ClassifyRequest RawRequest(const std::string& task, size_t height, size_t width, uint32_t seed);

// The raw outputs of `task` of a store for a picture of the network's own input size, by the
// executor alone, from a whole materialised view; in the type that a server takes by itself, or
// `precision`.
std::vector<float> OfflineLogits(const std::string& store, const std::string& task, Reading reading,
                                 const std::vector<uint8_t>& rgb,
                                 std::optional<Precision> precision = std::nullopt);

const Executor& SharedExecutor();

}  // namespace bitplex::test
