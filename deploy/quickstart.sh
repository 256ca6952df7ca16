#!/usr/bin/env bash
# From a bare Debian 12 to answers: installs, builds, serves the shipped store, classifies images.
#
#   deploy/quickstart.sh [--keep] [IMAGE...]
#
#   --keep  leave the server running, and say how to talk to it and how to stop it
#   IMAGE   images to classify; without any, three photographs from a Debian package
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
readonly build=$root/build/release
readonly store=$root/model_store/stores/cifar.bpx
readonly client=$build/bin/bitplex-client
readonly log=$root/build/quickstart-server.log
readonly preferred_port=50051
readonly start_timeout_s=60

# shellcheck source=deploy/own_server.sh
source "$root/deploy/own_server.sh"
server_port=

step() { printf '\n== %s\n' "$*"; }

die() {
  printf 'quickstart.sh: %s\n' "$*" >&2
  exit 1
}

# Starts the server on a port of the loopback interface and waits until it serves. Returns 1 when the
# port is taken; any other failure ends the script.
start_server() {
  local port=$1
  : > "$log"
  # A session of its own: Ctrl-C reaches this script alone, which then stops the server, and a server
  # that is kept outlives the terminal.
  setsid "$build/bin/bitplex-server" --store "$store" --listen "127.0.0.1:$port" \
    < /dev/null >> "$log" 2>&1 &
  server_pid=$!
  local deadline=$((SECONDS + start_timeout_s))
  until server_port=$(ready_port "$log") && [[ -n $server_port ]]; do
    if ! kill -0 "$server_pid" 2> /dev/null; then
      server_pid=
      grep -q 'cannot listen' "$log" && return 1
      cat "$log" >&2
      die "the server stopped before it was ready; its log is above and in $log"
    fi
    [[ $SECONDS -lt $deadline ]] || die "the server was not ready after $start_timeout_s s; its log: $log"
    sleep 0.1
  done
}

# Debian's python3-skimage carries photographs under CC0; only they are taken, nothing is installed.
fetch_photographs() {
  local folder=$root/build/photos names=(chelsea.png rocket.jpg motorcycle_left.png) name
  images=("${names[@]/#/$folder/}")
  # Renamed into place whole below, so the folder is there only when its files are.
  [[ ! -d $folder ]] || return 0

  scratch=$(mktemp -d "$root/build/photos.XXXXXX")
  local download=(apt-get -qq -o Acquire::Retries=3 download python3-skimage)
  # apt's own user cannot write to a folder of root's, and says so in a warning.
  [[ $EUID -ne 0 ]] || download+=(-o APT::Sandbox::User=root)
  if ! (cd "$scratch" && "${download[@]}" 2> "$scratch/errors"); then
    # No package lists yet: everything needed was installed already.
    local as_root=()
    [[ $EUID -eq 0 ]] || as_root=(sudo)
    "${as_root[@]}" apt-get -qq update
    (cd "$scratch" && "${download[@]}") ||
      die "cannot download the photographs (Debian package python3-skimage); name images of your own"
  fi
  dpkg-deb -x "$scratch"/python3-skimage_*.deb "$scratch/files"
  mkdir "$scratch/photos"
  for name in "${names[@]}"; do
    cp "$scratch/files/usr/lib/python3/dist-packages/skimage/data/$name" "$scratch/photos/"
  done
  mv "$scratch/photos" "$folder"
  rm -rf "$scratch"
  scratch=
}

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }

keep=
images=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --keep) keep=yes ;;
    -h | --help) usage && exit 0 ;;
    --) shift && images+=("$@") && break ;;
    -*) die "unknown option $1; see --help" ;;
    *) images+=("$1") ;;
  esac
  shift
done
for image in "${images[@]}"; do
  [[ -r $image ]] || die "cannot read the image '$image'"
done
[[ -r $store ]] || die "the store $store is missing; it is part of the repository, so check it out again"

step "1/5 Packages"
bash "$root/deploy/install_packages.sh" serve

step "2/5 Build in $build"
mkdir -p "$root/build"
if [[ ! -f $build/build.ninja ]]; then
  cmake -S "$root" --preset release -DBUILD_TESTING=OFF -DBITPLEX_BUILD_LIBTORCH_EXECUTOR=OFF \
    -DBITPLEX_BUILD_TRAINER=OFF > "$build.log" 2>&1 || {
    cat "$build.log" >&2
    die "cmake failed; its output is above"
  }
fi
NINJA_STATUS='[%f of %t, %e s] ' cmake --build "$build" --parallel "$(nproc)" \
  --target bitplex_tool bitplex-server bitplex-client bitplex_executor_onednn

step "3/5 Images"
if [[ ${#images[@]} -eq 0 ]]; then fetch_photographs; fi
printf '%s\n' "${images[@]}"

step "4/5 Server"
if ! start_server "$preferred_port"; then
  echo "Port $preferred_port is taken; taking a free one."
  start_server 0 || die "cannot listen on the loopback interface; the server's log: $log"
fi
readonly address=127.0.0.1:$server_port
echo "Serving $store on $address (log: $log)"
"$client" --server "$address" tasks

step "5/5 Answers"
answered=0
"$client" --server "$address" classify --task cifar10,cifar100 --top-k 3 -- "${images[@]}" || answered=$?
echo
"$client" --server "$address" memory

if [[ -n $keep ]]; then
  printf '\nThe server goes on, process %s. Talk to it:\n' "$server_pid"
  printf '  %q --server %s classify --task cifar10 IMAGE...\n' "$client" "$address"
  printf 'Stop it:\n  kill %s\n' "$server_pid"
  server_pid=
else
  stop_server
  printf '\nThe server has stopped. With --keep it goes on.\n'
fi
exit "$answered"
