// BMP without compression: rows of 1 to 32 bits a pixel, from the bottom unless the height is
// negative. Channels of five and six bits are filled up with zeros, a fourth byte is dropped.
#include <array>

#include "server/image/format_decoders.h"

namespace bitplex::image_internal {
namespace {

constexpr size_t kInfoAt = 14;      // The information header, behind the file header.
constexpr uint32_t kBitFields = 3;  // The compression that states the channels' bits.

using Palette = std::array<std::array<uint8_t, 3>, 256>;

struct Layout {
  uint32_t bits_per_pixel = 0;
  bool six_bits_green = false;  // Of 16 bits a pixel; else five.
  bool from_top = false;
  size_t pixels_at = 0;
  size_t row_bytes = 0;
  Palette palette = {};
};

absl::Status ReadPalette(Bytes bytes, const ImageHeader& header, size_t at, size_t count,
                         size_t entry_bytes, Layout& layout) {
  if (count > layout.palette.size()) return Corrupted(header, "a palette of more than 256 colours");
  if (!Has(bytes, at, count * entry_bytes)) {
    return Corrupted(header, "a part of its palette is missing");
  }
  for (size_t i = 0; i < count; ++i, at += entry_bytes) {
    layout.palette[i] = {bytes[at + 2], bytes[at + 1], bytes[at]};
  }
  return absl::OkStatus();
}

// OS/2's header: no compression, and palette entries of three bytes.
absl::Status ReadCoreHeader(Bytes bytes, const ImageHeader& header, Layout& layout) {
  constexpr size_t kCoreBytes = 12;
  layout.bits_per_pixel = Little16(bytes, 24);
  if (layout.bits_per_pixel == 16) return Corrupted(header, "16 bits a pixel with an OS/2 header");
  if (layout.bits_per_pixel > 8) return absl::OkStatus();
  return ReadPalette(bytes, header, kInfoAt + kCoreBytes, size_t{1} << layout.bits_per_pixel, 3,
                     layout);
}

// `at` lies behind the header. Masks of 32 bits a pixel are not looked at.
absl::Status ReadBitFields(Bytes bytes, const ImageHeader& header, size_t at, Layout& layout) {
  if (layout.bits_per_pixel == 32) return absl::OkStatus();
  if (layout.bits_per_pixel != 16) {
    return Corrupted(header, "bit fields without 16 or 32 bits a pixel");
  }
  if (!Has(bytes, at, 12)) return Corrupted(header, "its bit fields are missing");
  const uint32_t red = Little32(bytes, at), green = Little32(bytes, at + 4),
                 blue = Little32(bytes, at + 8);
  layout.six_bits_green = red == 0xF800 && green == 0x07E0 && blue == 0x001F;
  if (!layout.six_bits_green && (red != 0x7C00 || green != 0x03E0 || blue != 0x001F)) {
    return Corrupted(header, "bit fields that are neither 5-5-5 nor 5-6-5");
  }
  return absl::OkStatus();
}

absl::Status ReadInfoHeader(Bytes bytes, const ImageHeader& header, Layout& layout) {
  const size_t behind = kInfoAt + Little32(bytes, kInfoAt);
  layout.from_top = static_cast<int32_t>(Little32(bytes, 22)) < 0;
  layout.bits_per_pixel = Little16(bytes, 28);
  if (Little32(bytes, 30) == kBitFields) return ReadBitFields(bytes, header, behind, layout);
  if (layout.bits_per_pixel > 8) return absl::OkStatus();
  const size_t stated = Little32(bytes, 46);
  const size_t colours = stated != 0 ? stated : size_t{1} << layout.bits_per_pixel;
  return ReadPalette(bytes, header, behind, colours, 4, layout);
}

absl::StatusOr<Layout> ReadLayout(Bytes bytes, const ImageHeader& header) {
  Layout layout;
  const bool core = Little32(bytes, kInfoAt) == 12;
  absl::Status status =
      core ? ReadCoreHeader(bytes, header, layout) : ReadInfoHeader(bytes, header, layout);
  if (!status.ok()) return status;
  layout.pixels_at = Little32(bytes, 10);
  layout.row_bytes = (size_t{header.width} * layout.bits_per_pixel + 31) / 32 * 4;
  if (!Has(bytes, layout.pixels_at, layout.row_bytes * header.height)) {
    return Corrupted(header, "a part of its pixels is missing");
  }
  return layout;
}

// From the left: the highest bits of a byte come first.
void UnpackIndices(const Layout& layout, Bytes row, uint32_t width, uint8_t* rgb) {
  const uint32_t bits = layout.bits_per_pixel;
  for (uint32_t x = 0; x < width; ++x, rgb += 3) {
    const uint32_t bit = x * bits;
    const uint32_t index = row[bit / 8] >> (8 - bits - bit % 8) & ((1u << bits) - 1);
    std::memcpy(rgb, layout.palette[index].data(), 3);
  }
}

void Unpack16(const Layout& layout, Bytes row, uint32_t width, uint8_t* rgb) {
  const bool six = layout.six_bits_green;
  for (uint32_t x = 0; x < width; ++x, rgb += 3) {
    const uint32_t value = Little16(row, size_t{x} * 2);
    rgb[0] = static_cast<uint8_t>(value >> (six ? 8 : 7) & 0xF8);
    rgb[1] = static_cast<uint8_t>(value >> (six ? 3 : 2) & (six ? 0xFC : 0xF8));
    rgb[2] = static_cast<uint8_t>(value << 3 & 0xF8);
  }
}

// Blue, green, red, and perhaps a fourth byte.
void UnpackBytes(const Layout& layout, Bytes row, uint32_t width, uint8_t* rgb) {
  const size_t pixel_bytes = layout.bits_per_pixel / 8;
  const uint8_t* bgr = row.data();
  for (uint32_t x = 0; x < width; ++x, rgb += 3, bgr += pixel_bytes) {
    rgb[0] = bgr[2];
    rgb[1] = bgr[1];
    rgb[2] = bgr[0];
  }
}

}  // namespace

absl::StatusOr<int> DecodeBmp(Bytes file, const ImageHeader& header, uint8_t* rgb) {
  const absl::StatusOr<Layout> layout = ReadLayout(file, header);
  if (!layout.ok()) return layout.status();
  const auto unpack = layout->bits_per_pixel <= 8    ? UnpackIndices
                      : layout->bits_per_pixel == 16 ? Unpack16
                                                     : UnpackBytes;
  const size_t row_bytes = layout->row_bytes;
  for (uint32_t y = 0; y < header.height; ++y) {
    const size_t stored = layout->from_top ? y : header.height - 1 - y;
    unpack(*layout, file.subspan(layout->pixels_at + stored * row_bytes, row_bytes), header.width,
           rgb + size_t{y} * header.width * 3);
  }
  return ExifOrientation({});
}

}  // namespace bitplex::image_internal
