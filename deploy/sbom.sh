#!/usr/bin/env bash
# Writes the bill of materials of the container image: Bitplex, and every Debian package that a file in it comes
# from, with version and licence. SPDX 2.3, JSON.
#
#   deploy/sbom.sh [IMAGE] > bitplex.spdx.json
#
#   IMAGE  what syft can read; default bitplex:0.1.0 of docker or podman. Also oci-archive:FILE,
#          docker-archive:FILE, dir:FOLDER
#
# Builds syft into build/tools the first time, which takes some minutes.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
# shellcheck source=deploy/go_tools.sh
source "$root/deploy/go_tools.sh"

case ${1:-} in
  -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" && exit 0 ;;
esac
[[ $# -le 1 ]] || { echo "sbom.sh: one image at a time" >&2 && exit 2; }

version=$(sed -n 's/^project(bitplex VERSION \([0-9.]*\) .*/\1/p' "$root/CMakeLists.txt")
go_tool github.com/anchore/syft/cmd/syft@v1.57.0
document=$(mktemp)
trap 'rm -f "$document"' EXIT
# shellcheck disable=SC2154  # tool is go_tools.sh's.
SYFT_CHECK_FOR_APP_UPDATE=false "$tool" scan "${1:-bitplex:$version}" --quiet \
  --source-name bitplex --source-version "$version" --output "spdx-json=$document"
# What was scanned is Bitplex itself; syft cannot know its licence.
jq '
  (.packages[] | select(.SPDXID | startswith("SPDXRef-DocumentRoot"))) |= (
    .licenseDeclared = "Apache-2.0" | .supplier = "Organization: Bitplex" | .downloadLocation = "NOASSERTION")
' "$document"
