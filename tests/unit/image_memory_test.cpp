#include <gtest/gtest.h>
#include <sys/resource.h>
#include <zlib.h>

#include <string>
#include <vector>

#include "server/image/image_decode.h"
#include "tests/unit/picture_files.h"

namespace bitplex {
namespace {

long PeakKib() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

std::string Big32(uLong value) {
  std::string out;
  for (int i = 3; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
  return out;
}

// A chunk of text that unfolds to a thousand times its size.
std::string CompressedText(size_t bytes) {
  const std::string text(bytes, 'x');
  std::string packed(compressBound(bytes), '\0');
  uLongf packed_bytes = packed.size();
  compress(reinterpret_cast<Bytef*>(packed.data()), &packed_bytes,
           reinterpret_cast<const Bytef*>(text.data()), bytes);
  packed.resize(packed_bytes);
  const std::string body = std::string("zTXt") + std::string("a\0\0", 3) + packed;
  const uLong sum =
      crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return Big32(body.size() - 4) + body + Big32(sum);
}

TEST(ImageMemoryTest, TextInAPngIsNotUnfolded) {
  constexpr size_t kTextBytes = 7'000'000, kTexts = 60, kBehindIhdr = 33;
  const test::FileBytes picture = test::MakePng(4, 4, {});
  const std::string text = CompressedText(kTextBytes);
  std::string file(picture.begin(), picture.begin() + kBehindIhdr);
  for (size_t i = 0; i < kTexts; ++i) file += text;
  file.append(picture.begin() + kBehindIhdr, picture.end());
  const test::FileBytes bytes(file.begin(), file.end());

  ASSERT_TRUE(CheckEncoded(bytes, {}).ok());
  std::vector<uint8_t> rgb(4 * 4 * 3), expected(4 * 4 * 3);
  ASSERT_TRUE(DecodeEncoded(picture, 4, 4, absl::MakeSpan(expected)).ok());
  const long before = PeakKib();
  ASSERT_TRUE(DecodeEncoded(bytes, 4, 4, absl::MakeSpan(rgb)).ok());
  EXPECT_LT(PeakKib() - before, 50 * 1024) << "of 410 MiB of text";
  EXPECT_EQ(rgb, expected);
}

}  // namespace
}  // namespace bitplex
