// Changed copies of an input, in the ways in which files go wrong or are made to: the same ones for
// the same generator.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <random>
#include <vector>

namespace bitplex::fuzz {

using Bytes = std::vector<uint8_t>;

// Below `bound`, and half of the time among the first few: what decides most about a file lies at
// its beginning.
inline size_t Place(size_t bound, std::mt19937& random) {
  const size_t most = random() % 2 == 0 ? std::min<size_t>(bound, 256) : bound;
  return random() % most;
}

// Overwrites 1, 2, 4 or 8 bytes with a number that lengths and offsets break on.
inline void PutNumber(Bytes& bytes, size_t at, std::mt19937& random) {
  static constexpr uint64_t kNumbers[] = {
      0,      1,          2,          0x7f,       0x80,       0xff,       0x7fff,     0x8000,
      0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 1ull << 62, ~0ull >> 1, 1ull << 63, ~0ull};
  uint64_t number = kNumbers[random() % std::size(kNumbers)];
  if (random() % 4 == 0) number = bytes.size() + random() % 3 - 1;
  const size_t width = std::min<size_t>(size_t{1} << random() % 4, bytes.size() - at);
  std::memcpy(&bytes[at], &number, width);
  if (random() % 4 == 0) std::reverse(&bytes[at], &bytes[at] + width);  // Big-endian.
}

inline void ChangeOnce(Bytes& bytes, const Bytes& other, std::mt19937& random) {
  if (bytes.empty()) bytes.push_back(0);
  const size_t at = Place(bytes.size(), random);
  const auto here = bytes.begin() + static_cast<ptrdiff_t>(at);
  const size_t length = 1 + random() % std::min<size_t>(bytes.size() - at, 64);
  const auto end = here + static_cast<ptrdiff_t>(length);
  switch (random() % 8) {
    case 0:
      bytes[at] ^= static_cast<uint8_t>(1u << random() % 8);
      break;
    case 1:
      bytes[at] = static_cast<uint8_t>(random());
      break;
    case 2:
      PutNumber(bytes, at, random);
      break;
    case 3:
      bytes.erase(here, end);
      break;
    case 4: {  // Twice.
      const Bytes piece(here, end);
      bytes.insert(here, piece.begin(), piece.end());
      break;
    }
    case 5:
      bytes[at] = static_cast<uint8_t>(bytes[at] + (random() % 2 == 0 ? 1 : -1));
      break;
    case 6: {  // A piece of another input.
      const size_t from = Place(other.size(), random);
      const size_t count = std::min({other.size() - from, bytes.size() - at, size_t{256}});
      std::copy_n(other.begin() + static_cast<ptrdiff_t>(from), count, here);
      break;
    }
    default:
      std::fill(here, end, static_cast<uint8_t>(random() % 2 == 0 ? 0 : 0xff));
  }
}

// `other` is an input too, for pieces of it; neither is empty.
inline Bytes Changed(const Bytes& bytes, const Bytes& other, std::mt19937& random) {
  Bytes changed = bytes;
  // Mostly one: a file with many faults is refused for the first.
  for (size_t i = 1 + random() % 6 * (random() % 2); i > 0; --i) ChangeOnce(changed, other, random);
  if (random() % 8 == 0) changed.resize(random() % (changed.size() + 1));
  return changed;
}

}  // namespace bitplex::fuzz
