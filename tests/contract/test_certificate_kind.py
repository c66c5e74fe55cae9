"""cert-manager comes to a real API server: what it is asked for, and what is said of it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from functions.adapters.kubernetes import connect
from functions.api.kinds import CERTIFICATE, CLUSTER, Ref
from tests.certificates import authority
from tests.contract.api_server import ApiServer
from tests.contract.optional_kinds import Kinds, create_cluster, reconcile

pytestmark = pytest.mark.contract

DEFINITION = Path(__file__).parents[1] / "cert_manager_crd.yaml"
TLS = {
    "client": {"secretName": "certs"},
    "quorum": {"secretName": "certs"},
    "issuerRef": {"name": "company", "kind": "ClusterIssuer"},
}


@pytest.fixture
def cert_manager(api_server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kinds]:
    """Its kind, which is not there before and after."""
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig))
    kinds = Kinds(api_server, (CERTIFICATE,), (yaml.safe_load(DEFINITION.read_text()),))
    yield kinds
    kinds.remove()


def _issue(server: ApiServer, namespace: str) -> None:
    """Be cert-manager: write the Secret, then say so."""
    names = (f"*.zk.{namespace}.svc.cluster.local", f"zk-client.{namespace}.svc.cluster.local")
    data = {
        key: base64.b64encode(text.encode()).decode()
        for key, text in authority().secret(*names).items()
    }
    secret = {"metadata": {"name": "certs"}, "type": "kubernetes.io/tls", "data": data}
    server.call("POST", f"/api/v1/namespaces/{namespace}/secrets", secret)
    path = f"/apis/cert-manager.io/v1/namespaces/{namespace}/certificates/zk-tls"
    found = server.call("GET", path)
    found["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
    server.call("PUT", f"{path}/status", found)


def test_a_certificate_is_asked_for_once_and_its_secret_is_waited_for(
    cert_manager: Kinds, namespace: str
) -> None:
    cluster, asked = Ref(CLUSTER, namespace, "zk"), Ref(CERTIFICATE, namespace, "zk-tls")
    create_cluster(cert_manager.server, cluster, {"tls": TLS})
    assert reconcile(connect(), cluster)["Secured"] == "CertManagerMissing"

    cert_manager.install()
    kube = connect()
    assert reconcile(kube, cluster)["Secured"] == "CertificateNotIssued"
    made = kube.get(asked)
    assert made is not None
    assert made["spec"]["dnsNames"][0] == f"*.zk.{namespace}.svc.cluster.local"
    assert [owner["name"] for owner in made["metadata"]["ownerReferences"]] == ["zk"]
    assert reconcile(kube, cluster)["Reconciled"] == "CertificateNotIssued"
    assert kube.get(asked) == made

    _issue(cert_manager.server, namespace)
    said = reconcile(kube, cluster)
    assert (said["Secured"], said["Reconciled"]) == ("AsWanted", "Creating")

    path = f"/apis/{CLUSTER.api_version}/namespaces/{namespace}/{CLUSTER.plural}/zk"
    found = cert_manager.server.call("GET", path)
    found["spec"].pop("tls")
    cert_manager.server.call("PUT", path, found)
    assert "Secured" not in reconcile(kube, cluster)
    assert kube.get(asked) is None
