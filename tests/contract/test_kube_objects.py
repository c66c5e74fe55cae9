"""Objects come, go and are found, on the real API server and its twin."""

from __future__ import annotations

from typing import Any

import pytest

from functions.api.errors import AlreadyExists, Conflict, EvictionBlocked, FieldConflict, Refused
from functions.api.kinds import (
    CLUSTER,
    CONFIG_MAP,
    POD,
    POD_DISRUPTION_BUDGET,
    SECRET,
    SERVICE,
    SERVICE_MONITOR,
)
from functions.api.manifest import Manifest
from tests.contract.sides import (
    Side,
    cluster,
    config_map,
    made,
    now,
    ref,
    version,
)

pytestmark = pytest.mark.contract


def test_what_is_not_there_is_none(side: Side) -> None:
    assert side.kube.get(ref(side, CONFIG_MAP, "nothing")) is None
    assert side.kube.get(ref(side, SERVICE_MONITOR, "nothing")) is None


def test_a_resource_version_without_a_uid_is_refused(side: Side) -> None:
    """The API server would create the object anew if it is gone."""
    first = side.kube.apply(config_map(side, a="1"), manager="one")
    alone = made(side, CONFIG_MAP, "it", metadata={"resourceVersion": version(first)})
    with pytest.raises(Refused):
        side.kube.apply(alone, manager="one")


def test_create_refuses_what_is_there(side: Side) -> None:
    created = side.kube.create(config_map(side, a="1"), manager="one")
    with pytest.raises(AlreadyExists):
        side.kube.create(config_map(side, a="2"), manager="one")
    assert now(side, CONFIG_MAP, "it") == created


def test_create_makes_up_a_name(side: Side) -> None:
    wanted = config_map(side, a="1")
    wanted["metadata"] = {"generateName": "it-", "namespace": side.namespace}
    names = {side.kube.create(wanted, manager="one")["metadata"]["name"] for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("it-") and len(name) == 8 for name in names)


def test_a_created_object_belongs_to_another_manager_than_an_applied_one(side: Side) -> None:
    side.kube.create(config_map(side, a="1"), manager="one")
    with pytest.raises(FieldConflict) as caught:
        side.kube.apply(config_map(side, a="2"), manager="one")
    assert caught.value.managers == {"one"}


def test_create_refuses_a_resource_version(side: Side) -> None:
    with pytest.raises(Refused):
        side.kube.create(
            made(side, CONFIG_MAP, "it", metadata={"resourceVersion": "1"}), manager="one"
        )


def test_delete_takes_only_the_object_with_that_uid(side: Side) -> None:
    first = side.kube.apply(config_map(side, a="1"), manager="one")
    with pytest.raises(Conflict):
        side.kube.delete(ref(side, CONFIG_MAP, "it"), uid="not-this")
    side.kube.delete(ref(side, CONFIG_MAP, "it"), uid=first["metadata"]["uid"])
    side.kube.delete(ref(side, CONFIG_MAP, "it"), uid=first["metadata"]["uid"])
    again = side.kube.apply(config_map(side, a="2"), manager="one")
    assert again["metadata"]["uid"] != first["metadata"]["uid"]


def test_a_finalizer_holds_an_object_until_it_is_dropped(side: Side) -> None:
    held = cluster(side, metadata={"finalizers": ["zookeeper.example.com/held"]})
    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    uid = side.kube.apply(held, manager="reconcile-cluster")["metadata"]["uid"]
    side.kube.delete(ref(side, CLUSTER, "zoo"), uid=uid)
    marked = now(side, CLUSTER, "zoo")
    assert marked["metadata"]["deletionTimestamp"]
    assert marked["metadata"]["generation"] == 2
    side.kube.delete(ref(side, CLUSTER, "zoo"), uid=uid)
    with pytest.raises(Refused):
        side.kube.apply(
            cluster(side, metadata={"finalizers": ["zookeeper.example.com/more"]}), manager="other"
        )
    side.kube.apply(cluster(side), manager="reconcile-cluster")
    assert side.kube.get(ref(side, CLUSTER, "zoo")) is None


def test_finalizers_of_two_managers_are_kept_apart(side: Side) -> None:
    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    side.kube.apply(cluster(side, metadata={"finalizers": ["a.example/x"]}), manager="one")
    both = side.kube.apply(cluster(side, metadata={"finalizers": ["b.example/y"]}), manager="two")
    assert sorted(both["metadata"]["finalizers"]) == ["a.example/x", "b.example/y"]
    left = side.kube.apply(cluster(side), manager="one")
    assert left["metadata"]["finalizers"] == ["b.example/y"]


