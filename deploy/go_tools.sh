# shellcheck shell=bash
# For scripts that need programs written in Go: sourced, not run. Wants `root` set. What it makes is in
# build/tools, and is made once.

# Debian 12's Go 1.19 is too old for them; this one comes from the Go module proxy.
readonly go_version=1.25.5 go_sha256=8cea6783dab64d68b38f5b81ecd38d45155a3c06638991acc6af19e0fca80edb

# shellcheck disable=SC2154  # root is the sourcing script's.
readonly tools=$root/build/tools

# find_go: puts a Go that can fetch newer ones for itself (1.21) into `go`, from the system or build/tools.
find_go() {
  go=$(command -v go || true)
  if [[ -n $go ]] && "$go" version | grep -qE 'go1\.(2[1-9]|[3-9][0-9])'; then return 0; fi
  go=$tools/go-$go_version/bin/go
  [[ ! -x $go ]] || return 0
  [[ $(uname -m) == x86_64 ]] || {
    echo "install Go 1.21 or later by hand: this script fetches it for x86-64 alone" >&2
    return 1
  }
  bash "$root/deploy/install_packages.sh" tools
  local name=v0.0.1-go$go_version.linux-amd64 folder
  folder=$(mktemp -d)
  echo "Fetching Go $go_version, once" >&2
  curl -fsSL --retry 3 -o "$folder/go.zip" "https://proxy.golang.org/golang.org/toolchain/@v/$name.zip"
  echo "$go_sha256  $folder/go.zip" | sha256sum --check --quiet
  unzip -q "$folder/go.zip" -d "$folder"
  chmod +x "$folder/golang.org/toolchain@$name"/bin/* "$folder/golang.org/toolchain@$name"/pkg/tool/*/*
  mkdir -p "$tools"
  mv "$folder/golang.org/toolchain@$name" "$tools/go-$go_version"
  rm -rf "$folder"
}

# go_tool MODULE@VERSION: builds it once, with Go's own check of its checksum; its path is then in `tool`.
go_tool() {
  local name=${1%@*} version=${1#*@} folder
  name=$(basename "${name%/v[0-9]}")
  tool=$tools/$name-$version
  [[ ! -x $tool ]] || return 0
  find_go
  folder=$(mktemp -d)
  echo "Building $name $version, once" >&2
  GOBIN=$folder GOFLAGS=-buildvcs=false GOTOOLCHAIN=auto "$go" install "$1"
  mkdir -p "$tools"
  mv "$folder/$name" "$tool"
  rm -rf "$folder"
}
