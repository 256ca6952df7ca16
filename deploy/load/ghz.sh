# shellcheck shell=bash
# For scripts that load a server with ghz: sourced, not run. Wants `root` and `scratch` set.

# Debian 12's Go 1.19 builds this one; v0.120.0 needs Go 1.20.
readonly ghz_version=v0.117.0

# Builds ghz once, into build/tools; its path is then in `ghz`.
# shellcheck disable=SC2154  # root and scratch are the sourcing script's.
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

# Prints the processors that this process may use, one a line.
usable_cores() {
  local range
  sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status | tr , '\n' |
    while IFS= read -r range; do seq "${range%-*}" "${range#*-}"; done
}

# The server gets the first core (`server_core`), the load the others (`client_cores`), so that neither
# takes the other's time.
choose_cores() {
  local cores
  mapfile -t cores < <(usable_cores)
  server_core=${cores[0]}
  client_cores=$(IFS=, && echo "${cores[*]:1}")
  [[ -n $client_cores ]] && return 0
  client_cores=$server_core
  echo "Only one core: the server and the load share it, and the figures are worth little."
}
