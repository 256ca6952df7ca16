#!/usr/bin/env bash
# Checks the manifests of Kubernetes and KServe, and compose.yaml, against their schemas. Needs no cluster.
#
#   deploy/kubernetes/validate.sh [--go-proxy]
#
#   --go-proxy  take the schemas from the sources of Kubernetes and the operators, through the Go module proxy,
#               where raw.githubusercontent.com, kubeconform's default, cannot be reached
#
# Installs what it needs: kubeconform and kustomize into build/tools, and Debian packages.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root
# shellcheck source=deploy/go_tools.sh
source "$root/deploy/go_tools.sh"

readonly kubernetes=1.31.0 operator=0.80.0 kserve=0.15.0 compose=2.4.0

go_proxy=
case ${1:-} in
  --go-proxy) go_proxy=yes ;;
  -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" && exit 0 ;;
  '') ;;
  *) echo "validate.sh: unknown option $1; see --help" >&2 && exit 2 ;;
esac

bash "$root/deploy/install_packages.sh" tools
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# shellcheck disable=SC2154  # tools and tool are go_tools.sh's.
go_tool github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
kubeconform=$tool
go_tool sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
kustomize=$tool

# module PATH VERSION FILE...: prints where these files of the module are, one a line; it is fetched once.
module() {
  local path=$1 version=$2 zip file
  zip=$tools/$(basename "${path%/v[0-9]}")-$version.zip
  if [[ ! -s $zip ]]; then
    mkdir -p "$tools"
    curl -fsSL --retry 3 -o "$scratch/module.zip" "https://proxy.golang.org/$path/@v/v$version.zip"
    mv "$scratch/module.zip" "$zip"
  fi
  for file in "${@:3}"; do
    unzip -qo "$zip" "$path@v$version/$file" -d "$scratch"
    echo "$scratch/$path@v$version/$file"
  done
}

if [[ -n $go_proxy ]]; then
  files=$(
    set -e
    module k8s.io/kubernetes "$kubernetes" api/openapi-spec/swagger.json
    module github.com/prometheus-operator/prometheus-operator "$operator" \
      example/prometheus-operator-crd-full/monitoring.coreos.com_podmonitors.yaml
    module github.com/kserve/kserve "$kserve" config/crd/full/serving.kserve.io_{servingruntimes,inferenceservices}.yaml
  )
  mapfile -t files <<< "$files"
  python3 "$root/deploy/kubernetes/schemas.py" "$scratch/schemas" "${files[@]}"
  locations=(-schema-location "$scratch/schemas/{{.ResourceKind}}{{.KindSuffix}}.json")
else
  locations=(-schema-location default -schema-location
    'https://raw.githubusercontent.com/datreeio/CRDs-catalog/main/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json')
fi

# conform NAME: checks what comes in.
conform() {
  printf '%-36s' "$1"
  "$kubeconform" -strict -summary -kubernetes-version "$kubernetes" "${locations[@]}" -
}

# one_handler FILE: a probe asks in one way. No schema says so, but the API server refuses two.
one_handler() {
  python3 - "$1" << 'END'
import sys, yaml
ways = {"exec", "grpc", "httpGet", "tcpSocket"}
for document in yaml.safe_load_all(open(sys.argv[1])):
    if document["kind"] != "Deployment":
        continue
    for container in document["spec"]["template"]["spec"]["containers"]:
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            asked = ways & container[name].keys()
            if len(asked) != 1:
                sys.exit(f"{name} of {container['name']}: {sorted(asked)}; there must be one of these")
END
}

# The base alone, and with each set of components, as kustomization.yaml offers them.
for set in '' secured autoscaling 'autoscaling secured'; do
  copy=$scratch/kubernetes
  rm -rf "$copy"
  cp -r "$root/deploy/kubernetes" "$copy"
  for component in $set; do
    (cd "$copy" && "$kustomize" edit add component "components/$component")
  done
  "$kustomize" build "$copy" > "$scratch/rendered.yaml"
  conform "kubernetes base $set" < "$scratch/rendered.yaml"
  one_handler "$scratch/rendered.yaml"
done
for name in runtime inferenceservice; do conform "kserve/$name.yaml" < "$root/deploy/kserve/$name.yaml"; done

schema=$(module github.com/compose-spec/compose-go/v2 "$compose" schema/compose-spec.json)
printf '%-36s' compose.yaml
python3 - "$root/deploy/compose.yaml" "$schema" << 'END'
import json, sys, jsonschema, yaml
jsonschema.validate(yaml.safe_load(open(sys.argv[1])), json.load(open(sys.argv[2])))
print("valid")
END
