#!/usr/bin/env bash
# What processes hold together, without counting shared pages twice: PSS, the share of each in the pages that it
# has mapped. Reads /proc; as root, or as the user of the processes.
#
#   deploy/nginx/pss.sh PID...
set -euo pipefail

[[ $# -gt 0 ]] || {
  echo "pss.sh: name the processes" >&2
  exit 2
}

# kb FILE FIELD [MAPPING]: the sum of a field of smaps, of mappings whose file's name ends so.
kb() {
  awk -v field="$2:" -v mapping="${3:-}" '
    /^[0-9a-f]+-[0-9a-f]+ / { counts = mapping == "" || substr($0, length($0) - length(mapping) + 1) == mapping }
    counts && $1 == field { sum += $2 }
    END { print sum + 0 }' "$1"
}

printf '%10s %10s %10s %14s %14s\n' PID 'RSS MB' 'PSS MB' 'STORE RSS MB' 'STORE PSS MB'
for pid in "$@"; do
  row=(
    "$(kb "/proc/$pid/smaps_rollup" Rss)" "$(kb "/proc/$pid/smaps_rollup" Pss)"
    "$(kb "/proc/$pid/smaps" Rss .bpx)" "$(kb "/proc/$pid/smaps" Pss .bpx)"
  )
  printf '%s %s %s %s %s\n' "$pid" "${row[@]}"
done | awk '
  { printf "%10s %10.2f %10.2f %14.2f %14.2f\n", $1, $2 * 1.024e-3, $3 * 1.024e-3, $4 * 1.024e-3, $5 * 1.024e-3
    for (i = 2; i <= 5; ++i) sum[i] += $i * 1.024e-3 }
  END { printf "%10s %10.2f %10.2f %14.2f %14.2f\n", "all", sum[2], sum[3], sum[4], sum[5] }'
