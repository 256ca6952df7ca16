// Text for a terminal, out of bytes that may be anything.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bitplex {

// Makes `text` safe to print on one line: line breaks and tabs become spaces; other control
// characters (they could drive the terminal) and bytes that are no UTF-8 become '?'.
std::string Printable(std::string_view text);

// Columns that printable UTF-8 takes on a terminal: East Asian wide characters and most emoji take
// two, combining accents none. Good for aligning, not for typography.
size_t DisplayWidth(std::string_view text);

}  // namespace bitplex
