#include "server/image/image_decode.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgproc.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/image/format_decoders.h"
#include "server/image/image_header.h"

namespace bitplex {
namespace {

// What OpenCV refuses is answered to the client; it should not fill the server's log as well. One
// thread, because parallelism comes from the server's workers.
void PrepareOpenCv() {
  static std::once_flag once;
  std::call_once(once, [] {
    cv::setNumThreads(1);
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    cv::redirectError([](int, const char*, const char*, const char*, int, void*) { return 0; });
  });
}

// Runs `call`, and turns what OpenCV throws into a status. Without memory the fault is ours, else
// it is the picture's.
template <typename Call>
absl::Status Guard(const Call& call) {
  PrepareOpenCv();
  try {
    return call();
  } catch (const cv::Exception& e) {
    if (e.code != cv::Error::StsNoMem) {
      return absl::InvalidArgumentError(absl::StrCat("the image cannot be processed: ", e.err,
                                                     "; check that it opens in a viewer"));
    }
  } catch (const std::bad_alloc&) {
  } catch (const std::exception& e) {
    return absl::InternalError(absl::StrCat("decoding the image failed: ", e.what()));
  }
  return image_internal::NoMemoryToDecode();
}

absl::Status CheckSize(uint64_t height, uint64_t width, const ImageLimits& limits) {
  if (height > kMaxImageSide || width > kMaxImageSide) {
    return absl::InvalidArgumentError(absl::StrCat("the image is ", width, " x ", height,
                                                   " pixels; no side may exceed ", kMaxImageSide,
                                                   ", send a smaller one"));
  }
  if (height * width > limits.max_pixels) {
    return absl::InvalidArgumentError(absl::StrCat("the image has ", width, " x ", height,
                                                   " pixels; the limit is ", limits.max_pixels,
                                                   " in all, send a smaller one"));
  }
  return absl::OkStatus();
}

absl::StatusOr<int> Decode(absl::Span<const uint8_t> bytes, const ImageHeader& header,
                           uint8_t* rgb) {
  switch (header.format) {
    case ImageFormat::kJpeg:
      return image_internal::DecodeJpeg(bytes, header, rgb);
    case ImageFormat::kPng:
      return image_internal::DecodePng(bytes, header, rgb);
    case ImageFormat::kWebp:
      return image_internal::DecodeWebp(bytes, header, rgb);
    case ImageFormat::kBmp:
      return image_internal::DecodeBmp(bytes, header, rgb);
  }
  return absl::InternalError("an image format without a decoder");
}

// The picture as it is to be seen, from one whose EXIF orientation is given.
void Turn(int orientation, cv::Mat& picture) {
  constexpr int kUpsideDown = 0, kMirrored = 1, kBoth = -1;
  if (orientation >= 5 && orientation <= 8) cv::transpose(picture, picture);
  if (orientation == 2 || orientation == 6) cv::flip(picture, picture, kMirrored);
  if (orientation == 3 || orientation == 7) cv::flip(picture, picture, kBoth);
  if (orientation == 4 || orientation == 8) cv::flip(picture, picture, kUpsideDown);
}

// INTER_AREA averages only when no axis grows, so an image that shrinks along one axis and grows
// along the other takes two steps.
cv::Mat Resize(const cv::Mat& source, int height, int width) {
  const cv::Size shrunk(std::min(source.cols, width), std::min(source.rows, height));
  cv::Mat result = source;
  if (shrunk != result.size()) cv::resize(source, result, shrunk, 0, 0, cv::INTER_AREA);
  const cv::Size target(width, height);
  if (target == result.size()) return result;
  cv::Mat grown;
  cv::resize(result, grown, target, 0, 0, cv::INTER_LINEAR);
  return grown;
}

absl::Status CheckTarget(size_t height, size_t width, absl::Span<uint8_t> rgb) {
  if (height == 0 || width == 0 || height > kMaxImageSide || width > kMaxImageSide ||
      rgb.size() != height * width * 3) {
    return absl::InternalError(absl::StrCat("a buffer of ", rgb.size(), " bytes for ", width, " x ",
                                            height, " RGB pixels"));
  }
  return absl::OkStatus();
}

// OpenCV reads through pointers to non-const.
cv::Mat Wrap(int rows, int cols, int type, const uint8_t* data) {
  return cv::Mat(rows, cols, type, const_cast<uint8_t*>(data));
}

}  // namespace

absl::Status CheckEncoded(absl::Span<const uint8_t> bytes, const ImageLimits& limits) {
  if (bytes.size() > limits.max_encoded_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the image file has ", bytes.size(), " bytes; the limit is ",
                     limits.max_encoded_bytes, ", send a smaller one"));
  }
  const absl::StatusOr<ImageHeader> header = ReadImageHeader(bytes);
  if (!header.ok()) return header.status();
  return CheckSize(header->height, header->width, limits);
}

