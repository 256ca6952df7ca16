// The store file as it lies on disk, version 1. FORMAT.md is the specification; these structs are
// its fields. Little-endian.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace bitplex::format {

static_assert(std::endian::native == std::endian::little, "stores are mapped, not converted");

// The first byte is not ASCII and the line ends in the middle show a file that was sent as text.
inline constexpr char kMagic[8] = {'\x89', 'B', 'P', 'X', '\r', '\n', '\x1a', '\n'};
inline constexpr uint32_t kVersion = 1;
inline constexpr size_t kAlignment = 64;  // Of every section's first byte.

// Limits that a reader enforces before it believes a length.
inline constexpr uint64_t kMaxMetadataBytes = 64u << 20;
inline constexpr uint32_t kMaxRecords = 1u << 20;
inline constexpr uint32_t kMaxTasks = 64;
inline constexpr uint32_t kMaxClasses = 100'000;

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t header_bytes;
  uint64_t file_bytes;
  uint64_t metadata_offset;
  uint64_t metadata_bytes;
  uint64_t metadata_checksum;
  uint64_t records_offset;
  uint32_t record_count;
  uint32_t task_count;
  uint64_t records_checksum;
  uint8_t reserved[48];
  uint64_t header_checksum;
};
static_assert(sizeof(Header) == 128 && offsetof(Header, header_checksum) == 120);

enum class Kind : uint32_t { kWords = 1, kSigns = 2, kExponents = 3, kFloat32 = 4 };

inline constexpr uint32_t kAllTasks = 0xFFFFFFFF;

struct Record {
  char name[48];  // Padded with zero bytes, at least one.
  Kind kind;
  uint32_t task;
  uint32_t rank;
  uint32_t dims[4];
  uint32_t word_bits;    // kWords.
  uint32_t field_shift;  // kSigns: where the task's field starts in the words of the same name.
  uint32_t field_bits;   // kSigns.
  uint64_t offset;
  uint64_t bytes;
  uint64_t checksum;
  uint8_t reserved[16];
};
static_assert(sizeof(Record) == 128 && std::is_trivially_copyable_v<Record>);

// XXH3-64 with seed 0. https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
uint64_t Checksum(const void* data, size_t bytes);

constexpr uint64_t AlignUp(uint64_t offset) {
  return (offset + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace bitplex::format
