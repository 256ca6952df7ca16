// PNG by libpng, whatever its depth, its palette and its order of rows, as 8-bit RGB.
#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "server/image/format_decoders.h"

namespace bitplex::image_internal {
namespace {

// Owns what libpng allocates. A frame that is jumped over must not, so this lives in another one.
struct Decoder {
  Bytes rest;  // Of the file.
  char message[128] = "no memory";
  png_structp png = nullptr;
  png_infop info = nullptr;
  png_infop end_info = nullptr;

  explicit Decoder(Bytes file) : rest(file) {}
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { png_destroy_read_struct(&png, &info, &end_info); }
};

[[noreturn]] void OnError(png_structp png, png_const_charp text) {
  auto* const decoder = static_cast<Decoder*>(png_get_error_ptr(png));
  std::snprintf(decoder->message, sizeof(decoder->message), "%s", text);
  png_longjmp(png, 1);
}
void OnWarning(png_structp, png_const_charp) {}

void Read(png_structp png, png_bytep out, size_t count) {
  Bytes& rest = static_cast<Decoder*>(png_get_io_ptr(png))->rest;
  if (count > rest.size()) png_error(png, "the file ends early");
  std::memcpy(out, rest.data(), count);
  rest.remove_prefix(count);
}

bool Create(Decoder& decoder) {
  decoder.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder, OnError, OnWarning);
  if (decoder.png == nullptr) return false;
  decoder.info = png_create_info_struct(decoder.png);
  decoder.end_info = png_create_info_struct(decoder.png);
  return decoder.info != nullptr && decoder.end_info != nullptr;
}

// Only what turns or colours the picture is looked at. Else each of a thousand text chunks could
// unfold to megabytes.
void SetLimits(png_structp png, const ImageHeader& header) {
  png_set_user_limits(png, header.width, header.height);
  png_set_chunk_malloc_max(png, 8'000'000);
  png_set_chunk_cache_max(png, 16);
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_AS_DEFAULT,
                              reinterpret_cast<png_const_bytep>("eXIf"), 1);
}

void AskForRgb(png_structp png, png_infop info) {
  const int color = png_get_color_type(png, info);
  png_set_strip_16(png);
  png_set_strip_alpha(png);
  if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if ((color & PNG_COLOR_MASK_COLOR) == 0) {
    if (png_get_bit_depth(png, info) < 8) png_set_expand_gray_1_2_4_to_8(png);
    png_set_gray_to_rgb(png);
  }
}

// Nothing here may have a destructor: libpng's errors jump out of it.
bool Decode(Decoder& decoder, const ImageHeader& header, uint8_t* rgb) {
  const png_structp png = decoder.png;
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  SetLimits(png, header);
  png_set_read_fn(png, &decoder, Read);
  png_read_info(png, decoder.info);
  AskForRgb(png, decoder.info);
  const int passes = png_set_interlace_handling(png);
  png_read_update_info(png, decoder.info);
  const size_t row_bytes = size_t{header.width} * 3;
  if (png_get_image_width(png, decoder.info) != header.width ||
      png_get_image_height(png, decoder.info) != header.height ||
      png_get_rowbytes(png, decoder.info) != row_bytes) {
    png_error(png, "two sizes in one file");
  }
  for (int pass = 0; pass < passes; ++pass) {
    for (uint32_t y = 0; y < header.height; ++y) {
      png_read_row(png, rgb + y * row_bytes, nullptr);
    }
  }
  png_read_end(png, decoder.end_info);  // Checks the rest of the file.
  return true;
}

// EXIF may stand before or behind the pixels.
int Orientation(const Decoder& decoder) {
  for (const png_infop info : {decoder.info, decoder.end_info}) {
    png_uint_32 count = 0;
    png_bytep exif = nullptr;
    if (png_get_eXIf_1(decoder.png, info, &count, &exif) != 0 && exif != nullptr) {
      return ExifOrientation({exif, count});
    }
  }
  return ExifOrientation({});
}

}  // namespace

absl::StatusOr<int> DecodePng(Bytes file, const ImageHeader& header, uint8_t* rgb) {
  Decoder decoder(file);
  if (!Create(decoder)) return NoMemoryToDecode();
  if (!Decode(decoder, header, rgb)) return Corrupted(header, decoder.message);
  return Orientation(decoder);
}

}  // namespace bitplex::image_internal
