# bitplex_libtorch: LibTorch's headers and libraries, for the two modules that see it.
#
# By default those of find_package(Torch). BITPLEX_LIBTORCH names a folder with include/ and lib/
# instead, such as site-packages/torch of the PyPI package: its own CMake files ask for the whole
# CUDA toolkit, of which nothing is needed here. It must have been built with the C++11 ABI (torch
# 2.7 and later on PyPI).
set(BITPLEX_LIBTORCH "" CACHE PATH "LibTorch's folder, when it is not installed in the system")

add_library(bitplex_libtorch INTERFACE IMPORTED)
if(BITPLEX_LIBTORCH)
  target_include_directories(bitplex_libtorch SYSTEM INTERFACE
    ${BITPLEX_LIBTORCH}/include ${BITPLEX_LIBTORCH}/include/torch/csrc/api/include)
  # Nothing refers to a symbol of the CUDA library; it registers itself when it is loaded.
  target_link_libraries(bitplex_libtorch INTERFACE
    -Wl,--no-as-needed ${BITPLEX_LIBTORCH}/lib/libtorch.so -Wl,--as-needed
    ${BITPLEX_LIBTORCH}/lib/libtorch_cpu.so ${BITPLEX_LIBTORCH}/lib/libc10.so)
  target_link_options(bitplex_libtorch INTERFACE -Wl,-rpath,${BITPLEX_LIBTORCH}/lib)
else()
  find_package(Torch REQUIRED)  # Target: torch.
  target_link_libraries(bitplex_libtorch INTERFACE torch)
endif()
