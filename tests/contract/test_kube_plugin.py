"""What `kubectl zk` needs of the API server beside the functions' port, and its twin's answer."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from functions.adapters.kubernetes import connect, connect_by_file
from functions.adapters.memory import MemoryKube
from functions.api.errors import Conflict, MissingRight, Unavailable
from functions.api.kinds import CLUSTER, CONFIG_MAP, POD, Ref
from functions.api.manifest import Manifest
from kubectl_zk.__main__ import main
from kubectl_zk.problem import DONE, NOT_ALLOWED, may_not
from kubectl_zk.servers import ServersBehindKubernetes
from local.control_plane import binaries
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


def test_who_may_see_pods_but_not_ask_them_is_told_of_the_right(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    """kubectl itself says so in words of its own, which must be understood."""
    _let_stranger_see_pods(api_server, namespace)
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig(api_server, {"token": api_server.stranger})))
    kubectl = (str(binaries.ensure(lambda _: None)["kubectl"]), "--kubeconfig", str(path))
    servers = ServersBehindKubernetes(connect_by_file(str(path)), namespace, kubectl)
    with pytest.raises(MissingRight) as caught:
        servers.stats("10.0.0.7", 2181)
    assert may_not(str(caught.value)) == "you may not get pods/proxy"
    with pytest.raises(MissingRight, match="pods/exec"):
        servers.stats("10.0.0.7", 2189)


def test_who_may_only_look_sees_all_else_and_may_change_nothing(
    api_server: ApiServer,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _let_stranger_see_pods(api_server, namespace)
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig))
    kube = connect()
    made = {"apiVersion": CLUSTER.api_version, "kind": CLUSTER.name}
    metadata = {"name": "zk", "namespace": namespace}
    kube.apply({**made, "metadata": metadata, "spec": {"replicas": 1}}, manager="user")
    servers = [{"name": "zk-0", "myId": "1", "mode": "leader", "ready": "true"}]
    status = {"servers": servers, "readyReplicas": 1, "leader": "zk-0"}
    kube.apply({**made, "metadata": metadata, "status": status}, manager="o", subresource="status")
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig(api_server, {"token": api_server.stranger})))
    kubectl = Path(str(binaries.ensure(lambda _: None)["kubectl"])).parent
    monkeypatch.setenv("PATH", f"{kubectl}:{os.environ['PATH']}")
    who = ("--kubeconfig", str(path), "-n", namespace)
    assert main(("status", "zk", *who)) == DONE
    shown = capsys.readouterr().out
    assert "1 of 1 servers serve, zk-0 leads" in shown
    assert "  zk-0: not asked, you may not " in shown, shown
    assert main(("stop", "zk", *who)) == NOT_ALLOWED
    told = capsys.readouterr().err
    assert "You (stranger) may not patch zookeeperclusters.zookeeper.example.com" in told


def _let_stranger_see_pods(api_server: ApiServer, namespace: str) -> None:
    there = f"/namespaces/{namespace}"
    rights = f"/apis/rbac.authorization.k8s.io/v1{there}"
    looking = {"verbs": ["get", "list"]}
    rules = [
        {"apiGroups": [""], "resources": ["pods"], **looking},
        {"apiGroups": [CLUSTER.group], "resources": ["*"], **looking},
    ]
    api_server.call("POST", f"{rights}/roles", {"metadata": {"name": "see"}, "rules": rules})
    binding = {
        "metadata": {"name": "see"},
        "subjects": [{"kind": "User", "name": "stranger", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "Role", "name": "see", "apiGroup": "rbac.authorization.k8s.io"},
    }
    api_server.call("POST", f"{rights}/rolebindings", binding)
    agent = {"name": "agent", "image": "none", "env": [{"name": "CLIENT_PORT", "value": "2181"}]}
    pod = {
        "metadata": {"name": "zk-0", "labels": {"operator": "zookeeper", "instance": "zk"}},
        "spec": {"containers": [{"name": "zookeeper", "image": "none"}, agent]},
    }
    pods = f"/api/v1{there}/pods"
    made = api_server.call("POST", pods, pod)
    running = {**made, "status": {"phase": "Running", "podIP": "10.0.0.7"}}
    api_server.call("PUT", f"{pods}/zk-0/status", running)


def test_a_pod_that_may_not_be_asked_is_a_missing_right(
    api_server: ApiServer, tmp_path: Path
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig(api_server, {"token": api_server.stranger})))
    with pytest.raises(MissingRight, match='cannot get resource "pods/proxy"'):
        connect_by_file(str(path)).ask_pod(Ref(POD, "default", "zk-0"), 1988, "/status")