def test_list_finds_by_labels_and_namespace(side: Side) -> None:
    for name, labels in {"a": {"x": "1"}, "b": {"x": "1", "y": "2"}, "c": {}}.items():
        side.kube.apply(made(side, CONFIG_MAP, name, metadata={"labels": labels}), manager="one")

    def found(namespace: str | None, **labels: str | tuple[str, ...]) -> list[str]:
        items = side.kube.list(CONFIG_MAP, namespace, labels)
        ours = [i for i in items if i["metadata"]["namespace"] == side.namespace]
        assert all((i["kind"], i["apiVersion"]) == ("ConfigMap", "v1") for i in items)
        return [i["metadata"]["name"] for i in ours if i["metadata"]["name"] in "abc"]

    assert found(side.namespace) == ["a", "b", "c"]
    assert found(None, x="1") == ["a", "b"]
    assert found(side.namespace, x="1", y="2") == ["b"]
    assert found(side.namespace, x="2") == []
    assert found(side.namespace, x=("2", "1"), y=("2", "3")) == ["b"]
    assert found(side.namespace, x=("2", "3")) == []
    assert side.kube.list(CONFIG_MAP, "elsewhere", {"x": "1"}) == []
    assert side.kube.list(SECRET, side.namespace) == []


def test_serves_says_which_kinds_have_a_definition(side: Side) -> None:
    assert side.kube.serves(CLUSTER)
    assert side.kube.serves(CONFIG_MAP)
    assert not side.kube.serves(SERVICE_MONITOR)
    with pytest.raises(Refused):
        side.kube.list(SERVICE_MONITOR, side.namespace)
    with pytest.raises(Refused):
        side.kube.apply(made(side, SERVICE_MONITOR, "it", spec={}), manager="one")


def pod(side: Side) -> Manifest:
    spec = {"containers": [{"name": "c", "image": "x"}]}
    return made(side, POD, "zoo-0", metadata={"labels": {"app": "zoo"}}, spec=spec)


def test_evicting_asks_the_budget_and_the_uid(side: Side) -> None:
    at = ref(side, POD, "zoo-0")
    made_pod = side.kube.apply(pod(side), manager="controller")
    uid = made_pod["metadata"]["uid"]
    with pytest.raises(Conflict):
        side.kube.evict(at, uid="not-this")
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    status = {"phase": "Running", "conditions": [ready]}
    side.edit({**made_pod, "status": status}, manager="kubelet", subresource="status")
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "zoo"}}}
    side.kube.apply(
        made(side, POD_DISRUPTION_BUDGET, "zoo", spec=budget), manager="reconcile-cluster"
    )
    with pytest.raises(EvictionBlocked):
        side.kube.evict(at, uid=uid)
    assert now(side, POD, "zoo-0")["metadata"]["uid"] == uid
    found = now(side, POD_DISRUPTION_BUDGET, "zoo")["metadata"]["uid"]
    side.kube.delete(ref(side, POD_DISRUPTION_BUDGET, "zoo"), uid=found)
    side.kube.evict(at, uid=uid)
    assert side.kube.get(at) is None
    side.kube.evict(at, uid=uid)


def service(side: Side, **port: Any) -> Manifest:
    return made(side, SERVICE, "it", spec={"clusterIP": "None", "ports": [port]})


def test_an_entry_whose_key_was_edited_is_not_the_one_that_is_applied(side: Side) -> None:
    """Mending such an edit takes more than an apply: the edited entry belongs to the editor."""
    applied = side.kube.apply(service(side, name="client", port=2181), manager="one")
    spec = {**applied["spec"], "ports": [{"name": "edited", "port": 9999, "protocol": "TCP"}]}
    side.edit({**applied, "spec": spec}, manager="kubectl-edit")
    mended = side.kube.apply(service(side, name="client", port=2181), manager="one", force=True)
    assert sorted(port["port"] for port in mended["spec"]["ports"]) == [2181, 9999]
    side.kube.apply(service(side, name="edited", port=9999), manager="two")
    spec = {**applied["spec"], "ports": [{"name": "client", "port": 9998, "protocol": "TCP"}]}
    side.edit(
        {**applied, "metadata": now(side, SERVICE, "it")["metadata"], "spec": spec},
        manager="kubectl-edit",
    )
    with pytest.raises(Refused, match="Duplicate value"):
        side.kube.apply(service(side, name="client", port=2181), manager="one", force=True)
