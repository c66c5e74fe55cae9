"""The twin and the real API server agree on whatever several managers do to one object."""

from __future__ import annotations

import random
from typing import Any

import pytest

from functions.adapters.kubernetes import connect
from functions.adapters.memory import MemoryKube
from functions.api.errors import FieldConflict, Refused
from functions.api.kinds import CLUSTER, Ref
from functions.api.manifest import Manifest
from tests.contract.api_server import ApiServer
from tests.contract.sides import Real, Side, Twin, condition

pytestmark = pytest.mark.contract

MANAGERS = ("one", "two", "three")
STEPS = 40


def some(chance: random.Random, whole: dict[str, Any]) -> dict[str, Any]:
    """Return some of the entries of `whole`."""
    return {name: value for name, value in whole.items() if chance.random() < 0.5}


def main_half(chance: random.Random) -> dict[str, Any]:
    def env() -> list[dict[str, str]]:
        values = some(chance, {name: chance.choice("12") for name in "ABC"})
        entries = [{"name": name, "value": value} for name, value in values.items()]
        chance.shuffle(entries)
        return entries

    labels = some(chance, {name: chance.choice("12") for name in "xyz"})
    finalizers = [name for name in ("a.example/x", "a.example/y") if chance.random() < 0.3]
    metadata = some(chance, {"labels": labels, "finalizers": finalizers})
    return {
        "metadata": {name: value for name, value in metadata.items() if value},
        "spec": {"replicas": 3, **some(chance, {"env": env() or [{"name": "D"}]})},
    }


def status_half(chance: random.Random) -> dict[str, Any]:
    types = [type_ for type_ in "ABC" if chance.random() < 0.5]
    chance.shuffle(types)
    conditions = [condition(type_, chance.choice(["True", "False"])) for type_ in types]
    operation = {"type": chance.choice(["Scale", "Roll"]), **some(chance, {"target": "x"})}
    servers = [{"name": name, **some(chance, {"mode": "leader"})} for name in ("zoo-0", "zoo-1")]
    whole = {
        "conditions": conditions,
        "operation": operation,
        "servers": servers,
        "leader": chance.choice(["zoo-0", "zoo-1"]),
        "members": [{"id": chance.choice([1, 2])}],
    }
    return {"status": {name: value for name, value in some(chance, whole).items() if value}}


def outcome(side: Side, at: Ref, step: dict[str, Any]) -> Any:
    """Do one step and return all that a function could see of it."""
    before = side.kube.get(at)
    try:
        (edit if step["edits"] and before else apply)(side, at, step)
    except FieldConflict as error:
        return "conflict", sorted(error.managers)
    after = side.kube.get(at)
    assert after is not None
    return before is None or version(before) != version(after), seen(after)


def edit(side: Side, at: Ref, step: dict[str, Any]) -> None:
    """Replace what the step names in the object as it is, as kubectl edit does."""
    item = side.kube.get(at)
    assert item is not None
    for part, fields in step["manifest"].items():
        item[part] = {**item.get(part, {}), **fields}
    side.edit(item, manager="kubectl-edit", subresource=step["subresource"])


def apply(side: Side, at: Ref, step: dict[str, Any]) -> None:
    manifest = {
        "apiVersion": CLUSTER.api_version,
        "kind": CLUSTER.name,
        **step["manifest"],
        "metadata": {
            "name": at.name,
            "namespace": at.namespace,
            **step["manifest"].get("metadata", {}),
        },
    }
    side.kube.apply(
        manifest, manager=step["manager"], subresource=step["subresource"], force=step["force"]
    )


def version(item: Manifest) -> str:
    return str(item["metadata"]["resourceVersion"])


def seen(item: Manifest) -> dict[str, Any]:
    metadata = item["metadata"]
    fields = {
        (entry["manager"], entry.get("subresource", "")): entry["fieldsV1"]
        for entry in metadata["managedFields"]
        if entry["operation"] == "Apply"
    }
    return {
        "labels": metadata.get("labels"),
        "finalizers": metadata.get("finalizers"),
        "env": item["spec"].get("env"),
        "status": item.get("status"),
        "generation": metadata["generation"],
        "applied": fields,
    }


@pytest.mark.parametrize("seed", range(8))
def test_the_twin_does_what_the_api_server_does(
    seed: int, api_server: ApiServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig))
    real, twin = Real(connect(), namespace, api_server), Twin(MemoryKube(), namespace)
    chance = random.Random(seed)
    at, compared = Ref(CLUSTER, namespace, "zoo"), 0
    for number in range(STEPS):
        is_status = number > 0 and chance.random() < 0.6
        step = {
            "manager": chance.choice(MANAGERS),
            "edits": chance.random() < 0.15,
            "force": chance.random() < 0.3,
            "subresource": "status" if is_status else "",
            "manifest": status_half(chance) if is_status else main_half(chance),
        }
        try:
            expected = outcome(real, at, step)
        except Refused:
            # By the schema: half a condition is left where two managers disagree. The twin has no
            # schemas, so it is not asked.
            continue
        compared += 1
        assert outcome(twin, at, step) == expected, f"step {number}: {step}"
    assert compared > STEPS / 2
