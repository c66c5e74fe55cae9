"""The reference pages of our kinds: `python -m functions.api.reference FOLDER` writes them.

They are made from the CRD, so they say of each field what the API server does with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from functions.api.crd import crd_manifest
from functions.api.kinds import BACKUP, CLUSTER, RESTORE, Kind
from functions.api.rules import VALIDATIONS

Schema = dict[str, Any]

_INTRODUCTION = """\
<!-- Made from functions/api by `make crds`; do not edit. -->
# {kind}

`{group}/{version}`, short name `{short}`, namespaced. {about}

`kubectl explain {short}.spec` shows the same text. Unknown fields are refused.
`kubectl get {short}` shows: {columns}.

```yaml
apiVersion: {group}/{version}
kind: {kind}
metadata:
  name: {name}
{example}```
{more}"""


@dataclass(frozen=True, slots=True)
class _Page:
    """What is said of a kind before its fields."""

    about: str
    name: str
    example: str
    more: str = ""


_TARGET = """\
    s3:
      endpoint: https://s3.example.com
      bucket: backups
      accessKeySecret: {name: store, key: accessKey}
      secretKeySecret: {name: store, key: secretKey}
"""

_PAGES = {
    CLUSTER: _Page(
        about="One object is one ZooKeeper ensemble.\n\nEvery field of `spec` is optional and has "
        "a default that is right for production. A manifest needs no more than what is below.",
        name="my-zookeeper",
        example="spec: {}\n",
        more="\n`kubectl scale zkcluster/my-zookeeper --replicas 5` works as well as a change of "
        "`spec.replicas`.\n",
    ),
    BACKUP: _Page(
        about="One object is one backup of an ensemble, or a schedule of them.",
        name="nightly",
        example="spec:\n  mode: schedule\n  schedule: 0 3 * * *\n  source:\n"
        f"    name: my-zookeeper\n  target:\n{_TARGET}  retention:\n    keepLast: 14\n",
    ),
    RESTORE: _Page(
        about="One object puts one backup into one ensemble.",
        name="back-to-monday",
        example="spec:\n  rolloutRestart: true\n"
        f"  source:\n{_TARGET}      key: default/nightly/schedule/backup-nightly-29384000-x7k2p\n"
        "  target:\n    name: my-zookeeper\n",
    ),
}


def reference_page(of: Kind = CLUSTER) -> str:
    """Return docs/reference/<kind>.md."""
    spec = crd_manifest(of)["spec"]
    version = spec["versions"][0]
    root = version["schema"]["openAPIV3Schema"]
    parts = [_introduction(_PAGES[of], spec, version), _sentences("## The name", root)]
    for name in ("spec", "status"):
        parts += list(_sections(name, root["properties"][name], 2))
    return "\n".join(part for part in parts if part)


def _introduction(page: _Page, spec: Schema, version: Schema) -> str:
    columns = [
        column["name"] + (" (wide only)" if column.get("priority") else "")
        for column in version["additionalPrinterColumns"]
    ]
    return _INTRODUCTION.format(
        kind=spec["names"]["kind"],
        about=page.about,
        name=page.name,
        example=page.example,
        more=page.more,
        group=spec["group"],
        version=version["name"],
        short=spec["names"]["shortNames"][0],
        columns=", ".join(columns),
    )


def _sections(path: str, node: Schema, level: int) -> Iterator[str]:
    """Yield the section of one object, then those of the objects in it."""
    lines = [f"{'#' * min(level, 4)} {path}", "", node["description"], ""]
    lines += ["| Field | Type | Default | Meaning |", "|---|---|---|---|"]
    lines += [_row(path, name, field) for name, field in node["properties"].items()]
    yield "\n".join(lines) + "\n"
    yield _sentences("Refused, with these words:", node)
    for name, field in node["properties"].items():
        if (inner := _object_in(field)) is not None:
            yield from _sections(_path(path, name, field), inner, level + 1)


def _path(path: str, name: str, field: Schema) -> str:
    return f"{path}.{name}[]" if field.get("type") == "array" else f"{path}.{name}"


def _object_in(field: Schema) -> Schema | None:
    """Return the schema of the object a field holds, one or several of, if it is ours."""
    node: Schema = field.get("items", field)
    if "x-kubernetes-preserve-unknown-fields" in node or "properties" not in node:
        return None
    return node


def _row(path: str, name: str, field: Schema) -> str:
    return (
        f"| `{name}` | {_type(_path(path, name, field), field)} | {_default(field)} "
        f"| {_cell(field.get('description', ''))} |"
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _type(path: str, node: Schema) -> str:
    if _object_in(node) is not None:
        kind = "list of objects" if node.get("type") == "array" else "object"
        return f"[{kind}](#{_anchor(path)})"
    if node.get("type") == "array":
        return f"list of {_type(path, node['items'])}"
    if "additionalProperties" in node:
        return f"map of text to {_type(path, node['additionalProperties'])}"
    return _scalar(node)


def _anchor(path: str) -> str:
    return path.lower().replace(".", "").replace("[]", "")


def _scalar(node: Schema) -> str:
    if "enum" in node:
        return " or ".join(f"`{choice}`" for choice in node["enum"])
    if "x-kubernetes-int-or-string" in node:
        return "quantity"
    if "x-kubernetes-preserve-unknown-fields" in node:
        return "as Kubernetes has it"
    if node["type"] == "integer":
        return "number" + _range(node)
    names = {"string": "text", "boolean": "true or false", "object": "object"}
    return {"date-time": "time"}.get(node.get("format", ""), names[node["type"]])


def _range(node: Schema) -> str:
    least, most = node.get("minimum"), node.get("maximum")
    if least is None:
        return ""
    return f" from {least}" if most in (None, 2147483647) else f", {least} to {most}"


def _default(node: Schema) -> str:
    default = node.get("default")
    if default is None:
        return ""
    inner = node.get("properties", {})
    if isinstance(default, dict):
        default = {
            key: value for key, value in default.items() if inner[key].get("default") != value
        }
    return "" if default == {} else f"`{json.dumps(default).strip(chr(34))}`"


def _sentences(title: str, node: Schema) -> str:
    """Return what is refused about an object and its plain fields, in the API server's words."""
    rules = [(rule["message"], "") for rule in node.get(VALIDATIONS, [])]
    for name, field in node.get("properties", {}).items():
        rules += [(rule["message"], f"`{name}`: ") for rule in _field_rules(field)]
    if not rules:
        return ""
    return "\n".join([title, "", *(f"- {field}{message}" for message, field in rules)]) + "\n"


def _field_rules(field: Schema) -> list[Schema]:
    """Return the rules of a field that has no section of its own."""
    if _object_in(field) is not None:
        return []
    inner = field.get("items") or field.get("additionalProperties") or {}
    return [*field.get(VALIDATIONS, []), *inner.get(VALIDATIONS, [])]


def main(arguments: Sequence[str]) -> int:
    """Write every page into a folder."""
    for kind in _PAGES:
        Path(arguments[0], f"{kind.name.lower()}.md").write_text(reference_page(kind))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
