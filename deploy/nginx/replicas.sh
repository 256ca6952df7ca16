#!/usr/bin/env bash
# Several servers on this host, which share one copy of a store in memory, behind nginx. Ctrl-C or SIGTERM drains
# them all.
#
#   deploy/nginx/replicas.sh [--replicas N] [--listen HOST:PORT] [--folder DIR] [--bin DIR] --store FILE [-- OPTION...]
#
#   --replicas  how many servers; default 4
#   --listen    where nginx listens, in plaintext; default 127.0.0.1:50051. 'none': no nginx
#   --folder    for sockets and logs; default /run/bitplex
#   --bin       where bitplex-server is; default build/release/bin
#   OPTION      options of every server. One worker each and --no-pinning unless told
#
# SIGUSR1 prints what they hold: nginx/pss.sh.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root
readonly start_timeout_s=60

die() {
  printf 'replicas.sh: %s\n' "$*" >&2
  exit 1
}

replicas=4 listen=127.0.0.1:50051 folder=/run/bitplex bin=$root/build/release/bin store=
while [[ $# -gt 0 ]]; do
  case $1 in
    --replicas | --listen | --folder | --bin | --store)
      [[ $# -ge 2 ]] || die "$1 needs a value; see --help"
      declare "${1#--}=$2"
      shift
      ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" && exit 0 ;;
    --) shift && break ;;
    *) die "unknown option $1; see --help" ;;
  esac
  shift
done
[[ -n $store ]] || die "name the store with --store; the shipped one is model_store/stores/cifar.bpx"
[[ $replicas =~ ^[1-9][0-9]?$ ]] || die "--replicas is a number from 1 to 99"
[[ -x $bin/bitplex-server ]] || die "no bitplex-server in $bin; build it (deploy/quickstart.sh), or name its folder with --bin"
[[ $listen == none ]] || command -v nginx > /dev/null || die "nginx is not installed; apt-get install nginx-light"
mkdir -p "$folder"
folder=$(realpath "$folder")

servers=() nginx=
# The proxy first goes on, so that calls that are on their way get their answers; then it ends.
stop() {
  trap - EXIT INT TERM HUP
  [[ ${#servers[@]} -eq 0 ]] || kill -TERM "${servers[@]}" 2> /dev/null || true
  local server
  for server in "${servers[@]}"; do wait "$server" || true; done
  [[ -z $nginx ]] || kill -QUIT "$nginx" 2> /dev/null || true
  [[ -z $nginx ]] || wait "$nginx" || true
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 0' TERM HUP
trap 'bash "$root/deploy/nginx/pss.sh" "${servers[@]}" || true' USR1

# Sessions of their own: Ctrl-C reaches this script alone, which then stops them in order.
for ((replica = 1; replica <= replicas; ++replica)); do
  rm -f "$folder/replica-$replica.sock"
  setsid "$bin/bitplex-server" --store "$store" --listen "unix:$folder/replica-$replica.sock" --workers 1 --no-pinning \
    "$@" < /dev/null > "$folder/replica-$replica.log" 2>&1 &
  servers+=($!)
done
deadline=$((SECONDS + start_timeout_s))
for ((replica = 1; replica <= replicas; ++replica)); do
  until grep -q ' ready ' "$folder/replica-$replica.log"; do
    if ! kill -0 "${servers[replica - 1]}" 2> /dev/null || [[ $SECONDS -ge $deadline ]]; then
      cat "$folder/replica-$replica.log" >&2
      die "server $replica did not become ready; its log is above"
    fi
    sleep 0.1
  done
done

if [[ $listen != none ]]; then
  # Its workers are a user of their own when root starts it, and must be let in.
  own=(-e '')
  if [[ $EUID -eq 0 ]]; then
    chgrp www-data "$folder"/replica-*.sock
    chmod 660 "$folder"/replica-*.sock
  else
    own=(-e '/^user /d')
  fi
  {
    sed -n '/^ *server unix:/q;p' "$root/deploy/nginx/nginx.conf"
    for ((replica = 1; replica <= replicas; ++replica)); do
      echo "    server unix:$folder/replica-$replica.sock max_fails=1 fail_timeout=1s;"
    done
    sed '1,/^ *server unix:/d' "$root/deploy/nginx/nginx.conf" | sed '/^ *server unix:/d'
  } | sed "${own[@]}" -e "s|/run/bitplex/|$folder/|; s|^\( *listen \)127.0.0.1:50051 |\1$listen |" > "$folder/nginx.conf"
  setsid nginx -e stderr -p "$folder" -c "$folder/nginx.conf" -g 'daemon off;' < /dev/null &
  nginx=$!
fi
echo "ready servers=${servers[*]} nginx=${nginx:-none} listen=$listen folder=$folder"
# The first to end, ends all: whoever watches over this script starts it anew. A wait that a signal
# interrupted goes on.
while :; do
  ended=0
  wait -n -p pid "${servers[@]}" ${nginx:+"$nginx"} || ended=$?
  [[ -z ${pid:-} ]] || die "process $pid ended by itself with $ended; see the logs in $folder"
done
