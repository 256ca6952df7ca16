// WebP by libwebp. EXIF in a WebP file is not looked at.
#include <webp/decode.h>

#include "server/image/format_decoders.h"

namespace bitplex::image_internal {

absl::StatusOr<int> DecodeWebp(Bytes file, const ImageHeader& header, uint8_t* rgb) {
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) {
    return absl::InternalError("libwebp is of another version than the one compiled against");
  }
  // Sides are below 2^14 (see webp_header.cpp), so a row fits an int.
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = rgb;
  config.output.u.RGBA.stride = static_cast<int>(header.width * 3);
  config.output.u.RGBA.size = size_t{header.height} * header.width * 3;
  const VP8StatusCode status = WebPDecode(file.data(), file.size(), &config);
  WebPFreeDecBuffer(&config.output);
  switch (status) {
    case VP8_STATUS_OK:
      return ExifOrientation({});
    case VP8_STATUS_OUT_OF_MEMORY:
      return NoMemoryToDecode();
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return Corrupted(header, "its data ends early");
    default:
      return Corrupted(header, "its data is broken");
  }
}

}  // namespace bitplex::image_internal
