// A plain main for the fuzz targets, so that they are built and run in every build: feeds each file
// given, and then changed copies of them in turn, to the target; the same ones every time.
//
//   TARGET INPUTS FILE...
//
// INPUTS is how many changed copies there are in all. With clang++ the same targets are linked to
// libFuzzer instead (the `fuzz` preset).
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/fuzz/change.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

void Feed(const Bytes& bytes) {
  // Of exactly its size, so that AddressSanitizer sees the first byte behind it.
  const Bytes copy(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s INPUTS FILE...\n", argv[0]);
    return EXIT_FAILURE;
  }
  const long inputs = std::atol(argv[1]);
  std::vector<Bytes> seeds;
  for (int i = 2; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    if (seeds.back().empty()) {
      std::fprintf(stderr, "%s: cannot read\n", argv[i]);
      return EXIT_FAILURE;
    }
    Feed(seeds.back());
  }
  std::mt19937 random(1);
  for (long i = 0; i < inputs; ++i) {
    const Bytes& seed = seeds[static_cast<size_t>(i) % seeds.size()];
    Feed(bitplex::fuzz::Changed(seed, seeds[random() % seeds.size()], random));
  }
  std::printf("%zu files, %ld changed copies\n", seeds.size(), inputs);
  return EXIT_SUCCESS;
}
