"""What a function imports before its first event: nothing that it may never need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
SECONDS = 60
FUNCTIONS = [
    "reconcile_cluster", "observe", "scale", "roll", "backup", "restore", "resync", "dead_letter",
]  # fmt: skip

# What pydantic brings along.
PYDANTIC = {
    "annotated_types",
    "pydantic",
    "pydantic_core",
    "typing_extensions",
    "typing_inspection",
}
SCRIPT = """
import json, sys
{statement}
loaded = {{name.partition('.')[0] for name in sys.modules if not name.startswith('_')}}
print(json.dumps(sorted(loaded - set(sys.stdlib_module_names))))
"""
CONNECT = """
import functions.observe
from functions.api.errors import Unavailable
from functions.runtime.connect import connect
try: connect()
except Unavailable: pass
"""


def imported_by(statement: str) -> set[str]:
    """Return the outside packages that a statement adds to a fresh interpreter."""
    return _loaded(statement) - _loaded("pass") - {"functions"}


def _loaded(statement: str) -> set[str]:
    return set(json.loads(_run(SCRIPT.format(statement=statement))))


def _run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=CHECKOUT,
        env={name: value for name, value in os.environ.items() if name != "KUBECONFIG"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_starts_with_pydantic_alone(function: str) -> None:
    assert imported_by(f"import functions.{function}") == PYDANTIC


def test_connecting_in_a_pod_adds_only_the_http_client() -> None:
    assert imported_by(CONNECT) == PYDANTIC | {"urllib3"}


def test_every_function_of_the_procfile_is_looked_at() -> None:
    lines = (CHECKOUT / "Procfile").read_text().splitlines()
    assert {line.split("--target ")[1].split()[0] for line in lines} == set(FUNCTIONS)


def test_what_a_function_imported_is_left_alone_by_the_collector() -> None:
    counted = _run(
        "import gc, functions.observe; print(gc.get_freeze_count(), len(gc.get_objects()))"
    )
    frozen, collected = map(int, counted.split())
    assert frozen > 20 * collected
