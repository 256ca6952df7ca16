#include "tests/load/pictures.h"

#include <cstdio>
#include <cstdlib>

#include "server/image/image_decode.h"
#include "tests/service/serving_fixture.h"
#include "tests/unit/picture_files.h"
#include "tests/unit/tiny_network.h"

namespace bitplex::load {
namespace {

std::string Text(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

absl::Span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

std::vector<uint8_t> Picture::Resized(const Architecture& arch) const {
  std::vector<uint8_t> rgb(arch.input_values());
  const absl::Status status = encoded() ? DecodeEncoded(Bytes(bytes), arch.input_height,
                                                        arch.input_width, absl::MakeSpan(rgb))
                                        : ResizeRaw(height, width, Bytes(bytes), arch.input_height,
                                                    arch.input_width, absl::MakeSpan(rgb));
  if (!status.ok()) {
    std::fprintf(stderr, "pictures: %s\n", status.ToString().c_str());
    std::abort();
  }
  return rgb;
}

std::vector<Picture> MakePictures(const Architecture& arch) {
  std::vector<Picture> pictures;
  const auto raw = [&](size_t height, size_t width) {
    const auto seed = static_cast<uint32_t>(pictures.size() + 1);
    pictures.push_back({height, width, Text(test::RandomRgb(height, width, seed))});
  };
  const auto file = [&](const std::vector<uint8_t>& bytes) {
    pictures.push_back({0, 0, Text(bytes)});
  };
  for (int i = 0; i < 16; ++i) raw(arch.input_height, arch.input_width);
  for (const size_t side : {5, 31, 48, 64}) raw(side, side + 3);
  file(test::MakeJpeg(48, 40, {}));
  file(test::MakeJpeg(33, 65, {.horizontal = 2, .vertical = 2, .restart_rows = 1}));
  file(test::MakeJpeg(40, 40, {.progressive = true}));
  file(test::MakeJpeg(32, 32, {.components = 1}));
  file(test::MakePng(32, 32, {}));
  file(test::MakePng(50, 20, {.color_type = 6, .interlaced = true}));
  file(test::MakePng(17, 90, {.color_type = 3, .bit_depth = 4}));
  file(test::MakeBmp(32, 48, {}));
  file(test::ReadBytes(BITPLEX_IMAGE_SEEDS_DIR "/lossy.webp"));
  file(test::ReadBytes(BITPLEX_IMAGE_SEEDS_DIR "/lossless.webp"));
  return pictures;
}

}  // namespace bitplex::load
