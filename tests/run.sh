#!/usr/bin/env bash
# Installs what is needed, builds everything and runs every test; stops at the first that fails.
#
#   tests/run.sh [--quick | --full]
#
#   release       all tests
#   asan          those labelled `unit`, `image` or `onednn` again, under AddressSanitizer and
#                 UndefinedBehaviorSanitizer
#   tsan          those labelled `unit` again, under ThreadSanitizer
#
#   --quick       release only
#   --full        asan runs all tests (10 minutes longer on 2 cores)
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
full=
case ${1:-} in
  --quick) quick=yes ;;
  --full) full=yes ;;
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

# sanitize PRESET TARGET LABELS [OPTION...]
sanitize() {
  configure "$1" "${@:4}"
  step "$1: build"
  cmake --build --preset "$1" --parallel "$jobs" --target "$2"
  step "$1: tests labelled $3"
  ctest --preset "$1" --label-regex "^($3)\$" --parallel "$jobs"
}

# Torch is left out where it can be: no sanitizer sees into its library, and its headers take long.
readonly no_torch=(-DBITPLEX_BUILD_LIBTORCH_EXECUTOR=OFF -DBITPLEX_BUILD_TRAINER=OFF)
if [[ -n $full ]]; then
  sanitize asan all '.*' -DBITPLEX_BUILD_LIBTORCH_EXECUTOR=ON -DBITPLEX_BUILD_TRAINER=ON
else
  sanitize asan sanitized_tests 'unit|image|onednn' "${no_torch[@]}"
fi
sanitize tsan unit_tests unit "${no_torch[@]}"
