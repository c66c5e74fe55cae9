"""Which volumes the laptop makes, grows and removes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.provisioner.volumes import (
    PROVISIONED_BY,
    PROVISIONER,
    SELECTED_NODE,
    grown_size,
    is_to_be_removed,
    is_wanted,
    memory_bytes,
    sized_class,
    storage_class,
    volume,
)

STANDARD = storage_class()
IMMEDIATE = {**STANDARD, "volumeBindingMode": "Immediate", "reclaimPolicy": "Retain"}
FOREIGN = {**STANDARD, "provisioner": "somebody.example.com/else"}
CLASSES = {"standard": STANDARD, "immediate": IMMEDIATE, "foreign": FOREIGN}


def claim(*, node: str = "", name: str = "standard", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "data-zk-0",
            "namespace": "default",
            "uid": "u-1",
            "annotations": {SELECTED_NODE: node} if node else {},
        },
        "spec": {
            "storageClassName": name,
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            **spec,
        },
    }


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        pytest.param(claim(node="node-b"), True, id="node-chosen"),
        pytest.param(claim(), False, id="waits-for-a-pod"),
        pytest.param(claim(name="immediate"), True, id="class-does-not-wait"),
        pytest.param(claim(node="node-b", name="foreign"), False, id="not-ours"),
        pytest.param(claim(node="node-b", name="unknown"), False, id="no-such-class"),
        pytest.param(claim(node="node-b", volumeName="pvc-u-1"), False, id="has-one"),
        pytest.param(claim(node="node-b", volumeMode="Block"), False, id="block-device"),
    ],
)
def test_a_volume_is_made_for(asked: dict[str, Any], wanted: bool) -> None:
    assert is_wanted(asked, CLASSES) is wanted


def test_a_claim_that_goes_away_gets_no_volume() -> None:
    leaving = claim(node="node-b")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert not is_wanted(leaving, CLASSES)


def test_a_volume_is_bound_to_the_node_and_to_the_claim() -> None:
    made = volume(claim(node="node-b"), STANDARD, Path("/volumes"))
    assert made["spec"]["hostPath"]["path"] == "/volumes/pvc-u-1"
    assert made["spec"]["claimRef"]["uid"] == "u-1"
    terms = made["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"][0]["values"] == ["node-b"]
    assert made["spec"]["persistentVolumeReclaimPolicy"] == "Delete"


def test_a_volume_that_did_not_wait_is_bound_to_no_node() -> None:
    made = volume(claim(name="immediate"), IMMEDIATE, Path("/volumes"))
    assert "nodeAffinity" not in made["spec"]
    assert made["spec"]["persistentVolumeReclaimPolicy"] == "Retain"


def released(*, by: str = PROVISIONER, phase: str = "Released", policy: str = "Delete") -> Any:
    return {
        "metadata": {"name": "pvc-u-1", "annotations": {PROVISIONED_BY: by}},
        "spec": {"persistentVolumeReclaimPolicy": policy},
        "status": {"phase": phase},
    }


@pytest.mark.parametrize(
    ("found", "removed"),
    [
        pytest.param(released(), True, id="released"),
        pytest.param(released(phase="Bound"), False, id="in-use"),
        pytest.param(released(policy="Retain"), False, id="to-be-kept"),
        pytest.param(released(by="somebody"), False, id="not-ours"),
    ],
)
def test_a_volume_is_removed_when(found: dict[str, Any], removed: bool) -> None:
    assert is_to_be_removed(found) is removed


def test_a_bound_claim_that_asks_for_more_grows() -> None:
    asked = claim(node="node-b")
    assert grown_size(asked) is None
    asked["status"] = {"phase": "Bound", "capacity": {"storage": "500Mi"}}
    assert grown_size(asked) == "1Gi"
    asked["status"]["capacity"]["storage"] = "1Gi"
    assert grown_size(asked) is None


@pytest.mark.parametrize(
    ("found", "size"),
    [
        pytest.param(STANDARD, 0, id="a-folder-has-no-size"),
        pytest.param(sized_class(), 2**30, id="memory-has-the-claimed-size"),
    ],
)
def test_only_a_volume_in_memory_can_be_full(found: dict[str, Any], size: int) -> None:
    assert memory_bytes(claim(node="node-b"), found) == size
