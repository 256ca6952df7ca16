// From one client's picture, of whichever kind, to one image of the network's input.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "model_store/arch/architecture.h"
#include "model_store/format/task_info.h"
#include "server/image/image_decode.h"
#include "server/image/image_ref.h"

namespace bitplex {

// For admission: reads a header at most. INVALID_ARGUMENT.
absl::Status CheckImage(const ImageRef& image, const Architecture& arch, const ImageLimits& limits);

// Decodes, resizes and normalises a picture that passed CheckImage into `out`. `rgb` is scratch.
// Both have arch.input_values() elements, whose content is undefined after an error. Errors as
// DecodeEncoded.
absl::Status ReadImage(const ImageRef& image, const Architecture& arch, const TaskInfo& task,
                       absl::Span<uint8_t> rgb, absl::Span<float> out);

}  // namespace bitplex