absl::Status CheckRaw(size_t height, size_t width, size_t rgb_bytes, const ImageLimits& limits) {
  if (height == 0 || width == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the raw image is ", width, " x ", height, " pixels; send at least 1 x 1"));
  }
  if (absl::Status status = CheckSize(height, width, limits); !status.ok()) return status;
  if (rgb_bytes != height * width * 3) {  // Both sides are below 2^16 here.
    return absl::InvalidArgumentError(
        absl::StrCat("the raw image has ", rgb_bytes, " bytes; ", width, " x ", height,
                     " RGB pixels take exactly ", height * width * 3));
  }
  return absl::OkStatus();
}

absl::Status DecodeEncoded(absl::Span<const uint8_t> bytes, size_t height, size_t width,
                           absl::Span<uint8_t> rgb) {
  if (absl::Status status = CheckTarget(height, width, rgb); !status.ok()) return status;
  const absl::StatusOr<ImageHeader> header = ReadImageHeader(bytes);
  if (!header.ok()) return header.status();
  const ImageLimits no_pixel_limit{.max_pixels = SIZE_MAX};
  if (absl::Status status = CheckSize(header->height, header->width, no_pixel_limit);
      !status.ok()) {
    return status;
  }
  return Guard([&]() -> absl::Status {
    cv::Mat picture(static_cast<int>(header->height), static_cast<int>(header->width), CV_8UC3);
    const absl::StatusOr<int> orientation = Decode(bytes, *header, picture.data);
    if (!orientation.ok()) return orientation.status();
    Turn(*orientation, picture);
    const int rows = static_cast<int>(height), cols = static_cast<int>(width);
    cv::Mat out(rows, cols, CV_8UC3, rgb.data());
    Resize(picture, rows, cols).copyTo(out);
    return absl::OkStatus();
  });
}

absl::Status ResizeRaw(size_t source_height, size_t source_width,
                       absl::Span<const uint8_t> source_rgb, size_t height, size_t width,
                       absl::Span<uint8_t> rgb) {
  if (absl::Status status = CheckTarget(height, width, rgb); !status.ok()) return status;
  const ImageLimits no_pixel_limit{.max_pixels = SIZE_MAX};
  if (absl::Status status =
          CheckRaw(source_height, source_width, source_rgb.size(), no_pixel_limit);
      !status.ok()) {
    return status;
  }
  if (source_height == height && source_width == width) {
    std::memcpy(rgb.data(), source_rgb.data(), rgb.size());
    return absl::OkStatus();
  }
  return Guard([&] {
    const cv::Mat source = Wrap(static_cast<int>(source_height), static_cast<int>(source_width),
                                CV_8UC3, source_rgb.data());
    const int rows = static_cast<int>(height), cols = static_cast<int>(width);
    cv::Mat out(rows, cols, CV_8UC3, rgb.data());
    Resize(source, rows, cols).copyTo(out);
    return absl::OkStatus();
  });
}

}  // namespace bitplex
