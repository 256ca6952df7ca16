// Protobuf messages as JSON.
#pragma once

#include <google/protobuf/message.h>

#include <nlohmann/json_fwd.hpp>

namespace bitplex {

// All fields under their names in the .proto, numbers as JSON numbers (protobuf's own JSON writes
// 64-bit integers as strings), defaults included. A message or a oneof member that is not set is
// left out; what is no finite number becomes null. For the messages of bitplex.v1: no maps, enums
// as their numbers.
nlohmann::ordered_json ToJson(const google::protobuf::Message& message);

}  // namespace bitplex
