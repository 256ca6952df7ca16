// No damaged store is read: every byte changed in turn, and the file cut at every length.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "model_store/format/container.h"
#include "model_store/format/fused_store.h"
#include "tests/unit/tiny_network.h"

namespace bitplex {
namespace {

using format::ReadContainer;
using Bytes = std::vector<uint8_t>;

const Bytes& TinyStore() {
  static const Bytes bytes = test::StoreBytes(
      test::TinyArch(),
      {test::RandomTask(test::TinyArch(), {.name = "a", .bits = 1, .classes = 2}),
       test::RandomTask(test::TinyArch(), {.name = "b", .bits = 1, .classes = 2, .seed = 2})});
  return bytes;
}

// Whether the outer form sees that bit `bit` of byte `at` is not what it was.
bool Refused(Bytes& file, size_t at, unsigned bit) {
  const auto flip = static_cast<uint8_t>(1u << bit);
  file[at] ^= flip;
  const bool refused = !ReadContainer(file).ok();
  file[at] ^= flip;
  return refused;
}

TEST(StoreDamageTest, TheUndamagedStoreIsRead) {
  const auto container = ReadContainer(TinyStore());
  ASSERT_TRUE(container.ok()) << container.status();
  EXPECT_GT(container->records.size(), 100u);
}

TEST(StoreDamageTest, OneBitOfEveryByteOfTheFile) {
  Bytes file = TinyStore();
  for (size_t at = 0; at < file.size(); ++at) {
    ASSERT_TRUE(Refused(file, at, static_cast<unsigned>(at % 8))) << "byte " << at;
  }
  EXPECT_EQ(file, TinyStore());
}

TEST(StoreDamageTest, EveryBitOfTheHeader) {
  Bytes file = TinyStore();
  for (size_t bit = 0; bit < 8 * sizeof(format::Header); ++bit) {
    ASSERT_TRUE(Refused(file, bit / 8, static_cast<unsigned>(bit % 8))) << "bit " << bit;
  }
}

// Random places with random new values, through FusedStore::Open and a real file.
TEST(StoreDamageTest, OpenRefusesRandomDamage) {
  const std::string path = test::TempPath("damaged.bpx");
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    Bytes file = TinyStore();
    const size_t at = random() % file.size();
    file[at] = static_cast<uint8_t>(file[at] + 1 + random() % 255);
    test::WriteBytes(path, file);
    ASSERT_FALSE(FusedStore::Open(path).ok()) << "byte " << at;
  }
  std::filesystem::remove(path);
}

TEST(StoreDamageTest, CutAtEveryLength) {
  const Bytes& file = TinyStore();
  for (size_t length = 0; length < file.size(); ++length) {
    // A copy of its own, so that a read past the end is one past an allocation's end.
    const bool near_an_edge = length < 4096 || file.size() - length < 64;
    const Bytes copy = near_an_edge ? Bytes(file.begin(), file.begin() + length) : Bytes();
    const absl::Span<const uint8_t> cut =
        near_an_edge ? absl::MakeSpan(copy) : absl::MakeSpan(file).subspan(0, length);
    ASSERT_FALSE(ReadContainer(cut).ok()) << length << " bytes";
  }
}

// The shipped store, where it is there: 1,000 places.
TEST(StoreDamageTest, RandomPlacesOfTheShippedStore) {
  Bytes file = test::ReadBytes(BITPLEX_STORES_DIR "/cifar.bpx");
  if (file.empty()) GTEST_SKIP() << "model_store/stores/cifar.bpx is not there";
  const auto whole = ReadContainer(file);
  ASSERT_TRUE(whole.ok()) << whole.status();
  std::mt19937 random(6);
  for (int round = 0; round < 1000; ++round) {
    const size_t at = random() % file.size();
    ASSERT_TRUE(Refused(file, at, random() % 8)) << "byte " << at;
  }
}

}  // namespace
}  // namespace bitplex
