// Survives the truncation of a mapped file: what was mapped and is gone reads as nought instead of
// ending the process with SIGBUS. Who reads must then find out that the file has changed
// (MappedFile::Unchanged) and throw away what was read.
#pragma once

#include <cstddef>

#include "absl/status/status.h"

namespace bitplex {

// Installs the handler of SIGBUS, for the whole process. A SIGBUS at any other place ends the
// process as it would without. Call once, before threads are started.
absl::Status SurviveMapFaults();

// Ranges in which a SIGBUS is survived. Thread-safe and lock-free; a bounded number of ranges
// (1024) can be guarded, further ones are not.
void GuardMapping(const void* data, size_t bytes);
void UnguardMapping(const void* data);

// Whether a SIGBUS was survived in the guarded range that begins at `data`: by truncation, or
// because the system could not read the file.
bool MappingFaulted(const void* data);

}  // namespace bitplex
