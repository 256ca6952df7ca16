#!/usr/bin/env bash
# Latency against offered load, open loop: requests are sent at a fixed rate, whether answers have come
# or not, so that a server that cannot keep up cannot slow the load down.
#
#   deploy/load/curve.sh [--store FILE] [--bin FOLDER] [--load NAME] [--seconds N] [-- SERVER-OPTION...]
#
#   --store FILE    the store to serve (default: model_store/stores/cifar.bpx)
#   --bin FOLDER    where bitplex-server is (default: build/release/bin)
#   --load NAME     cifar10, cifar100 or mixed (default: mixed)
#   --seconds N     of each point, 1 to 300 (default: 5)
#
# First measures what the server answers at most, then offers 10 to 150 percent of that.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
readonly here root
store=$root/model_store/stores/cifar.bpx
bin=$root/build/release/bin
load=mixed
seconds=5

# shellcheck source=deploy/own_server.sh
source "$root/deploy/own_server.sh"
# shellcheck source=deploy/load/ghz.sh
source "$here/ghz.sh"

die() {
  printf 'curve.sh: %s\n' "$*" >&2
  exit 2
}

while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --)
      shift
      break
      ;;
    --store | --bin | --load | --seconds)
      [[ $# -ge 2 ]] || die "$1 needs a value"
      case $1 in
        --store) store=$2 ;;
        --bin) bin=$2 ;;
        --load) load=$2 ;;
        --seconds) seconds=$2 ;;
      esac
      shift 2
      ;;
    *) die "unknown option $1; see --help" ;;
  esac
done
[[ -r $here/$load.json ]] || die "--load is cifar10, cifar100 or mixed, not '$load'"
[[ $seconds =~ ^[1-9][0-9]{0,2}$ ]] || die "--seconds must be a whole number from 1 to 300"
[[ -x $bin/bitplex-server ]] || die "there is no bitplex-server in $bin; build it (deploy/quickstart.sh does)"

scratch=$(mktemp -d)
install_ghz
choose_cores

log=$scratch/server.log
: > "$log"
setsid taskset -c "$server_core" "$bin/bitplex-server" --listen 127.0.0.1:0 --store "$store" "$@" \
  < /dev/null >> "$log" 2>&1 &
server_pid=$!
until port=$(ready_port "$log") && [[ -n $port ]]; do
  kill -0 "$server_pid" 2> /dev/null || { cat "$log" >&2; die "the server did not start; its log is above"; }
  sleep 0.1
done

# offer OPTION...: leaves ghz's report in result.json.
offer() {
  taskset -c "$client_cores" "$ghz" --config "$here/$load.json" --duration "${seconds}s" "$@" \
    --format json --output "$scratch/result.json" "127.0.0.1:$port"
}

offer --concurrency 32
offer --concurrency 32
capacity=$(jq '.rps | floor' "$scratch/result.json")
echo "Capacity, closed loop with 32 in flight: $capacity images/s. Load $load, $seconds s a point; load on" \
  "cores $client_cores, server on core $server_core."
printf '%8s %9s %9s %8s %8s %8s  %s\n' "OFFERED" "IMAGES/S" "ANSWERED" "P50 MS" "P95 MS" "P99 MS" "REFUSED"
for percent in 10 25 50 75 90 100 125 150; do
  offer --rps $((capacity * percent / 100)) --async --concurrency 200
  jq --raw-output --arg offered "$percent" '
    def ms($p): [.latencyDistribution[]? | select(.percentage == $p) | .latency / 1e6][0] // 0;
    (.statusCodeDistribution.OK // 0) as $ok
    | [$offered, (.count / (.total / 1e9)), ($ok / (.total / 1e9)), ms(50), ms(95), ms(99), .count - $ok] | @tsv' \
    "$scratch/result.json" |
    while IFS=$'\t' read -r offered sent answered p50 p95 p99 refused; do
      printf '%7d%% %9.0f %9.0f %8.1f %8.1f %8.1f  %d\n' "$offered" "$sent" "$answered" "$p50" "$p95" "$p99" "$refused"
    done
done
