"""What the twin of the Kubernetes API has beyond the contract: set-up, faults, its own rules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from functions.adapters.memory import Faults, MemoryKube, MemoryZooKeeper, Write
from functions.adapters.memory.shapes import Fields, KeyedBy, Shape, Values, Whole, shape_of
from functions.api.errors import AlreadyExists, Conflict, FieldConflict, Refused, Unavailable
from functions.api.kinds import (
    BACKUP,
    CLUSTER,
    CONFIG_MAP,
    POD,
    RESTORE,
    SERVICE_MONITOR,
    STATEFUL_SET,
    Kind,
    Ref,
)

CRDS = Path(__file__).parents[2] / "crds"
OURS = {kind.plural: kind for kind in (CLUSTER, BACKUP, RESTORE)}

IT = Ref(CONFIG_MAP, "here", "it")


def made(kind: Kind, name: str = "it", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "here", **more.pop("metadata", {})}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, **more}


def config_map(**data: str) -> dict[str, Any]:
    return made(CONFIG_MAP, data=data)


def owned_by(uid: str) -> dict[str, Any]:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    return {"ownerReferences": [owner]}


def test_times_and_uids_are_the_same_in_every_run() -> None:
    kube = MemoryKube(now=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    metadata = kube.apply(config_map(a="1"), manager="one")["metadata"]
    assert metadata["creationTimestamp"] == "2026-01-02T03:04:05Z"
    assert metadata["uid"] == "00000000-0000-0000-0000-000000000001"


def test_what_is_put_belongs_to_nobody_and_conflicts_with_nobody() -> None:
    kube = MemoryKube()
    kube.put(made(CLUSTER, spec={"replicas": 3}, status={"leader": "zoo-0"}))
    told = made(CLUSTER, status={"leader": "zoo-1"})
    assert kube.apply(told, manager="observe", subresource="status")["status"] == {
        "leader": "zoo-1"
    }
    dropped = kube.apply(made(CLUSTER, status={}), manager="observe", subresource="status")
    assert "status" not in dropped
    assert dropped["spec"] == {"replicas": 3}


def test_what_is_put_by_a_manager_is_as_if_it_had_applied_it() -> None:
    kube = MemoryKube()
    kube.put(made(CLUSTER, spec={"replicas": 3}, status={"leader": "zoo-0"}), manager="observe")
    with pytest.raises(FieldConflict) as caught:
        kube.apply(made(CLUSTER, status={"leader": "zoo-1"}), manager="scale", subresource="status")
    assert caught.value.managers == {"observe"}


def test_putting_again_replaces_but_keeps_the_identity() -> None:
    kube = MemoryKube()
    first = kube.put(made(POD, spec={}, status={"phase": "Pending"}))["metadata"]
    second = kube.put(made(POD, spec={}, status={"phase": "Running"}))
    assert second["status"] == {"phase": "Running"}
    assert second["metadata"]["uid"] == first["uid"]
    assert second["metadata"]["resourceVersion"] != first["resourceVersion"]


def test_a_world_is_loaded_with_the_uids_it_names() -> None:
    kube = MemoryKube()
    kube.load([made(CONFIG_MAP, metadata={"uid": "u-1"}), made(POD, metadata={"uid": "u-2"})])
    found = kube.get(IT)
    assert found is not None
    assert found["metadata"]["uid"] == "u-1"


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        ({"apiVersion": "v1", "kind": "Widget", "metadata": {"name": "a"}}, "not one that the"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "a"}}, "no metadata.name"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}, "metadata.namespace"),
        ({}, "no apiVersion"),
        (made(CONFIG_MAP, data=("a", "tuple")), "no JSON"),
        (made(CONFIG_MAP, "other", metadata={"uid": "taken"}), "has it"),
    ],
    ids=["unknown-kind", "no-name", "no-namespace", "empty", "tuple", "uid-twice"],
)
def test_impossible_objects_are_refused(manifest: dict[str, Any], sentence: str) -> None:
    kube = MemoryKube()
    kube.put(made(CONFIG_MAP, metadata={"uid": "taken"}))
    with pytest.raises(Refused, match=sentence):
        kube.put(manifest)


def test_the_callers_objects_and_the_stored_ones_are_apart() -> None:
    kube = MemoryKube()
    mine = config_map(a="1")
    answered = kube.apply(mine, manager="one")
    mine["data"]["a"] = answered["data"]["a"] = "changed"
    for found in (kube.get(IT), kube.list(CONFIG_MAP, "here")[0]):
        assert found is not None
        assert found["data"] == {"a": "1"}


def test_every_write_request_is_on_record_even_when_it_changes_nothing() -> None:
    kube = MemoryKube()
    kube.apply(config_map(a="1"), manager="one")
    kube.apply(config_map(a="1"), manager="one")
    with pytest.raises(AlreadyExists):
        kube.create(config_map(), manager="two")
    kube.delete(Ref(CONFIG_MAP, "here", "gone"), uid="1")
    assert kube.writes == [
        Write("apply", IT, "one"),
        Write("apply", IT, "one"),
        Write("create", IT, "two"),
        Write("delete", Ref(CONFIG_MAP, "here", "gone")),
    ]


def test_looking_and_setting_up_are_no_writes() -> None:
    kube = MemoryKube()
    kube.put(config_map(a="1"))
    kube.get(IT)
    kube.list(CONFIG_MAP, None)
    kube.serves(CONFIG_MAP)
    kube.collect_garbage()
    assert kube.writes == []
    assert kube.faults.calls == 3


def test_a_call_can_fail_before_it_takes_effect() -> None:
    kube = MemoryKube()
    kube.faults.fail_at(1, Unavailable("down"))
    with pytest.raises(Unavailable, match="down"):
        kube.apply(config_map(a="1"), manager="one")
    assert kube.get(IT) is None


def test_a_call_can_fail_after_it_took_effect() -> None:
    kube = MemoryKube()
    kube.faults.fail_at(1, Unavailable("answer lost"), after=True)
    with pytest.raises(Unavailable, match="answer lost"):
        kube.apply(config_map(a="1"), manager="one")
    assert kube.get(IT) is not None


def test_calls_to_both_twins_are_counted_together() -> None:
    faults = Faults()
    kube, zookeeper = MemoryKube(faults=faults), MemoryZooKeeper(faults=faults)
    zookeeper.ensemble(["server.1=zoo-0:2888:3888;2181"])
    faults.fail_at(2, Conflict("second"))
    kube.get(IT)
    with pytest.raises(Conflict, match="second"):
        zookeeper.stats("zoo-0", 2181)
    faults.reset()
    zookeeper.stats("zoo-0", 2181)
    assert faults.calls == 1


def test_somebody_can_write_between_two_calls() -> None:
    kube = MemoryKube()
    read = kube.apply(config_map(a="1"), manager="one")["metadata"]
    kube.faults.reset()

    def edit() -> None:
        kube.update(config_map(a="2"), manager="user")

    kube.faults.at(1, edit)
    about = {"uid": read["uid"], "resourceVersion": read["resourceVersion"]}
    with pytest.raises(Conflict):
        kube.apply(made(CONFIG_MAP, data={"a": "3"}, metadata=about), manager="one")


def test_reads_can_lag_behind() -> None:
    kube = MemoryKube()
    old = kube.apply(config_map(a="1"), manager="one")
    with kube.lagging():
        kube.apply(config_map(a="2"), manager="one")
        assert kube.get(IT) == old
        assert kube.list(CONFIG_MAP, "here") == [old]
    assert kube.list(CONFIG_MAP, "here")[0]["data"] == {"a": "2"}


def test_garbage_goes_down_to_the_last_dependent_and_stops_at_finalizers() -> None:
    kube = MemoryKube()
    owner = kube.put(made(CONFIG_MAP, "owner"))["metadata"]["uid"]
    child = kube.put(made(STATEFUL_SET, "child", metadata=owned_by(owner)))["metadata"]["uid"]
    kube.put(made(POD, "grandchild", metadata=owned_by(child)))
    kube.put(made(POD, "held", metadata={**owned_by(owner), "finalizers": ["a.example/x"]}))
    kube.put(made(POD, "free"))
    kube.collect_garbage()
    assert len(kube.list(POD, "here")) == 3
    kube.delete(Ref(CONFIG_MAP, "here", "owner"), uid=owner)
    kube.collect_garbage()
    left = {item["metadata"]["name"]: item["metadata"] for item in kube.list(POD, "here")}
    assert set(left) == {"held", "free"}
    assert left["held"]["deletionTimestamp"]
    assert kube.list(STATEFUL_SET, "here") == []


def test_something_with_another_living_owner_stays() -> None:
    kube = MemoryKube()
    uids = [kube.put(made(CONFIG_MAP, name))["metadata"]["uid"] for name in "ab"]
    owners = [owned_by(uid)["ownerReferences"][0] for uid in uids]
    kube.put(made(POD, metadata={"ownerReferences": owners}))
    for name, uid in zip("ab", uids, strict=True):
        assert kube.get(Ref(POD, "here", "it")) is not None
        kube.delete(Ref(CONFIG_MAP, "here", name), uid=uid)
        kube.collect_garbage()
    assert kube.get(Ref(POD, "here", "it")) is None


def test_an_admission_hook_defaults_and_refuses() -> None:
    def admit(item: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
        if before and before["data"]["kept"] != item["data"].get("kept"):
            raise Refused("kept is immutable")
        item["data"].setdefault("kept", "yes")
        return item

    kube = MemoryKube(admit=admit)
    assert kube.apply(config_map(a="1"), manager="one")["data"] == {"a": "1", "kept": "yes"}
    with pytest.raises(Refused, match="immutable"):
        kube.apply(config_map(a="1", kept="no"), manager="one", force=True)


def test_kinds_without_a_definition_are_not_served() -> None:
    assert not MemoryKube().serves(SERVICE_MONITOR)
    kube = MemoryKube(unserved=frozenset())
    assert kube.serves(SERVICE_MONITOR)
    kube.apply(made(SERVICE_MONITOR, spec={}), manager="one")
    assert len(kube.list(SERVICE_MONITOR, None)) == 1


def test_managed_fields_are_shown_in_the_apis_own_notation() -> None:
    kube = MemoryKube(now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    spec = {"containers": [{"name": "c", "ports": [{"containerPort": 80}], "args": ["a"]}]}
    shown = kube.apply(
        made(POD, metadata={"finalizers": ["a.example/x"]}, spec=spec), manager="one"
    )
    port: dict[str, Any] = {".": {}, "f:containerPort": {}}
    container = {
        ".": {},
        "f:args": {},
        "f:name": {},
        "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': port},
    }
    assert shown["metadata"]["managedFields"] == [
        {
            "manager": "one",
            "operation": "Apply",
            "apiVersion": "v1",
            "time": "2026-01-01T00:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:finalizers": {'v:"a.example/x"': {}}},
                "f:spec": {"f:containers": {'k:{"name":"c"}': container}},
            },
        }
    ]


def published_shapes(
    schema: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Shape]]:
    """Yield how a CRD says that each list and object in it is merged."""
    if schema.get("type") == "array":
        match schema.get("x-kubernetes-list-type", "atomic"):
            case "map":
                yield path, KeyedBy(tuple(schema["x-kubernetes-list-map-keys"]))
                yield from published_shapes(schema["items"] | {"type": ""}, path)
            case "set":
                yield path, Values()
            case _:
                yield path, Whole()
        return
    if schema.get("type") == "object":
        atomic = schema.get("x-kubernetes-map-type") == "atomic"
        yield path, Whole() if atomic else Fields()
        if atomic:
            return
    for name, field in (schema.get("properties") or {}).items():
        yield from published_shapes(field, (*path, name))


def test_the_twin_merges_our_kinds_as_their_definitions_say() -> None:
    compared = 0
    for file in CRDS.glob("*.yaml"):
        crd = yaml.safe_load(file.read_text())
        if crd["kind"] != "CustomResourceDefinition":
            continue
        kind = OURS[crd["spec"]["names"]["plural"]]
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for part in ("spec", "status"):
            for path, shape in published_shapes(schema["properties"][part], (part,)):
                example: Any = {} if isinstance(shape, Fields) else []
                if shape == Whole():
                    assert Whole() in (shape_of(kind, path, []), shape_of(kind, path, {})), path
                else:
                    assert shape_of(kind, path, example) == shape, path
                compared += 1
    assert compared > 20
