// How a range of a field is divided between a kernel and the scalar code.
#pragma once

#include <cstddef>

namespace bitplex::internal {

// kernel(first, count, out) decodes from a multiple of 8 words on, and says how many words it did;
// value(i), the definition, gives those before and after.
template <typename Out, typename Kernel, typename Value>
void DecodeAround(const Kernel& kernel, const Value& value, size_t first, size_t count, Out* out) {
  const size_t end = first + count;
  for (; first < end && first % 8 != 0; ++first) *out++ = value(first);
  const size_t done = kernel(first, end - first, out);
  out += done;
  for (first += done; first < end; ++first) *out++ = value(first);
}

}  // namespace bitplex::internal
