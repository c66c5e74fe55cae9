"""docs/security.md says what config/base/rbac.yaml grants, role by role and right by right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text()
READS = ("get", "list", "watch")
ROLES = {
    document["metadata"]["name"].removeprefix("zookeeper-functions-"): document["rules"]
    for path in ("config/base/rbac.yaml", "config/definitions/server-role.yaml")
    for document in yaml.safe_load_all((ROOT / path).read_text())
    if document["kind"] == "ClusterRole"
}


def rights(rules: list[dict[str, Any]], *, reads: bool) -> str:
    """Return what may be read, or what may be changed, in the page's words."""
    found: dict[tuple[str, ...], list[str]] = {}
    for rule in rules:
        verbs = tuple(v for v in rule["verbs"] if (v in READS) == reads)
        only = f" (`{rule['resourceNames'][0]}` only)" if "resourceNames" in rule else ""
        if verbs:
            found.setdefault(verbs, []).extend(f"{name}{only}" for name in rule["resources"])
    parts = [f"{', '.join(verbs)}: {', '.join(sorted(what))}" for verbs, what in found.items()]
    return "; ".join(sorted(parts)) or "nothing"


@pytest.mark.parametrize("role", ROLES)
def test_the_page_has_the_role_as_it_is(role: str) -> None:
    row = f"| `{role}` | {rights(ROLES[role], reads=False)} | {rights(ROLES[role], reads=True)} |"
    assert row in PAGE.splitlines()


def test_the_page_has_no_role_that_is_gone() -> None:
    table = PAGE.partition("| role |")[2].partition("\n\n")[0].splitlines()[2:]
    assert {line.split("`")[1] for line in table} == set(ROLES)


def test_the_page_names_everybody_who_reads_secrets() -> None:
    readers = {name for name, rules in ROLES.items() if "secrets" in str(rules)}
    said = PAGE.partition("## Secrets")[2].partition("\n## ")[0]
    assert {name for name in ROLES if f"`{name}`" in said} == readers
