#!/usr/bin/env bash
# How much of the executor's own throughput is left through gRPC: the executor alone and a saturated
# server of the shipped store (s8), each on core 0, in turn; the client that loads the server is on core 1.
#
#   tests/benchmark/grpc_share.sh [ROUNDS]
#
# Needs a build (tests/run.sh --quick) and two cores. Prints images/s of each round and the median ratio.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root bin=$root/build/release/bin rounds=${1:-5} images=6000 batch=8
# shellcheck source=deploy/own_server.sh
source "$root/deploy/own_server.sh"
scratch=$(mktemp -d)

# Black images of class 0: their values do not change the work.
head -c $((3073 * images)) /dev/zero > "$scratch/images.bin"

executor_alone() {
  taskset -c 0 "$bin/executor_bench" --benchmark_filter="Run/onednn/s8/$batch/" --benchmark_min_time=4 \
    --benchmark_format=csv 2> /dev/null | awk -F, '/onednn/ { printf "%.2f", $7 }'
}

taskset -c 0 "$bin/bitplex-server" --store "$root/model_store/stores/cifar.bpx" --listen 127.0.0.1:0 \
  --workers 1 2> "$scratch/log" &
server_pid=$!
until port=$(ready_port "$scratch/log") && [[ -n $port ]]; do
  kill -0 "$server_pid" || { cat "$scratch/log" >&2; exit 1; }
  sleep 0.1
done
through_grpc() {
  taskset -c 1 "$bin/bitplex-client" --server "127.0.0.1:$port" evaluate --task cifar10 \
    --data "$scratch/images.bin" --json | sed -n 's/.*"images_per_second": \([0-9.]*\).*/\1/p'
}

through_grpc > /dev/null  # Materialises the view.
echo "round  executor alone  through gRPC  ratio   (images/s, one core, batches of $batch)"
for ((round = 1; round <= rounds; ++round)); do
  a=$(executor_alone)
  b=$(through_grpc)
  awk -v r="$round" -v a="$a" -v b="$b" 'BEGIN { printf "%5d  %14.1f  %12.1f  %5.3f\n", r, a, b, b / a }' |
    tee -a "$scratch/rows"
done
awk '{ print $4 }' "$scratch/rows" | sort -n |
  awk '{ v[NR] = $1 } END { printf "median ratio %.3f\n", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
