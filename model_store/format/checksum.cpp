#include <xxhash.h>

#include "model_store/format/layout.h"

namespace bitplex::format {

uint64_t Checksum(const void* data, size_t bytes) { return XXH3_64bits(data, bytes); }

}  // namespace bitplex::format
