#!/usr/bin/env bash
# Measures throughput, latency, memory and accuracy over gRPC on this machine, of several servers in
# turn, and prints one table of medians.
#
#   deploy/load/run.sh [OPTION...]
#
#   --store FILE         serve this store (default: model_store/stores/cifar.bpx) with the server's
#                        defaults, and once more without a view budget
#   --separate SPEC      beside it one float32 model per task, run by LibTorch:
#                        'cifar10=A.safetensors,cifar100=B.safetensors'
#   --add NAME=ARGS      beside it a server with these arguments, such as
#                        --add 'bf16=--store my.bpx --precision bf16'; may be repeated
#   --only               nothing but what --separate and --add name
#   --images TASK=FILE   measure top-1 of this task too, on a CIFAR binary file; may be repeated
#   --server HOST:PORT   measure this server only, as it runs; it must be on this machine
#   --bin FOLDER         where bitplex-server and bitplex-client are (default: build/release/bin)
#   --load NAME          cifar10, cifar100 or mixed (default: mixed)
#   --rounds N           measurements of each server, in turn, 1 to 99 (default: 3)
#   --duration SECONDS   of each measurement, 1 to 300 (default: 5)
#   --concurrency N      requests in flight, 1 to 256 (default: 16)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
readonly here root

store=$root/model_store/stores/cifar.bpx
separate=
given_server=
bin=$root/build/release/bin
load=mixed
rounds=3
duration=5
concurrency=16
only=
added=()
images=()

# shellcheck source=deploy/own_server.sh
source "$root/deploy/own_server.sh"
# shellcheck source=deploy/load/ghz.sh
source "$here/ghz.sh"

die() {
  printf 'run.sh: %s\n' "$*" >&2
  exit 2
}

# whole_number NAME VALUE MIN MAX
whole_number() {
  if ! [[ $2 =~ ^[1-9][0-9]{0,8}$ ]] || (($2 < $3 || $2 > $4)); then
    die "$1 must be a whole number from $3 to $4"
  fi
}

while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --only)
      only=yes
      shift
      ;;
    --store | --separate | --add | --images | --server | --bin | --load | --rounds | --duration | --concurrency)
      [[ $# -ge 2 ]] || die "$1 needs a value"
      case $1 in
        --store) store=$2 ;;
        --separate) separate=$2 ;;
        --add)
          [[ $2 == ?*=?* ]] || die "--add wants NAME=ARGUMENTS, not '$2'"
          added+=("$2")
          ;;
        --images)
          [[ $2 == ?*=?* && -r ${2#*=} ]] || die "--images wants TASK=FILE of a file that can be read, not '$2'"
          images+=("$2")
          ;;
        --load)
          [[ -r $here/$2.json ]] || die "--load is cifar10, cifar100 or mixed, not '$2'"
          load=$2
          ;;
        --rounds) whole_number "$1" "$2" 1 99 && rounds=$2 ;;
        --server) given_server=$2 ;;
        --bin) bin=$2 ;;
        --duration) whole_number "$1" "$2" 1 300 && duration=$2 ;;
        --concurrency) whole_number "$1" "$2" 1 256 && concurrency=$2 ;;
      esac
      shift 2
      ;;
    *) die "unknown option $1; see --help" ;;
  esac
done
case $given_server in
  '' | 127.*:* | localhost:* | '[::1]:'*) ;;
  *) die "--server $given_server is not on the loopback interface; run this on the server's machine" ;;
esac
[[ -x $bin/bitplex-client ]] ||
  die "there is no bitplex-client in $bin; build it (deploy/quickstart.sh does), or name its folder with --bin"
[[ -n $given_server || -n $only || -r $store ]] || die "cannot read the store $store"

names=()
addresses=()
pids=()

# shellcheck disable=SC2317  # Called when the script ends.
stop_server() {
  local pid
  for pid in "${pids[@]}"; do kill -TERM "$pid" 2> /dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2> /dev/null || true; done
  pids=()
}

