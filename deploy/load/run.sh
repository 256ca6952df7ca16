#!/usr/bin/env bash
# Measures throughput and latency over gRPC on this machine, and prints one table.
#
#   deploy/load/run.sh [OPTION...]
#
#   --store FILE         serve this store (default: model_store/stores/cifar.bpx), once for each view
#                        budget: none, one view (the server's default), all views
#   --separate SPEC      serve these checkpoints too, as bitplex-server --separate does
#   --server HOST:PORT   measure this server only, as it runs; it must be on this machine
#   --bin FOLDER         where bitplex-server and bitplex-client are (default: build/release/bin)
#   --duration SECONDS   for each line of the table, 1 to 300 (default: 10)
#   --concurrency N      requests in flight, 1 to 256 (default: 8)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
readonly here root
# Debian 12's Go 1.19 builds this one; v0.120.0 needs Go 1.20.
readonly ghz_version=v0.117.0
readonly loads=(cifar10 cifar100 mixed)
# More than the views of any store take: none is ever evicted.
readonly all_views_mib=65536

store=$root/model_store/stores/cifar.bpx
separate=
given_server=
bin=$root/build/release/bin
duration=10
concurrency=8

# shellcheck source=deploy/own_server.sh
source "$root/deploy/own_server.sh"

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
    --store | --separate | --server | --bin | --duration | --concurrency)
      [[ $# -ge 2 ]] || die "$1 needs a value"
      case $1 in
        --store) store=$2 ;;
        --separate) separate=$2 ;;
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
[[ -n $given_server || -r $store ]] || die "cannot read the store $store"

# Prints the processors that this process may use, one a line.
usable_cores() {
  local range
  sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status | tr , '\n' |
    while IFS= read -r range; do seq "${range%-*}" "${range#*-}"; done
}

install_ghz() {
  ghz=$root/build/tools/ghz-$ghz_version
  if ! command -v go > /dev/null || ! command -v jq > /dev/null; then
    bash "$root/deploy/install_packages.sh" load
  fi
  [[ ! -x $ghz ]] || return 0
  echo "Building ghz $ghz_version, once"
  GOBIN=$scratch GOFLAGS=-buildvcs=false go install "github.com/bojand/ghz/cmd/ghz@$ghz_version"
  mkdir -p "$(dirname "$ghz")"
  mv "$scratch/ghz" "$ghz"
}

# start_server OPTION...: on the first core and a free port; waits until it serves.
start_server() {
  local log=$scratch/server.log port
  : > "$log"
  setsid taskset -c "$server_core" "$bin/bitplex-server" --listen 127.0.0.1:0 --log-level info "$@" \
    < /dev/null >> "$log" 2>&1 &
  server_pid=$!
  until port=$(ready_port "$log") && [[ -n $port ]]; do
    if ! kill -0 "$server_pid" 2> /dev/null; then
      server_pid=
      cat "$log" >&2
      die "the server did not start; its log is above"
    fi
    sleep 0.1
  done
  address=127.0.0.1:$port
}

run_ghz() {
  taskset -c "$client_cores" "$ghz" --config "$here/$1.json" --concurrency "$concurrency" \
    --duration "${2}s" --format json --output "$3" "$address"
}

print_row() { printf '%-9s %-9s %9s %8s %8s %8s %7s %9s %8s %13s\n' "$@"; }

# measure NAME LOAD: one line of the table.
measure() {
  local result=$scratch/result.json memory=$scratch/memory.json
  run_ghz "$2" 1 "$result"  # Warms up: caches, views, frequency.
  run_ghz "$2" "$duration" "$result"
  "$bin/bitplex-client" --server "$address" --json memory > "$memory"
  jq --raw-output --slurpfile memory "$memory" --arg name "$1" --arg load "$2" '
    def tenths: . * 10 | round | "\(. / 10 | floor).\(. % 10)";
    def ms($p): [.latencyDistribution[]? | select(.percentage == $p) | .latency / 1e6 | tenths][0] // "-";
    def mb: (. // 0) | tonumber / 1e6 | tenths;
    (.statusCodeDistribution // {}) as $codes
    | ($codes.OK // 0) as $ok
    | $memory[0].process as $process
    | [$name, $load, ($ok / (.total / 1e9) | tenths), ms(50), ms(95), ms(99), .count - $ok,
       ($process.view_bytes | mb), ($process.rss_bytes | mb), ($process.private_dirty_bytes | mb)]
    | @tsv' "$result" |
    while IFS=$'\t' read -r -a cells; do print_row "${cells[@]}"; done
  # What went wrong, in gRPC's words.
  jq --raw-output '.errorDistribution // {} | to_entries[] | "    \(.value) x \(.key)"' "$result"
}

measure_all() {
  local load
  for load in "${loads[@]}"; do measure "$1" "$load"; done
}

# measure_server NAME OPTION...
measure_server() {
  start_server "${@:2}"
  measure_all "$1"
  stop_server
}

scratch=$(mktemp -d)
install_ghz
mapfile -t cores < <(usable_cores)
server_core=${cores[0]}
client_cores=$(IFS=, && echo "${cores[*]:1}")
if [[ -z $client_cores ]]; then
  client_cores=$server_core
  echo "Only one core: the server and the load share it, and the figures are worth little."
fi

echo "$concurrency requests in flight, $duration s a line; load on cores $client_cores," \
  "server $([[ -n $given_server ]] && echo "as it runs" || echo "on core $server_core")"
print_row VIEWS LOAD IMAGES/S "P50 MS" "P95 MS" "P99 MS" ERRORS "VIEWS MB" "RSS MB" "PRIV.DIRTY MB"
if [[ -n $given_server ]]; then
  address=$given_server
  measure_all given
else
  measure_server none --store "$store" --view-budget-mib 0
  measure_server "one view" --store "$store"
  measure_server all --store "$store" --view-budget-mib "$all_views_mib"
  [[ -z $separate ]] || measure_server separate --separate "$separate"
fi
