// JPEG by libjpeg-turbo, with its defaults: the accurate inverse DCT, smooth upsampling.
// jpeglib.h needs what cstdio declares, and does not include it.
// clang-format off
#include <cstdio>
#include <jerror.h>
#include <jpeglib.h>
// clang-format on

#include <algorithm>
#include <csetjmp>
#include <cstring>

#include "server/image/format_decoders.h"

namespace bitplex::image_internal {
namespace {

struct ErrorHandler {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

// Owns what libjpeg allocates. A frame that is jumped over must not, so this lives in another one.
struct Decoder {
  jpeg_decompress_struct info{};
  ErrorHandler error{};
  jpeg_source_mgr source{};

  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { jpeg_destroy_decompress(&info); }
};

[[noreturn]] void OnError(j_common_ptr info) {
  auto* const error = reinterpret_cast<ErrorHandler*>(info->err);
  error->base.format_message(info, error->message);
  std::longjmp(error->jump, 1);
}

bool Fail(Decoder& decoder, const char* message) {
  std::snprintf(decoder.error.message, sizeof(decoder.error.message), "%s", message);
  return false;
}

// Damage that libjpeg can pass over is a warning of it, and no error.
void Prepare(Decoder& decoder, Bytes file) {
  decoder.info.err = jpeg_std_error(&decoder.error.base);
  decoder.error.base.error_exit = OnError;
  decoder.error.base.output_message = [](j_common_ptr) {};
  decoder.error.base.emit_message = [](j_common_ptr, int) {};

  jpeg_source_mgr& source = decoder.source;
  source.next_input_byte = file.data();
  source.bytes_in_buffer = file.size();
  source.init_source = [](j_decompress_ptr) {};
  source.term_source = [](j_decompress_ptr) {};
  source.resync_to_restart = jpeg_resync_to_restart;
  // There is no more than the file: libjpeg stops, and its caller sees that.
  source.fill_input_buffer = [](j_decompress_ptr) -> boolean { return FALSE; };
  source.skip_input_data = [](j_decompress_ptr info, long count) {
    if (count <= 0) return;
    jpeg_source_mgr& src = *info->src;
    const size_t skipped = std::min(static_cast<size_t>(count), src.bytes_in_buffer);
    src.next_input_byte += skipped;
    src.bytes_in_buffer -= skipped;
  };
}

// What a picture of several scans may hold at most: two bytes for each value of its padded planes
// (4, in blocks of up to 32 x 32 pixels), and some rows.
long MostBytes(const ImageHeader& header) {
  const auto padded = [](uint32_t side) { return (long{side} + 31) / 32 * 32; };
  constexpr long kRows = long{64} << 20;
  return kRows + padded(header.height) * padded(header.width) * 4 * 2;
}

// As Adobe's programs, and so most others, store it: inverted.
void CmykToRgb(const uint8_t* cmyk, size_t pixels, uint8_t* rgb) {
  for (size_t i = 0; i < pixels; ++i, cmyk += 4, rgb += 3) {
    const int black = cmyk[3];
    for (int c = 0; c < 3; ++c) {
      rgb[c] = static_cast<uint8_t>(black - ((255 - cmyk[c]) * black >> 8));
    }
  }
}

// Nothing here may have a destructor: libjpeg's errors jump out of it.
bool Decode(Decoder& decoder, const ImageHeader& header, uint8_t* rgb) {
  if (setjmp(decoder.error.jump) != 0) return false;
  jpeg_decompress_struct& info = decoder.info;
  jpeg_create_decompress(&info);
  info.mem->max_memory_to_use = MostBytes(header);
  info.src = &decoder.source;
  if (jpeg_read_header(&info, TRUE) != JPEG_HEADER_OK) return Fail(decoder, "no header");
  const bool cmyk = info.num_components == 4;
  info.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  if (jpeg_start_decompress(&info) == FALSE) return Fail(decoder, "the file ends early");
  if (info.output_width != header.width || info.output_height != header.height ||
      info.output_components != (cmyk ? 4 : 3)) {
    return Fail(decoder, "two sizes in one file");
  }
  const size_t row_bytes = size_t{header.width} * 3;
  JSAMPROW cmyk_row = nullptr;
  if (cmyk) {
    cmyk_row = *info.mem->alloc_sarray(reinterpret_cast<j_common_ptr>(&info), JPOOL_IMAGE,
                                       header.width * 4, 1);
  }
  for (uint32_t y = 0; y < header.height; ++y) {
    JSAMPROW row = rgb + y * row_bytes;
    if (jpeg_read_scanlines(&info, cmyk ? &cmyk_row : &row, 1) == 1) {
      if (cmyk) CmykToRgb(cmyk_row, header.width, row);
    } else if (y > 0) {
      std::memcpy(row, row - row_bytes, row_bytes);
    } else {
      std::memset(row, 0, row_bytes);
    }
  }
  return true;  // What follows the last row does not matter.
}

}  // namespace

absl::StatusOr<int> DecodeJpeg(Bytes file, const ImageHeader& header, uint8_t* rgb) {
  constexpr size_t kExifNameBytes = 6;  // "Exif", 0, 0.
  Decoder decoder;
  Prepare(decoder, file);
  if (!Decode(decoder, header, rgb)) {
    if (decoder.error.base.msg_code == JERR_OUT_OF_MEMORY) return NoMemoryToDecode();
    return Corrupted(header, decoder.error.message);
  }
  const Bytes app1 = FirstJpegApp1(file);
  if (app1.size() <= kExifNameBytes) return ExifOrientation({});
  return ExifOrientation(app1.subspan(kExifNameBytes));
}

}  // namespace bitplex::image_internal
