#!/usr/bin/env bash
# Builds the container image from the checkout, with docker or podman. The same commit on the same Debian
# packages gives the same image.
#
#   deploy/build_image.sh [--tag NAME] [--snapshot TIME] [--debian IMAGE] [-- ENGINE OPTION...]
#
#   --tag       name of the image; default bitplex:0.1.0
#   --snapshot  take Debian's packages as of this time from snapshot.debian.org, such as 20260801T000000Z
#   --debian    the image to build in; default debian:bookworm-slim. By digest it is always the same one
#   ENGINE      docker or podman in the variable ENGINE; default: the one that is installed
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root

die() {
  printf 'build_image.sh: %s\n' "$*" >&2
  exit 2
}

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }

tag=bitplex:0.1.0
arguments=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --tag) tag=${2:?--tag needs a name} && shift ;;
    --snapshot) arguments+=(--build-arg "DEBIAN_SNAPSHOT=${2:?--snapshot needs a time}") && shift ;;
    --debian) arguments+=(--build-arg "DEBIAN_IMAGE=${2:?--debian needs an image}") && shift ;;
    -h | --help) usage && exit 0 ;;
    --) shift && break ;;
    *) die "unknown option $1; see --help" ;;
  esac
  shift
done

revision=$(git -C "$root" rev-parse HEAD) || die "the labels need the commit; build in a checkout"
epoch=$(git -C "$root" log -1 --format=%ct)
[[ -z $(git -C "$root" status --porcelain) ]] || revision+=-dirty
arguments+=(
  --file "$root/deploy/Dockerfile" --tag "$tag"
  --build-arg "REVISION=$revision" --build-arg "SOURCE_DATE_EPOCH=$epoch"
  --build-arg "CREATED=$(date --utc --date "@$epoch" +%Y-%m-%dT%H:%M:%SZ)"
)

engine=${ENGINE:-$(basename "$(command -v docker || command -v podman || true)")}
case $engine in
  # rewrite-timestamp needs BuildKit 0.13; older ones leave the layers' own times in.
  docker) docker buildx build --output type=docker,rewrite-timestamp=true "${arguments[@]}" "$@" "$root" ;;
  podman) podman build --format docker --timestamp "$epoch" "${arguments[@]}" "$@" "$root" ;;
  *) die "neither docker nor podman is installed; install one of them" ;;
esac
