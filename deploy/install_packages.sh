#!/usr/bin/env bash
# Installs Debian 12 packages; does nothing, and needs no network, when all are there.
#
#   deploy/install_packages.sh [build|serve|runtime|load|peers|tools]
#
#   build    to compile and test all of Bitplex (the default)
#   serve    to compile it without LibTorch: no trainer, no reference executor, no tests
#   runtime  to run what was compiled with `serve`
#   load     to run deploy/load/run.sh
#   peers    to run deploy/load/peers.sh
#   tools    to run deploy/kubernetes/validate.sh and deploy/sbom.sh
set -euo pipefail

# Compiling the programs that serve, fuse and classify.
readonly serve=(
  g++ cmake ninja-build ccache lld
  libabsl-dev libgrpc++-dev protobuf-compiler-grpc libprotobuf-dev protobuf-compiler
  libdnnl-dev
  libopencv-core-dev libopencv-imgproc-dev libjpeg62-turbo-dev libpng-dev libwebp-dev
  libspdlog-dev nlohmann-json3-dev libcli11-dev prometheus-cpp-dev
  libzip-dev libxxhash-dev libssl-dev
)
# And the reference executor, the trainer and the tests.
readonly build=(
  "${serve[@]}"
  libtorch-dev
  libopencv-imgcodecs-dev # The tests compare with it.
  libgtest-dev libgmock-dev libbenchmark-dev
)
# What the programs and the executor module name as NEEDED.
readonly runtime=(
  libstdc++6
  libabsl20220623 libgrpc++1.51 libgrpc29 libprotobuf32
  libdnnl2 libgomp1
  libopencv-core406 libopencv-imgproc406 libjpeg62-turbo libpng16-16 libwebp7
  libspdlog1.10 libfmt9
  libprometheus-cpp-core1.0 libprometheus-cpp-pull1.0
  libzip4 libxxhash0 libssl3
)
readonly load=(jq)
readonly peers=(python3 python3-venv)
readonly tools=(ca-certificates curl jq unzip python3-yaml python3-jsonschema)

die() {
  printf 'install_packages.sh: %s\n' "$*" >&2
  exit 1
}

set_name=${1:-build}
case $set_name in
  build) packages=("${build[@]}") ;;
  serve) packages=("${serve[@]}") ;;
  runtime) packages=("${runtime[@]}") ;;
  load)
    packages=("${load[@]}")
    # Any Go that is there already will do.
    command -v go > /dev/null || packages+=(golang-go ca-certificates)
    ;;
  peers) packages=("${peers[@]}") ;;
  tools) packages=("${tools[@]}") ;;
  *) die "unknown package set '$set_name'; choose build, serve, runtime, load, peers or tools" ;;
esac
[[ $# -le 1 ]] || die "one package set at a time: build, serve, runtime, load, peers or tools"

# shellcheck source=/dev/null
distribution=$(. /etc/os-release 2> /dev/null && printf '%s' "${ID:-unknown} ${VERSION_ID:-}") || true
[[ $distribution == "debian 12" ]] ||
  die "this is '${distribution:-unknown}'; the package names and library versions here are Debian 12's." \
    "Use the container (deploy/Dockerfile), or install their equivalents by hand"

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2> /dev/null) || true
  [[ $state == installed ]] || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then
  echo "All ${#packages[@]} packages for '$set_name' are installed."
  exit 0
fi

as_root=()
if [[ $EUID -ne 0 ]]; then
  command -v sudo > /dev/null ||
    die "installing needs root, and there is no sudo; run this as root, or have installed: ${missing[*]}"
  as_root=(sudo)
fi
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 -q)
if [[ -t 1 ]]; then apt+=(-o Dpkg::Progress-Fancy=1); fi

echo "Installing for '$set_name': ${missing[*]}"
"${apt[@]}" update
"${apt[@]}" install --yes --no-install-recommends "${missing[@]}"
