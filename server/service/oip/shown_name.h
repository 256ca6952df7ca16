// A name from a request, as an error message shows it.
#pragma once

#include <string>

namespace bitplex::oip {

// In quotes; the beginning of a long one.
inline std::string ShownName(const std::string& name) {
  constexpr size_t kShownBytes = 64;
  return "'" + name.substr(0, kShownBytes) + (name.size() > kShownBytes ? "...'" : "'");
}

}  // namespace bitplex::oip
