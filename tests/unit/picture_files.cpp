#include "tests/unit/picture_files.h"

// jpeglib.h needs what cstdio declares, and does not include it.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
// clang-format on
#include <png.h>

#include <cstdlib>
#include <random>

namespace bitplex::test {
namespace {

FileBytes Samples(size_t rows, size_t row_bytes, unsigned seed) {
  std::minstd_rand random(seed);
  FileBytes out;
  for (size_t y = 0; y < rows; ++y) {
    for (size_t x = 0; x < row_bytes; ++x) {
      out.push_back(static_cast<uint8_t>(x * 3 + y * 5 + (random() >> 8) % 64));
    }
  }
  return out;
}

void Put(FileBytes& out, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<uint8_t>(uint64_t{value} >> (8 * i)));
}

void Write(png_structp png, png_bytep data, size_t count) {
  auto& out = *static_cast<FileBytes*>(png_get_io_ptr(png));
  out.insert(out.end(), data, data + count);
}

void SetTransparent(png_structp png, png_infop info, int color_type) {
  png_color_16 color = {};
  color.red = color.green = color.blue = color.gray = 1;
  png_byte alphas[2] = {0, 128};
  png_set_tRNS(png, info, alphas, color_type == PNG_COLOR_TYPE_PALETTE ? 2 : 0, &color);
}

void SetExif(png_structp png, png_infop info, std::string exif) {
  if (exif.empty()) return;
  png_set_eXIf_1(png, info, static_cast<png_uint_32>(exif.size()),
                 reinterpret_cast<png_bytep>(exif.data()));
}

}  // namespace

FileBytes MakeJpeg(int height, int width, const JpegKind& kind, unsigned seed) {
  jpeg_compress_struct info = {};
  jpeg_error_mgr error = {};
  info.err = jpeg_std_error(&error);
  jpeg_create_compress(&info);
  unsigned char* out = nullptr;
  unsigned long out_bytes = 0;
  jpeg_mem_dest(&info, &out, &out_bytes);
  info.image_height = static_cast<JDIMENSION>(height);
  info.image_width = static_cast<JDIMENSION>(width);
  info.input_components = kind.components;
  info.in_color_space = kind.components == 1   ? JCS_GRAYSCALE
                        : kind.components == 3 ? JCS_RGB
                                               : JCS_CMYK;
  jpeg_set_defaults(&info);
  if (kind.ycck) jpeg_set_colorspace(&info, JCS_YCCK);
  if (kind.rgb) jpeg_set_colorspace(&info, JCS_RGB);
  jpeg_set_quality(&info, kind.quality, TRUE);
  for (int c = 0; c < kind.components; ++c) {
    const bool full = c == 0 || c == 3;
    info.comp_info[c].h_samp_factor = full ? kind.horizontal : 1;
    info.comp_info[c].v_samp_factor = full ? kind.vertical : 1;
  }
  if (kind.progressive) jpeg_simple_progression(&info);
  info.arith_code = kind.arithmetic ? TRUE : FALSE;
  info.restart_in_rows = static_cast<int>(kind.restart_rows);
  jpeg_start_compress(&info, TRUE);
  const size_t row_bytes = static_cast<size_t>(width) * kind.components;
  FileBytes samples = Samples(static_cast<size_t>(height), row_bytes, seed);
  for (size_t y = 0; y < static_cast<size_t>(height); ++y) {
    JSAMPROW row = samples.data() + y * row_bytes;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const FileBytes file(out, out + out_bytes);
  std::free(out);
  return file;
}

FileBytes MakePng(int height, int width, const PngKind& kind, unsigned seed) {
  FileBytes file;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png), end_info = png_create_info_struct(png);
  png_set_write_fn(png, &file, Write, nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height),
               kind.bit_depth, kind.color_type,
               kind.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (kind.color_type == PNG_COLOR_TYPE_PALETTE) {
    std::vector<png_color> palette;
    for (int i = 0; i < 1 << kind.bit_depth; ++i) {
      palette.push_back({static_cast<png_byte>(i * 37), static_cast<png_byte>(255 - i * 11),
                         static_cast<png_byte>(i * 91)});
    }
    png_set_PLTE(png, info, palette.data(), static_cast<int>(palette.size()));
  }
  if (kind.transparent) SetTransparent(png, info, kind.color_type);
  SetExif(png, info, kind.exif_before);
  png_write_info(png, info);
  const size_t row_bytes = png_get_rowbytes(png, info);
  FileBytes samples = Samples(static_cast<size_t>(height), row_bytes, seed);
  std::vector<png_bytep> rows;
  for (size_t y = 0; y < static_cast<size_t>(height); ++y) {
    rows.push_back(samples.data() + y * row_bytes);
  }
  png_write_image(png, rows.data());
  SetExif(png, end_info, kind.exif_behind);
  png_write_end(png, end_info);
  png_destroy_info_struct(png, &end_info);
  png_destroy_write_struct(&png, &info);
  return file;
}

