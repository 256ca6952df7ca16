#!/usr/bin/env bash
# Makes apt take its packages from snapshot.debian.org as they were at one time; for containers, as root.
#
#   deploy/debian_snapshot.sh [TIME]
#
#   TIME  such as 20260801T000000Z; without it nothing changes
set -euo pipefail

[[ $# -gt 0 ]] || exit 0
[[ $# -eq 1 && $1 =~ ^[0-9]{8}T[0-9]{6}Z$ ]] || {
  echo "debian_snapshot.sh: '$*' is no time of a snapshot; write it as 20260801T000000Z" >&2
  exit 2
}
# Plain HTTP: bookworm-slim has no certificates yet, and apt checks the signatures of what it gets.
readonly archive=http://snapshot.debian.org/archive
rm -f /etc/apt/sources.list.d/debian.sources
cat > /etc/apt/sources.list << END
deb [check-valid-until=no] $archive/debian/$1 bookworm main
deb [check-valid-until=no] $archive/debian/$1 bookworm-updates main
deb [check-valid-until=no] $archive/debian-security/$1 bookworm-security main
END
