// A plain main for the fuzz targets, so that they are built and run in every build: feeds each file
// given, and a fixed number of changed copies of it, to the target. With clang++ the same targets
// are linked to libFuzzer instead (the `fuzz` preset).
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr int kChangedCopies = 300;

void RunChanged(std::vector<uint8_t> bytes, std::mt19937& random) {
  for (size_t i = random() % 8; i > 0 && !bytes.empty(); --i) {
    bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
  }
  if (random() % 4 == 0) bytes.resize(random() % (bytes.size() + 1));
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::mt19937 random(1);
  for (int i = 1; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
    if (bytes.empty()) {
      std::fprintf(stderr, "%s: cannot read\n", argv[i]);
      return EXIT_FAILURE;
    }
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    for (int copy = 0; copy < kChangedCopies; ++copy) RunChanged(bytes, random);
  }
  std::printf("%d files, %d inputs\n", argc - 1, (argc - 1) * (kChangedCopies + 1));
  return EXIT_SUCCESS;
}
