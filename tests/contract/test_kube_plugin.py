"""What `kubectl zk` needs of the API server beside the functions' port, and its twin's answer."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from functions.adapters.kubernetes import connect_by_file
from functions.adapters.memory import MemoryKube
from functions.api.errors import Conflict, MissingRight, Unavailable
from functions.api.kinds import CLUSTER, CONFIG_MAP, POD, Ref
from functions.api.manifest import Manifest
from tests.contract.api_server import ApiServer, kubeconfig
from tests.contract.sides import Side, cluster, condition, config_map, now, ref, with_status

pytestmark = pytest.mark.contract


def test_a_patch_changes_what_it_names_and_leaves_the_rest(side: Side) -> None:
    side.kube.create(config_map(side, a="1", b="2"), manager="somebody")
    there = ref(side, CONFIG_MAP, "it")
    changed = side.kube.patch(there, {"data": {"b": "3", "c": "4"}}, manager="kubectl-zk")
    assert changed["data"] == now(side, CONFIG_MAP, "it")["data"] == {"a": "1", "b": "3", "c": "4"}
    side.kube.patch(there, {"data": {"a": None}}, manager="kubectl-zk")
    assert now(side, CONFIG_MAP, "it")["data"] == {"b": "3", "c": "4"}


def test_a_patch_says_in_the_managed_fields_who_changed_it(side: Side) -> None:
    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    changed = side.kube.patch(
        ref(side, CLUSTER, "zoo"), {"spec": {"replicas": 5}}, manager="kubectl-zk"
    )
    owners = {it["manager"]: it["fieldsV1"] for it in changed["metadata"]["managedFields"]}
    assert "f:replicas" in owners["kubectl-zk"]["f:spec"]
    assert "f:replicas" not in owners.get("user", {}).get("f:spec", {})


def test_a_patch_of_what_is_not_there_is_a_conflict(side: Side) -> None:
    with pytest.raises(Conflict):
        side.kube.patch(ref(side, CONFIG_MAP, "none"), {"data": {}}, manager="kubectl-zk")


def test_a_copy_of_an_object_has_the_same_owners_and_changes_as_it_does(side: Side) -> None:
    """A plan is made on such copies: what an apply leaves out goes away there as it would here."""
    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    with_status(
        side, "scale", operation={"type": "Scale"}, conditions=[condition("Scaled", "False")]
    )
    with_status(side, "observe", leader="zoo-0", conditions=[condition("Available")])
    there = now(side, CLUSTER, "zoo")
    copied = MemoryKube()
    shown = copied.mirror(copy.deepcopy(there))
    assert _owners(shown) == _owners(there)
    less = cluster(side, status={"conditions": [condition("Scaled")]})
    here = side.kube.apply(less, manager="scale", subresource="status")
    same = copied.apply(less, manager="scale", subresource="status")
    assert same["status"] == here["status"]
    assert "operation" not in same["status"]
    assert same["status"]["leader"] == "zoo-0"


def _owners(manifest: Manifest) -> list[Any]:
    managed = manifest["metadata"]["managedFields"]
    return sorted(
        (it["manager"], it["operation"], it.get("subresource", ""), _without_dots(it["fieldsV1"]))
        for it in managed
    )


def _without_dots(fields: Any) -> str:
    """Return fields without the marks of maps, which the twin has of list entries alone."""
    if not isinstance(fields, dict):
        return str(fields)
    kept = {key: _without_dots(value) for key, value in fields.items() if key != "."}
    return str(sorted(kept.items()))


def test_a_context_is_chosen_by_its_name(api_server: ApiServer, tmp_path: Path) -> None:
    config = kubeconfig(api_server, {"token": "of-nobody"})
    config["users"].append({"name": "other", "user": {"token": api_server.token}})
    (first,) = config["contexts"]
    context = {**first["context"], "user": "other"}
    config["contexts"].append({"name": "the-other", "context": context})
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    nobody = Ref(CONFIG_MAP, "default", "nobody")
    assert connect_by_file(str(path), "the-other").get(nobody) is None
    with pytest.raises(Unavailable, match="does not accept the token"):
        connect_by_file(str(path)).get(nobody)
    with pytest.raises(Unavailable, match="none"):
        connect_by_file(str(path), "none")


def test_a_pod_that_may_not_be_asked_is_a_missing_right(
    api_server: ApiServer, tmp_path: Path
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig(api_server, {"token": api_server.stranger})))
    with pytest.raises(MissingRight, match='cannot get resource "pods/proxy"'):
        connect_by_file(str(path)).ask_pod(Ref(POD, "default", "zk-0"), 1988, "/status")
