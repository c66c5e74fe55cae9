"""Real Knative would accept every manifest that this project ships."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from local.eventing.admission import admission_error

REPOSITORY = Path(__file__).parents[2]


def shipped() -> list[Any]:
    """Return every Knative manifest of sources/ and config/, named by file and object."""
    found = []
    for path in sorted([*(REPOSITORY / "sources").rglob("*.yaml"), *_config()]):
        for manifest in yaml.safe_load_all(path.read_text()):
            if isinstance(manifest, dict) and ".knative.dev/" in manifest.get("apiVersion", ""):
                name = f"{path.name}-{manifest['kind']}-{manifest['metadata']['name']}"
                found.append(pytest.param(manifest, id=name))
    return found


def _config() -> list[Path]:
    """Return what is complete by itself: a patch of an overlay has only what it changes."""
    return list((REPOSITORY / "config" / "base").rglob("*.yaml"))


def test_there_is_something_to_check() -> None:
    kinds = {case.values[0]["kind"] for case in shipped()}
    assert kinds >= {"Broker", "Trigger", "ApiServerSource", "PingSource", "Service"}


@pytest.mark.parametrize("manifest", shipped())
def test_a_shipped_manifest_is_accepted_by_knatives_rules(manifest: dict[str, Any]) -> None:
    assert admission_error(manifest) is None
