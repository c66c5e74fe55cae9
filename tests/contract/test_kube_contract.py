"""One suite for the real API server and its in-memory twin: what the functions rely on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from functions.adapters.kubernetes import KubernetesApi, connect
from functions.adapters.memory import MemoryKube
from functions.api.errors import AlreadyExists, Conflict, EvictionBlocked, FieldConflict, Refused
from functions.api.kinds import (
    CLUSTER,
    CONFIG_MAP,
    POD,
    POD_DISRUPTION_BUDGET,
    SECRET,
    SERVICE_MONITOR,
    STATEFUL_SET,
    Kind,
    Ref,
)
from functions.api.manifest import Manifest
from functions.runtime.world import Kube

pytestmark = pytest.mark.contract


class Side(Protocol):
    """One of the two APIs under test, and what a test needs beside the port."""

    @property
    def kube(self) -> Kube: ...

    @property
    def namespace(self) -> str: ...

    def edit(self, manifest: Manifest, *, manager: str, subresource: str = "") -> None:
        """Replace the object (PUT), as kubectl edit or a controller does."""
        ...


@dataclass(frozen=True)
class Twin:
    kube: MemoryKube
    namespace: str = "here"

    def edit(self, manifest: Manifest, *, manager: str, subresource: str = "") -> None:
        self.kube.update(manifest, manager=manager, subresource=subresource)


@dataclass(frozen=True)
class Real:
    kube: KubernetesApi
    namespace: str
    api_server: Any

    def edit(self, manifest: Manifest, *, manager: str, subresource: str = "") -> None:
        group = "apis" if "/" in manifest["apiVersion"] else "api"
        plural = manifest["kind"].lower() + "s"
        at = f"/{group}/{manifest['apiVersion']}/namespaces/{self.namespace}/{plural}"
        path = f"{at}/{manifest['metadata']['name']}" + (f"/{subresource}" if subresource else "")
        self.api_server.call("PUT", path, manifest, fieldManager=manager)


@pytest.fixture(params=["twin", "real"])
def side(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Side:
    if request.param == "twin":
        return Twin(MemoryKube())
    api_server = request.getfixturevalue("api_server")
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig))
    return Real(connect(), request.getfixturevalue("namespace"), api_server)


def config_map(side: Side, name: str = "it", **data: str) -> Manifest:
    return made(side, CONFIG_MAP, name, **({"data": data} if data else {}))


def cluster(side: Side, **more: Any) -> Manifest:
    return made(side, CLUSTER, "zoo", **more)


def made(side: Side, kind: Kind, name: str, **more: Any) -> Manifest:
    metadata = {"name": name, "namespace": side.namespace, **more.pop("metadata", {})}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, **more}


def ref(side: Side, kind: Kind, name: str) -> Ref:
    return Ref(kind, side.namespace, name)


def now(side: Side, kind: Kind, name: str) -> Manifest:
    found = side.kube.get(ref(side, kind, name))
    assert found is not None, f"{kind.name} {name} is gone"
    return found


def version(manifest: Manifest) -> str:
    return str(manifest["metadata"]["resourceVersion"])


def with_status(side: Side, manager: str, **status: Any) -> Manifest:
    return side.kube.apply(cluster(side, status=status), manager=manager, subresource="status")


def condition(type_: str, status: str = "True", reason: str = "Told") -> dict[str, str]:
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


def test_what_is_not_there_is_none(side: Side) -> None:
    assert side.kube.get(ref(side, CONFIG_MAP, "nothing")) is None
    assert side.kube.get(ref(side, SERVICE_MONITOR, "nothing")) is None


def test_apply_creates_what_is_missing(side: Side) -> None:
    made = side.kube.apply(config_map(side, a="1"), manager="one")
    assert made["data"] == {"a": "1"}
    assert now(side, CONFIG_MAP, "it") == made
    assert {made["kind"], made["apiVersion"]} == {"ConfigMap", "v1"}
    assert made["metadata"]["uid"]
    assert made["metadata"]["creationTimestamp"].endswith("Z")


def test_an_apply_that_changes_nothing_keeps_the_resource_version(side: Side) -> None:
    first = side.kube.apply(config_map(side, a="1"), manager="one")
    assert version(side.kube.apply(config_map(side, a="1"), manager="one")) == version(first)
    assert version(side.kube.apply(config_map(side, a="2"), manager="one")) != version(first)


def test_an_apply_with_fewer_fields_erases_the_others_of_that_manager(side: Side) -> None:
    side.kube.apply(config_map(side, a="1", b="2"), manager="one")
    side.kube.apply(config_map(side, c="3"), manager="two")
    assert side.kube.apply(config_map(side, a="1"), manager="one")["data"] == {"a": "1", "c": "3"}


def test_a_field_that_two_managers_agree_on_stays_until_both_drop_it(side: Side) -> None:
    side.kube.apply(config_map(side, a="1", b="1"), manager="one")
    side.kube.apply(config_map(side, a="1"), manager="two")
    assert side.kube.apply(config_map(side, b="1"), manager="one")["data"] == {"a": "1", "b": "1"}
    assert side.kube.apply(config_map(side), manager="two")["data"] == {"b": "1"}


def test_changing_what_somebody_else_owns_is_a_conflict_that_names_him(side: Side) -> None:
    side.kube.apply(config_map(side, a="1"), manager="one")
    side.kube.apply(config_map(side, b="1"), manager='the "other"')
    with pytest.raises(FieldConflict) as caught:
        side.kube.apply(config_map(side, a="2", b="2"), manager="two")
    assert caught.value.managers == {"one", 'the "other"'}
    assert now(side, CONFIG_MAP, "it")["data"] == {"a": "1", "b": "1"}


def test_force_takes_what_somebody_else_owns(side: Side) -> None:
    side.kube.apply(config_map(side, a="1", b="1"), manager="one")
    side.kube.apply(config_map(side, a="2"), manager="two", force=True)
    with pytest.raises(FieldConflict):
        side.kube.apply(config_map(side, a="1", b="1"), manager="one")
    assert side.kube.apply(config_map(side, b="1"), manager="one")["data"] == {"a": "2", "b": "1"}


def test_a_foreign_edit_conflicts_and_is_mended_by_force(side: Side) -> None:
    applied = side.kube.apply(config_map(side, a="1"), manager="one")
    side.edit({**applied, "data": {"a": "edited"}}, manager="kubectl-edit")
    with pytest.raises(FieldConflict) as caught:
        side.kube.apply(config_map(side, a="1"), manager="one")
    assert caught.value.managers == {"kubectl-edit"}
    assert side.kube.apply(config_map(side, a="1"), manager="one", force=True)["data"]["a"] == "1"


def test_two_managers_keep_their_own_conditions(side: Side) -> None:
    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    with_status(side, "observe", conditions=[condition("Available")])
    both = with_status(side, "scale", conditions=[condition("Scaled")])
    assert {c["type"] for c in both["status"]["conditions"]} == {"Available", "Scaled"}
    changed = with_status(side, "observe", conditions=[condition("Available", "False")])
    assert {c["type"]: c["status"] for c in changed["status"]["conditions"]} == {
        "Available": "False",
        "Scaled": "True",
    }
    left = with_status(side, "observe", leader="zoo-0")
    assert [c["type"] for c in left["status"]["conditions"]] == ["Scaled"]


def test_a_foreign_condition_is_a_conflict(side: Side) -> None:
    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    with_status(side, "observe", conditions=[condition("Available")])
    with pytest.raises(FieldConflict) as caught:
        with_status(side, "scale", conditions=[condition("Available", "False")])
    assert caught.value.managers == {"observe"}


def test_servers_are_told_apart_by_name(side: Side) -> None:
    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    with_status(side, "observe", servers=[{"name": "zoo-0", "mode": "leader"}, {"name": "zoo-1"}])
    last = with_status(side, "observe", servers=[{"name": "zoo-1", "mode": "leader"}])
    assert [(s["name"], s["mode"]) for s in last["status"]["servers"]] == [("zoo-1", "leader")]


def test_the_operation_is_one_piece(side: Side) -> None:
    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    with_status(side, "mover", operation={"type": "Scale", "target": "to 5", "serverId": 4})
    taken = with_status(side, "mover", operation={"type": "Roll", "podUid": "7"})
    assert "serverId" not in taken["status"]["operation"]
    with pytest.raises(FieldConflict) as caught:
        with_status(side, "other", operation={"type": "Scale"})
    assert caught.value.managers == {"mover"}
    assert "operation" not in with_status(side, "mover").get("status", {})


def test_the_last_manager_can_empty_the_status(side: Side) -> None:
    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    with_status(side, "mover", operation={"type": "Scale"})
    assert "status" not in with_status(side, "mover")


def test_dropping_a_slice_of_status_erases_what_was_in_it(side: Side) -> None:
    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    bootstrap = {"state": "open", "members": [{"id": 1, "name": "zoo-0"}]}
    with_status(side, "scale", bootstrap=bootstrap, operation={"type": "Scale"})
    only = with_status(side, "scale", operation={"type": "Scale"})
    assert "bootstrap" not in only["status"]


def test_status_and_spec_are_written_apart(side: Side) -> None:
    made = side.kube.apply(
        cluster(side, spec={"replicas": 3}, status={"leader": "zoo-0"}), manager="user"
    )
    assert "leader" not in made.get("status", {})
    told = side.kube.apply(
        cluster(side, spec={"replicas": 5}, status={"leader": "zoo-1"}),
        manager="observe",
        subresource="status",
    )
    assert told["status"]["leader"] == "zoo-1"
    assert told["spec"]["replicas"] == 3
    kept = side.kube.apply(cluster(side, spec={"replicas": 5}), manager="user")
    assert kept["status"]["leader"] == "zoo-1"
    assert kept["spec"]["replicas"] == 5


def test_the_generation_follows_the_spec_only(side: Side) -> None:
    def generation() -> int:
        return int(now(side, CLUSTER, "zoo")["metadata"]["generation"])

    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    assert generation() == 1
    with_status(side, "observe", leader="zoo-0")
    side.kube.apply(
        cluster(side, spec={"replicas": 3}, metadata={"labels": {"a": "b"}}), manager="user"
    )
    assert generation() == 1
    side.kube.apply(cluster(side, spec={"replicas": 5}), manager="user")
    assert generation() == 2


def test_status_of_a_missing_object_is_a_conflict(side: Side) -> None:
    with pytest.raises(Conflict):
        with_status(side, "observe", leader="zoo-0")


def test_an_apply_with_an_old_resource_version_is_a_conflict(side: Side) -> None:
    old = version(side.kube.apply(config_map(side, a="1"), manager="one"))
    side.kube.apply(config_map(side, a="2"), manager="one")
    about = {"resourceVersion": old, "uid": now(side, CONFIG_MAP, "it")["metadata"]["uid"]}
    stale = made(side, CONFIG_MAP, "it", data={"a": "3"}, metadata=about)
    with pytest.raises(Conflict) as caught:
        side.kube.apply(stale, manager="one")
    assert not isinstance(caught.value, FieldConflict)
    assert now(side, CONFIG_MAP, "it")["data"] == {"a": "2"}


def test_an_apply_for_another_uid_is_a_conflict(side: Side) -> None:
    side.kube.apply(config_map(side, a="1"), manager="one")
    other = made(side, CONFIG_MAP, "it", data={"a": "2"}, metadata={"uid": "not-this"})
    with pytest.raises(Conflict):
        side.kube.apply(other, manager="one")
    assert now(side, CONFIG_MAP, "it")["data"] == {"a": "1"}


def test_an_apply_with_preconditions_never_re_creates(side: Side) -> None:
    first = side.kube.apply(config_map(side, a="1"), manager="one")["metadata"]
    side.kube.delete(ref(side, CONFIG_MAP, "it"), uid=first["uid"])
    for precondition in (
        {"uid": first["uid"]},
        {"uid": first["uid"], "resourceVersion": first["resourceVersion"]},
    ):
        with pytest.raises(Conflict):
            side.kube.apply(made(side, CONFIG_MAP, "it", metadata=precondition), manager="one")
    assert side.kube.get(ref(side, CONFIG_MAP, "it")) is None


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

    def found(namespace: str | None, **labels: str) -> list[str]:
        items = side.kube.list(CONFIG_MAP, namespace, labels)
        ours = [i for i in items if i["metadata"]["namespace"] == side.namespace]
        assert all((i["kind"], i["apiVersion"]) == ("ConfigMap", "v1") for i in items)
        return [i["metadata"]["name"] for i in ours if i["metadata"]["name"] in "abc"]

    assert found(side.namespace) == ["a", "b", "c"]
    assert found(None, x="1") == ["a", "b"]
    assert found(side.namespace, x="1", y="2") == ["b"]
    assert found(side.namespace, x="2") == []
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


def stateful_set(side: Side, **spec: Any) -> Manifest:
    labels = {"app": "zoo"}
    whole = {
        "selector": {"matchLabels": labels},
        "serviceName": "zoo",
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "zookeeper", "image": "zookeeper:3.9.5"}]},
        },
    }
    return made(side, STATEFUL_SET, "zoo", spec={**whole, **spec})


def replicas(side: Side) -> int:
    return int(now(side, STATEFUL_SET, "zoo")["spec"]["replicas"])


def test_replicas_fall_back_to_one_when_their_only_manager_drops_them(side: Side) -> None:
    side.kube.apply(stateful_set(side, replicas=0), manager="reconcile-cluster")
    assert replicas(side) == 0
    side.kube.apply(stateful_set(side), manager="reconcile-cluster")
    assert replicas(side) == 1


def test_replicas_stay_with_scale_when_it_made_the_stateful_set(side: Side) -> None:
    only = made(side, STATEFUL_SET, "zoo", spec={"replicas": 3})
    side.kube.apply(stateful_set(side, replicas=0), manager="scale")
    side.kube.apply(stateful_set(side), manager="reconcile-cluster")
    assert replicas(side) == 0
    side.kube.apply(only, manager="scale")
    assert replicas(side) == 3
    side.kube.apply(stateful_set(side), manager="reconcile-cluster")
    assert replicas(side) == 3
    labels = now(side, STATEFUL_SET, "zoo")["spec"]["template"]["metadata"]["labels"]
    assert labels == {"app": "zoo"}


def test_a_container_and_its_defaults_go_when_its_manager_drops_it(side: Side) -> None:
    wanted = stateful_set(side)
    containers = wanted["spec"]["template"]["spec"]["containers"]
    containers.append({"name": "more", "image": "x", "env": [{"name": "A", "value": "1"}]})
    side.kube.apply(wanted, manager="reconcile-cluster")
    side.kube.apply(stateful_set(side), manager="reconcile-cluster")
    left = now(side, STATEFUL_SET, "zoo")["spec"]["template"]["spec"]["containers"]
    assert [container["name"] for container in left] == ["zookeeper"]


def test_fixed_fields_of_a_stateful_set_are_refused(side: Side) -> None:
    side.kube.apply(stateful_set(side), manager="reconcile-cluster")
    with pytest.raises(Refused):
        side.kube.apply(stateful_set(side, serviceName="other"), manager="reconcile-cluster")


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
