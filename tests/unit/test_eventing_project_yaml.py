"""Real Knative would accept every manifest that this project ships."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.eventing.admission import admission_error
from local.eventing.events import Event
from local.eventing.filters import trigger_filter

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


TRIGGERS = {
    trigger["metadata"]["name"]: trigger_filter(trigger["spec"])
    for trigger in yaml.safe_load_all((REPOSITORY / "sources/triggers.yaml").read_text())
}

MOVERS = {"scale", "roll", "restore"}


@pytest.mark.parametrize(
    ("event", "woken"),
    [
        pytest.param("observe", {*MOVERS, "observe"}, id="a-pod-changed"),
        pytest.param("observe-role", {*MOVERS, "observe"}, id="a-server-changed-its-role"),
        pytest.param(
            "reconcile-cluster", {*MOVERS, "reconcile-cluster", "observe", "backup"}, id="a-cluster"
        ),
        pytest.param("backup", {"backup"}, id="a-backup"),
        pytest.param("backup-job", {"backup", "restore"}, id="a-job-of-a-backup"),
        pytest.param("backup-cron-job", {"backup"}, id="a-cron-job"),
        pytest.param("restore", {"restore"}, id="a-restore"),
        pytest.param("restore-job", {"backup", "restore"}, id="a-job-of-a-restore"),
        pytest.param("reconcile-cluster-owned", {"reconcile-cluster"}, id="a-config-map-is-gone"),
        pytest.param("scale-claim", {"scale"}, id="a-volume-claim"),
        pytest.param("resync", {"resync"}, id="a-tick"),
        pytest.param("dead-letter-no-object", set(), id="of-somebody-else"),
    ],
)
def test_a_sample_event_wakes_who_has_to_look(event: str, woken: set[str]) -> None:
    attributes = json.loads((REPOSITORY / f"tests/events/{event}.json").read_text())
    del attributes["data"]
    assert {name for name, passes in TRIGGERS.items() if passes(Event(attributes))} == woken
