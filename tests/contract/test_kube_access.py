"""How the functions reach a real API server: tokens, rights, timeouts and mistakes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from functions.adapters.kubernetes import KubernetesApi, connect
from functions.api.errors import Conflict, Refused, Unavailable
from functions.api.kinds import CLUSTER, CONFIG_MAP, SERVICE, Ref
from tests.contract.api_server import ApiServer, kubeconfig
from tests.contract.processes import free_ports

pytestmark = pytest.mark.contract

NOBODY = Ref(CONFIG_MAP, "default", "nobody")


@pytest.fixture
def connected(tmp_path: Path, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Connects as the user of a kubeconfig that is written for this test."""

    def connect_as(user: dict[str, Any]) -> KubernetesApi:
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(kubeconfig(api_server, user)))
        monkeypatch.setenv("KUBECONFIG", str(path))
        return connect()

    return connect_as


def config_map(namespace: str, **more: Any) -> dict[str, Any]:
    metadata = {"name": "it", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **more}


def test_a_stranger_is_denied_with_the_servers_sentence_and_may_try_again(
    connected: Any, api_server: ApiServer
) -> None:
    """An API server that has just started denies for a moment what its roles allow."""
    kube = connected({"token": api_server.stranger})
    with pytest.raises(Unavailable, match='User "stranger" cannot get resource "configmaps"'):
        kube.get(NOBODY)


def test_a_token_file_is_read_again_when_its_token_is_no_longer_accepted(
    connected: Any, api_server: ApiServer, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("expired\n")
    kube = connected({"tokenFile": str(token)})
    with pytest.raises(Unavailable, match="does not accept the token"):
        kube.get(NOBODY)
    token.write_text(f"{api_server.token}\n")
    assert kube.get(NOBODY) is None


def test_a_plugin_may_give_the_token(connected: Any, api_server: ApiServer) -> None:
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": api_server.token},
    }
    plugin = {
        "apiVersion": credential["apiVersion"],
        "command": sys.executable,
        "args": ["-c", f"print({json.dumps(json.dumps(credential))})"],
        "interactiveMode": "Never",
    }
    assert connected({"exec": plugin}).get(NOBODY) is None


def test_a_server_that_is_not_there_is_unavailable(
    tmp_path: Path, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = kubeconfig(api_server, {"token": api_server.token})
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_ports(1)[0]}"
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(path))
    kube = connect(timeout=2)
    with pytest.raises(Unavailable, match="could not be reached"):
        kube.get(NOBODY)


def test_without_any_cluster_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(Unavailable, match="Set KUBECONFIG"):
        connect()


def test_a_kubeconfig_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    with pytest.raises(Unavailable, match="Set KUBECONFIG"):
        connect()


@pytest.mark.parametrize("verb", ["apply", "create"])
def test_a_misspelt_field_is_refused(
    connected: Any, api_server: ApiServer, namespace: str, verb: str
) -> None:
    kube = connected({"token": api_server.token})
    with pytest.raises(Refused, match="dat"):
        getattr(kube, verb)(config_map(namespace, dat={"a": "1"}), manager="one")


def test_an_invalid_object_is_refused_with_the_servers_sentence(
    connected: Any, api_server: ApiServer, namespace: str
) -> None:
    kube = connected({"token": api_server.token})
    service = {
        "apiVersion": SERVICE.api_version,
        "kind": SERVICE.name,
        "metadata": {"name": "it", "namespace": namespace},
        "spec": {"ports": [{"port": 100000}]},
    }
    with pytest.raises(Refused, match="must be between 1 and 65535"):
        kube.apply(service, manager="one")


def test_a_namespace_that_is_missing_is_refused(connected: Any, api_server: ApiServer) -> None:
    kube = connected({"token": api_server.token})
    with pytest.raises(Refused, match='namespaces "nowhere" not found'):
        kube.apply(config_map("nowhere"), manager="one")


def test_a_status_write_to_a_missing_object_is_a_conflict_that_names_it(
    connected: Any, api_server: ApiServer, namespace: str
) -> None:
    kube = connected({"token": api_server.token})
    cluster = {
        "apiVersion": CLUSTER.api_version,
        "kind": CLUSTER.name,
        "metadata": {"name": "gone", "namespace": namespace},
        "status": {"leader": "gone-0"},
    }
    with pytest.raises(Conflict, match=f"{namespace}/gone"):
        kube.apply(cluster, manager="one", subresource="status")