# start_server NAME OPTION...: on the first core and a free port, one worker; waits until it serves.
start_server() {
  local log=$scratch/server${#pids[@]}.log port pid
  : > "$log"
  setsid taskset -c "$server_core" "$bin/bitplex-server" --listen 127.0.0.1:0 --log-level info "${@:2}" \
    < /dev/null >> "$log" 2>&1 &
  pid=$!
  pids+=("$pid")
  until port=$(ready_port "$log") && [[ -n $port ]]; do
    if ! kill -0 "$pid" 2> /dev/null; then
      cat "$log" >&2
      die "the server '$1' did not start; its log is above"
    fi
    sleep 0.1
  done
  names+=("$1")
  addresses+=("127.0.0.1:$port")
}

# run_ghz ADDRESS SECONDS OUTPUT
run_ghz() {
  taskset -c "$client_cores" "$ghz" --config "$here/$load.json" --concurrency "$concurrency" \
    --duration "${2}s" --format json --output "$3" "$1"
}

# top1 ADDRESS: "92.91/73.71", in the order of --images; "-" without.
top1() {
  local entry file all=
  for entry in "${images[@]}"; do
    file=$scratch/evaluation.json
    "$bin/bitplex-client" --server "$1" --json evaluate --task "${entry%%=*}" --data "${entry#*=}" > "$file"
    all+=/$(jq --raw-output '.top1 * 100 | round / 100' "$file")
  done
  all=${all#/}
  echo "${all:--}"
}

print_row() { printf '%-12s %9s %6s %7s %7s %7s %7s %9s %7s %13s  %s\n' "$@"; }

# print_result I: the medians of server I, and its memory now. The last server is what the others are
# compared with, round by round.
print_result() {
  local memory=$scratch/memory.json last=$((${#names[@]} - 1))
  "$bin/bitplex-client" --server "${addresses[$1]}" --json memory > "$memory"
  jq --null-input --raw-output --arg name "${names[$1]}" --arg top1 "$(top1 "${addresses[$1]}")" \
    --slurpfile memory "$memory" \
    --slurpfile own <(cat "$scratch/result$1".*) --slurpfile base <(cat "$scratch/result$last".*) '
    def median: sort | .[length / 2 | floor];
    def rate: (.statusCodeDistribution.OK // 0) / (.total / 1e9);
    def ms($p): [.latencyDistribution[]? | select(.percentage == $p) | .latency / 1e6][0] // 0;
    def mb: (. // 0) | tonumber / 1e6;
    $memory[0].process as $process
    | [$name, ([$own[] | rate] | median),
       ([range($own | length) | ($own[.] | rate) / ($base[.] | rate)] | median),
       ([$own[] | ms(50)] | median), ([$own[] | ms(95)] | median),
       ([$own[] | ms(99)] | median),
       ([$own[] | .count - (.statusCodeDistribution.OK // 0)] | add),
       ($process.view_bytes | mb), ($process.rss_bytes | mb), ($process.private_dirty_bytes | mb), $top1]
    | @tsv' |
    while IFS=$'\t' read -r name rate ratio p50 p95 p99 errors views rss dirty accuracy; do
      printf '%-12s %9.1f %6.2f %7.1f %7.1f %7.1f %7d %9.1f %7.1f %13.1f  %s\n' "$name" "$rate" "$ratio" \
        "$p50" "$p95" "$p99" "$errors" "$views" "$rss" "$dirty" "$accuracy"
    done
  # What went wrong, in gRPC's words.
  jq --raw-output '.errorDistribution // {} | to_entries[] | "    \(.value) x \(.key)"' "$scratch/result$1".*
}

scratch=$(mktemp -d)
install_ghz
choose_cores

if [[ -n $given_server ]]; then
  names=(given)
  addresses=("$given_server")
else
  if [[ -z $only ]]; then
    start_server bitplex --store "$store"
    start_server "no views" --store "$store" --view-budget-mib 0
  fi
  for entry in "${added[@]}"; do
    read -r -a arguments <<< "${entry#*=}"
    start_server "${entry%%=*}" "${arguments[@]}"
  done
  [[ -z $separate ]] || start_server libtorch --executor libtorch --separate "$separate"
fi
((${#names[@]} > 0)) || die "nothing to measure: --only without --separate or --add"

echo "Load $load, $concurrency requests in flight, $rounds rounds of $duration s in turn; load on cores" \
  "$client_cores, $([[ -n $given_server ]] && echo "server as it runs" || echo "each server on core $server_core")"
for address in "${addresses[@]}"; do run_ghz "$address" 1 "$scratch/warm.json"; done
for ((round = 0; round < rounds; ++round)); do
  for i in "${!addresses[@]}"; do
    run_ghz "${addresses[$i]}" "$duration" "$scratch/result$i.$round"
  done
done
print_row SERVER IMAGES/S "x" "P50 MS" "P95 MS" "P99 MS" ERRORS "VIEWS MB" "RSS MB" "PRIV.DIRTY MB" "TOP-1 %"
for i in "${!names[@]}"; do print_result "$i"; done
