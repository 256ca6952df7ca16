// Picture files of the kinds that OpenCV cannot write, made with the formats' own libraries, or by
// hand. All are filled with noise from `seed` over a gradient, so that every code path of a decoder
// sees values that differ.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bitplex::test {

using FileBytes = std::vector<uint8_t>;

struct JpegKind {
  int components = 3;  // 1 grey, 3 YCbCr, 4 CMYK.
  bool ycck = false;   // Of 4 components.
  bool rgb = false;    // Of 3 components: stored as they are.
  int horizontal = 1;  // How often the first component is sampled, against the others.
  int vertical = 1;
  bool progressive = false;
  bool arithmetic = false;
  unsigned restart_rows = 0;  // 0: no restart markers.
  int quality = 90;
};
FileBytes MakeJpeg(int height, int width, const JpegKind& kind, unsigned seed = 1);

struct PngKind {
  int color_type = 2;  // PNG's numbers: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA.
  int bit_depth = 8;
  bool interlaced = false;
  bool transparent = false;      // tRNS: a colour, or alphas of the palette.
  std::string exif_before = {};  // An eXIf chunk before or behind the pixels.
  std::string exif_behind = {};
};
FileBytes MakePng(int height, int width, const PngKind& kind, unsigned seed = 1);

struct BmpKind {
  int bits = 24;
  uint32_t header_bytes = 40;  // 12 is OS/2's.
  bool from_top = false;
  uint32_t colours = 0;              // Of the palette as stated; 0: all.
  std::vector<uint32_t> masks = {};  // Behind the header; any make it "bit fields".
  bool grey_palette = false;
};
FileBytes MakeBmp(int height, int width, const BmpKind& kind, unsigned seed = 1);

// An EXIF block of big-endian entries, tag, type, count, value, twelve bytes each.
struct ExifEntry {
  uint32_t tag, type, count, value;  // A short's value stands in the upper 16 bits.
};
std::string MakeExif(const std::vector<ExifEntry>& entries, bool little_endian = false);
ExifEntry Orientation(uint32_t orientation);

// A JPEG with an APP1 segment put in front of all others.
FileBytes WithApp1(const FileBytes& jpeg, const std::string& data);

}  // namespace bitplex::test
