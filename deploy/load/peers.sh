#!/usr/bin/env bash
# Compares the speed of Bitplex's executors with ONNX Runtime's and OpenVINO's, on one thread of this
# machine and without gRPC, and prints one table.
#
#   deploy/load/peers.sh [OPTION...] CHECKPOINT.safetensors CALIBRATION.bin TEST.bin [IMAGES]
#
#   CHECKPOINT     a ResNet18 in its CIFAR form, 10 or 100 classes, float32, torchvision's names
#   CALIBRATION    training images, CIFAR binary: the ranges of 8-bit activations come from the first 500
#   TEST           test images, CIFAR binary
#   IMAGES         how many of them the top-1 accuracy is measured on (default: 10000)
#
#   --rounds N         how often each row is timed, 1 to 100; the table has medians (default: 5)
#   --seconds N        how long each time, for each batch size, 1 to 60 (default: 1)
#   --core N           the processor core that everything runs on (default: the first usable)
#   --bin FOLDER       where bitplex and executor_bench are (default: build/release/bin)
#
# The peers are installed from PyPI into build/peers-venv, at the versions in peers/requirements.txt.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
readonly here root
readonly venv=$root/build/peers-venv requirements=$here/peers/requirements.txt
readonly calibration_images=500

rounds=5
seconds=1
core=
bin=$root/build/release/bin

die() {
  printf 'peers.sh: %s\n' "$*" >&2
  exit 2
}

# whole_number NAME VALUE MIN MAX
whole_number() {
  if ! [[ $2 =~ ^(0|[1-9][0-9]{0,8})$ ]] || (($2 < $3 || $2 > $4)); then
    die "$1 must be a whole number from $3 to $4"
  fi
}

files=()
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --rounds | --seconds | --core | --bin)
      [[ $# -ge 2 ]] || die "$1 needs a value"
      case $1 in
        --rounds) whole_number "$1" "$2" 1 100 && rounds=$2 ;;
        --seconds) whole_number "$1" "$2" 1 60 && seconds=$2 ;;
        --core) whole_number "$1" "$2" 0 9999 && core=$2 ;;
        --bin) bin=$2 ;;
      esac
      shift 2
      ;;
    -*) die "unknown option $1; see --help" ;;
    *)
      files+=("$1")
      shift
      ;;
  esac
done
((${#files[@]} == 3 || ${#files[@]} == 4)) ||
  die "give a checkpoint, calibration images and test images; see --help"
for file in "${files[@]:0:3}"; do
  [[ -f $file && -r $file ]] || die "cannot read the file $file"
done
images=${files[3]:-10000}
whole_number "the number of test images" "$images" 1 999999999
for program in bitplex executor_bench; do
  [[ -x $bin/$program ]] ||
    die "there is no $program in $bin; build it (tests/run.sh --quick does), or name its folder with --bin"
done
if [[ -z $core ]]; then
  core=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*\([0-9]*\).*/\1/p' /proc/self/status)
fi
taskset -c "$core" true 2> /dev/null || die "core $core is not there, or not for this process; see --core"

install_peers() {
  # This copy is written last: without it, the installation was cut short.
  if cmp --silent "$requirements" "$venv/requirements.txt"; then return 0; fi
  if ! python3 -c 'import ensurepip, venv' 2> /dev/null; then
    bash "$root/deploy/install_packages.sh" peers
  fi
  echo "Installing the peers into $venv, once" >&2
  python3 -m venv --clear "$venv" || die "python3 cannot make a virtual environment; see above"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" ||
    die "the peers could not be installed from PyPI (see above); they need Python 3.11 or newer"
  cp "$requirements" "$venv/requirements.txt"
}

# Prints the processor's name, and what of it matters to these speeds.
processor() {
  local name flag found=()
  name=$(sed -n '/^model name/{s/.*: //p;q}' /proc/cpuinfo)
  for flag in avx2 avx_vnni avx512f avx512_vnni avx512_bf16 amx_bf16 amx_int8; do
    if grep --quiet --word-regexp --max-count=1 "$flag" /proc/cpuinfo; then found+=("$flag"); fi
  done
  printf '%s; %s\n' "${name:-unknown processor}" "${found[*]:-none of the extensions looked for}"
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

export PYTHONDONTWRITEBYTECODE=1  # Nothing beside the sources.
install_peers
echo "Making the peers' models" >&2
task=$("$venv/bin/python" "$here/peers/models.py" "${files[0]}" "${files[1]}" "$calibration_images" \
  "${files[2]}" "$scratch")
result=0
taskset -c "$core" "$venv/bin/python" "$here/peers/compare.py" --task "$task" --checkpoint "${files[0]}" \
  --calibration "${files[1]}" --calibration-images "$calibration_images" --test "${files[2]}" \
  --images "$images" --rounds "$rounds" --seconds "$seconds" --bin "$bin" --scratch "$scratch" \
  > "$scratch/table" || result=$?
echo
echo "$(processor); core $core, one thread"
echo "ResNet18, 32x32; $images images for top-1; milliseconds an image, medians of $rounds rounds of" \
  "$seconds s; x: the time of a batch of 8 against that of bitplex onednn s8"
echo
cat "$scratch/table"
exit "$result"
