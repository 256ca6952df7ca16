#!/usr/bin/env bash
# Builds the fuzz targets with libFuzzer (clang), and runs each on its seeds for a while.
#
#   tests/fuzz/run.sh [--seconds N] [TARGET...]
#
#   --seconds N   for each target (600)
#   TARGET        only these; default: all
#
# Prints one line for each target: executions, and whether there was a finding. Findings and what was
# learnt lie in build/fuzz/corpus/TARGET; they are kept, and the next run goes on from there. The
# targets run one after another, at the lowest priority.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root

die() {
  printf 'run.sh: %s\n' "$*" >&2
  exit 2
}

seconds=600
targets=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --seconds)
      [[ ${2:-} =~ ^[0-9]+$ ]] || die "--seconds needs a number"
      seconds=$2
      shift 2
      ;;
    -h | --help)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    -*) die "unknown option $1; see --help" ;;
    *)
      targets+=("$1")
      shift
      ;;
  esac
done
if [[ ${#targets[@]} -eq 0 ]]; then
  targets=(store_open_fuzzer store_fuzzer safetensors_fuzzer torch_fuzzer image_fuzzer oip_fuzzer)
fi
command -v clang++ > /dev/null || die "clang++ is missing: apt-get install clang libclang-rt-14-dev"

seeds_of() {
  case $1 in
    store_fuzzer | store_open_fuzzer) echo "$root"/tests/fuzz/store_seeds/* "$root"/tests/data/v1.bpx ;;
    safetensors_fuzzer) echo "$root"/tests/fuzz/safetensors_seeds/* ;;
    torch_fuzzer) echo "$root"/tests/fuzz/torch_seeds/* "$root"/tests/data/checkpoints/*.pt ;;
    image_fuzzer) echo "$root"/tests/fuzz/image_seeds/* ;;
    oip_fuzzer) echo "$root"/tests/fuzz/oip_seeds/* ;;
    *) die "no target is called $1" ;;
  esac
}

cd "$root"
[[ -f build/fuzz/build.ninja ]] || cmake --preset fuzz -DBUILD_TESTING=ON > /dev/null
nice -n 19 cmake --build --preset fuzz --parallel "$(nproc)" --target "${targets[@]}" > /dev/null

failed=0
for target in "${targets[@]}"; do
  folder=build/fuzz/corpus/$target
  mkdir -p "$folder"
  read -r -a seeds <<< "$(seeds_of "$target")"
  cp -n -- "${seeds[@]}" "$folder/"
  log=build/fuzz/$target.log
  status=0
  # Larger stores only take longer.
  limit=()
  if [[ $target == store_* ]]; then limit=(-max_len=65536); fi
  nice -n 19 build/fuzz/bin/"$target" -max_total_time="$seconds" -timeout=300 -rss_limit_mb=2048 -print_final_stats=1 "${limit[@]}" \
    -artifact_prefix="$folder/finding-" "$folder" > "$log" 2>&1 || status=$?
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  if [[ $status -eq 0 ]]; then
    printf '%-20s %12s executions in %s s, no finding\n' "$target" "$executions" "$seconds"
  else
    printf '%-20s %12s executions, FINDING: see %s\n' "$target" "${executions:-?}" "$log"
    failed=1
  fi
done
exit "$failed"
