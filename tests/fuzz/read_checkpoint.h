// What both checkpoint formats must keep to, whatever the bytes.
#pragma once

#include <cmath>
#include <cstdlib>
#include <string>

#include "model_store/checkpoint/checkpoint_bytes.h"
#include "tests/unit/checkpoint_files.h"

namespace bitplex::fuzz {

inline void ReadCheckpoint(const std::string& file) {
  const auto arch = checkpoint::DetectArchitectureBytes(test::Bytes(file));
  const Architecture& tiny = **FindArchitecture("resnet10-tiny");
  const auto read = checkpoint::ReadCheckpointBytes(test::Bytes(file), tiny);
  if (!read.ok()) {
    if (read.status().message().empty() || read.status().message().size() > 4096) std::abort();
    return;
  }
  // Shapes are checked before values are read, so what is read must also be detected.
  if (!arch.ok() || *arch != &tiny) std::abort();
  for (const auto& [name, tensor] : read->tensors) {
    for (const float value : tensor.values) {
      if (!std::isfinite(value)) std::abort();
    }
  }
}

}  // namespace bitplex::fuzz