FileBytes MakeBmp(int height, int width, const BmpKind& kind, unsigned seed) {
  const bool core = kind.header_bytes == 12;
  FileBytes head;
  Put(head, kind.header_bytes, 4);
  Put(head, static_cast<uint32_t>(width), core ? 2 : 4);
  Put(head, static_cast<uint32_t>(kind.from_top ? -height : height), core ? 2 : 4);
  Put(head, 1, 2);
  Put(head, static_cast<uint32_t>(kind.bits), 2);
  if (!core) {
    Put(head, kind.masks.empty() ? 0 : 3, 4);
    head.resize(32);
    Put(head, kind.colours, 4);
    head.resize(kind.header_bytes);
  }
  for (const uint32_t mask : kind.masks) Put(head, mask, 4);
  if (kind.bits <= 8) {
    const uint32_t colours = kind.colours != 0 ? kind.colours : 1u << kind.bits;
    for (uint32_t i = 0; i < colours; ++i) {
      const uint32_t colour = kind.grey_palette ? i * 0x010101u : i * 0x073B29u + 0x204060u;
      Put(head, colour, core ? 3 : 4);
    }
  }
  FileBytes file = {'B', 'M'};
  Put(file, 0, 8);
  Put(file, static_cast<uint32_t>(14 + head.size()), 4);
  file.insert(file.end(), head.begin(), head.end());
  const size_t row_bytes = (static_cast<size_t>(width) * kind.bits + 31) / 32 * 4;
  const FileBytes pixels = Samples(static_cast<size_t>(height), row_bytes, seed);
  file.insert(file.end(), pixels.begin(), pixels.end());
  return file;
}

std::string MakeExif(const std::vector<ExifEntry>& entries, bool little_endian) {
  std::string out = little_endian ? "II" : "MM";
  const auto put = [&](uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) {
      out += static_cast<char>(value >> (8 * (little_endian ? i : bytes - 1 - i)));
    }
  };
  put(42, 2);
  put(8, 4);
  put(static_cast<uint32_t>(entries.size()), 2);
  for (const ExifEntry& entry : entries) {
    put(entry.tag, 2);
    put(entry.type, 2);
    put(entry.count, 4);
    if (entry.type == 3) {
      put(entry.value >> 16, 2);
      put(entry.value & 0xFFFF, 2);
    } else {
      put(entry.value, 4);
    }
  }
  put(0, 4);
  return out;
}

ExifEntry Orientation(uint32_t orientation) { return {0x0112, 3, 1, orientation << 16}; }

FileBytes WithApp1(const FileBytes& jpeg, const std::string& data) {
  const size_t length = data.size() + 2;
  std::string out = "\xFF\xD8\xFF\xE1";
  out += static_cast<char>(length >> 8);
  out += static_cast<char>(length);
  out += data;
  out.append(jpeg.begin() + 2, jpeg.end());
  return FileBytes(out.begin(), out.end());
}

}  // namespace bitplex::test
