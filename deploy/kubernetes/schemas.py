#!/usr/bin/env python3
"""JSON schemas for kubeconform out of the sources of Kubernetes and of operators.

    schemas.py OUT swagger.json [CRD.yaml...]

Kinds of Kubernetes come from its api/openapi-spec/swagger.json, others from CustomResourceDefinitions. Each is
written to OUT/KIND-GROUP-VERSION.json; fields that no schema names are errors.
"""

import copy
import json
import pathlib
import sys

import yaml

DEFINITION = "#/definitions/"
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


def strict(node):
    """Refuses what is not named, and takes a number where Kubernetes takes either."""
    if isinstance(node, list):
        for item in node:
            strict(item)
        return
    if not isinstance(node, dict):
        return
    if node.get("format") == "int-or-string" or node.get("x-kubernetes-int-or-string"):
        for key in ("type", "format", "pattern", "anyOf"):
            node.pop(key, None)
        node["type"] = ["integer", "string"]
    if (
        isinstance(node.get("properties"), dict)
        and "additionalProperties" not in node
        and not node.get("x-kubernetes-preserve-unknown-fields")
    ):
        node["additionalProperties"] = False
    for value in node.values():
        strict(value)


def references(node):
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    found = {node["$ref"].removeprefix(DEFINITION)} if isinstance(node.get("$ref"), str) else set()
    return found.union(*map(references, node.values()))


def with_all_it_names(name, definitions):
    needed, todo = {}, {name}
    while todo:
        current = todo.pop()
        needed[current] = definitions[current]
        todo |= references(definitions[current]) - needed.keys()
    return {"$ref": DEFINITION + name, "definitions": needed}


def write(folder, kind, group, version, schema):
    parts = [kind, group.split(".")[0], version] if group else [kind, version]
    (folder / ("-".join(parts).lower() + ".json")).write_text(json.dumps(schema))


def from_swagger(path, folder):
    definitions = json.loads(pathlib.Path(path).read_text())["definitions"]
    definitions[QUANTITY] = {"type": ["string", "number"]}
    strict(definitions)
    for name, definition in definitions.items():
        kinds = definition.get("x-kubernetes-group-version-kind", [])
        # More than one: options of calls, not things to apply.
        if len(kinds) == 1:
            kind = kinds[0]
            write(folder, kind["kind"], kind["group"], kind["version"], with_all_it_names(name, definitions))


def from_crd(path, folder):
    for crd in yaml.safe_load_all(pathlib.Path(path).read_text()):
        if not crd or crd.get("kind") != "CustomResourceDefinition":
            continue
        spec = crd["spec"]
        for version in spec["versions"]:
            schema = copy.deepcopy(version["schema"]["openAPIV3Schema"])
            strict(schema)
            # The definition says no more of it than that it is there.
            schema["properties"]["metadata"] = {"type": "object"}
            write(folder, spec["names"]["kind"], spec["group"], version["name"], schema)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    from_swagger(sys.argv[2], folder)
    for path in sys.argv[3:]:
        from_crd(path, folder)


if __name__ == "__main__":
    main()
