"""Every defect of the replaced systems is named by a test that guards against it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from functions.api.backup import ZooKeeperBackup
from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import CLUSTER
from functions.api.restore import ZooKeeperRestore
from tests.expected import TESTS

_ROW = re.compile(r"^\| ([CGJ]\d+) \| (.+) \| (.+) \|$", re.MULTILINE)
_ID = re.compile(r"\b[CGJ]\d+\b")
DEFECTS = {
    name: (what, how)
    for name, what, how in _ROW.findall((TESTS.parent / "docs/seed-defects.md").read_text())
}
# What the samples' names begin with.
MODELS: dict[str, type[ZooKeeperCluster | ZooKeeperBackup | ZooKeeperRestore]] = {
    "cluster": ZooKeeperCluster,
    "backup": ZooKeeperBackup,
    "restore": ZooKeeperRestore,
}


def _guards() -> dict[str, list[str]]:
    """Return defect to the tests whose docstrings name it."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.glob("*/test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for name in _ID.findall(ast.get_docstring(node) or ""):
                    found.setdefault(name, []).append(node.name)
    return found


GUARDS = _guards()


def test_the_list_has_every_defect_once() -> None:
    wanted = {
        f"{system}{n}"
        for system, last in (("C", 28), ("G", 27), ("J", 9))
        for n in range(1, last + 1)
    }
    assert set(DEFECTS) == wanted


@pytest.mark.parametrize("name", sorted(DEFECTS))
def test_a_defect_is_named_by_a_test(name: str) -> None:
    assert GUARDS.get(name), f"no test's docstring names {name}: {DEFECTS[name][0]}"


def test_no_test_names_a_defect_that_is_not_on_the_list() -> None:
    assert set(GUARDS) <= set(DEFECTS)


@pytest.mark.parametrize(
    "path", sorted((TESTS.parent / "config/samples").glob("*.yaml")), ids=lambda p: p.stem
)
def test_a_sample_is_of_the_kind_that_is_served_and_has_no_fault(path: Path) -> None:
    """Guards against J9: a wrong API group in what newcomers copy."""
    manifests = [item for item in yaml.safe_load_all(path.read_text()) if item]
    assert manifests
    for manifest in manifests:
        model = MODELS[path.stem.partition("-")[0]]
        parsed = model.parse(manifest)
        assert (manifest["apiVersion"], manifest["kind"]) == (CLUSTER.api_version, model.__name__)
        assert parsed.metadata.name
