#!/usr/bin/env bash
# deploy/README.md has a row for each option that bitplex-server has, and for no other.
#
#   options_docs_test.sh BITPLEX_SERVER README
set -euo pipefail

# The options as their own rows begin, not what is said of others.
documented=$(sed -n 's/^| \(`--[^|]*\) |.*/\1/p' "$2" | grep -oE -- '--[a-z][a-z0-9-]*' | sort -u)
existing=$("$1" --help | sed -n 's/^  \(-h,\)\{0,1\}\(--[a-z0-9-]*\).*/\2/p' | sort -u)
[[ $(wc -l <<< "$existing") -gt 10 ]] || {
  echo "this is not the help of bitplex-server: $existing" >&2
  exit 1
}
diff <(echo "$existing") <(echo "$documented") || {
  echo "above: < options without a row in $2, > rows without an option" >&2
  exit 1
}
