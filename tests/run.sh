#!/usr/bin/env bash
# Installs what is needed, builds everything and runs every test; stops at the first that fails.
#
#   tests/run.sh [--quick]
#
#   release       all tests
#   asan          those labelled `unit` or `image` again, under AddressSanitizer and
#                 UndefinedBehaviorSanitizer
#   tsan          those labelled `unit` again, under ThreadSanitizer
#
#   --quick       release only
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
jobs=$(nproc)
readonly jobs

step() { printf '\n== %s\n' "$*"; }

die() {
  printf 'run.sh: %s\n' "$*" >&2
  exit 2
}

quick=
case ${1:-} in
  --quick) quick=yes ;;
  -h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
    exit 0
    ;;
  '') ;;
  *) die "unknown option $1; see --help" ;;
esac
[[ $# -le 1 ]] || die "too many arguments; see --help"

step "packages"
bash "$root/deploy/install_packages.sh" build
cd "$root"

# configure PRESET [OPTION...]: a build folder that was made for something else is put right.
configure() {
  step "$1: configure"
  cmake --preset "$1" -DBUILD_TESTING=ON "${@:2}"
}

configure release -DBITPLEX_WARNINGS_AS_ERRORS=ON -DBITPLEX_BUILD_LIBTORCH_EXECUTOR=ON -DBITPLEX_BUILD_TRAINER=ON
step "release: build"
cmake --build --preset release --parallel "$jobs"
step "release: all tests"
ctest --preset release --parallel "$jobs"
if [[ -n $quick ]]; then exit 0; fi

# sanitize PRESET LABELS: Torch is left out, whose headers are half of the build and whose library no
# sanitizer sees into.
sanitize() {
  configure "$1" -DBITPLEX_BUILD_LIBTORCH_EXECUTOR=OFF
  step "$1: build"
  cmake --build --preset "$1" --parallel "$jobs" --target unit_tests
  step "$1: tests labelled $2"
  ctest --preset "$1" --label-regex "^($2)\$" --parallel "$jobs"
}

sanitize asan 'unit|image'
sanitize tsan unit
