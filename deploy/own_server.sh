# shellcheck shell=bash
# For scripts that run a server of their own: sourced, not run. When the script ends, however it
# ends, the server in `server_pid` is stopped and the folder in `scratch` removed.

server_pid=
scratch=

stop_server() {
  [[ -n $server_pid ]] || return 0
  kill -TERM "$server_pid" 2> /dev/null || true
  wait "$server_pid" 2> /dev/null || true
  server_pid=
}

# shellcheck disable=SC2317  # Called through the trap.
clean_up() {
  stop_server
  [[ -z $scratch ]] || rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ready_port LOG: prints the port that the server says it listens on; nothing until it serves.
ready_port() { sed -n 's/.* ready .* port=\([0-9]*\) .*/\1/p' "$1"; }
