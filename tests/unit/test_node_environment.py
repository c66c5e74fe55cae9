"""A container's environment, and the files under /etc that differ from pod to pod."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from local.node.environment import container_environment, expand, service_variables
from local.node.errors import CannotStart
from local.node.etc_files import hosts, passwd, resolv_conf


class Objects:
    """ConfigMaps and Secrets that stand in a dictionary."""

    async def config_map(self, namespace: str, name: str) -> dict[str, Any] | None:
        found = {("demo", "settings"): {"data": {"MODE": "fast", "LEVEL": "3"}}}
        return found.get((namespace, name))

    async def secret(self, namespace: str, name: str) -> dict[str, Any] | None:
        key = base64.b64encode(b"geheim").decode()
        return {("demo", "keys"): {"data": {"key": key}}}.get((namespace, name))


POD: dict[str, Any] = {
    "metadata": {"name": "zk-0", "namespace": "demo", "uid": "u"},
    "spec": {"containers": [], "subdomain": "zk-headless"},
}


def environment(**container: Any) -> dict[str, str]:
    spec = {"name": "c", **container}
    return asyncio.run(container_environment(POD, spec, {"SERVICE": "1"}, Objects()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)-$(B)", "1-2"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$$(A)", "$(A)"),
        ("100$", "100$"),
    ],
)
def test_references_are_expanded(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expected


def test_later_sources_win_and_may_refer_to_earlier_ones() -> None:
    found = environment(
        envFrom=[{"prefix": "S_", "configMapRef": {"name": "settings"}}],
        env=[
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "S_LEVEL", "value": "4"},
            {"name": "BOTH", "value": "$(NAME)/$(S_MODE)"},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "key"}}},
        ],
    )
    assert found == {
        "SERVICE": "1",
        "S_MODE": "fast",
        "S_LEVEL": "4",
        "NAME": "zk-0",
        "BOTH": "zk-0/fast",
        "KEY": "geheim",
    }


def test_what_is_optional_may_be_missing() -> None:
    reference = {"name": "none", "key": "k", "optional": True}
    found = environment(
        envFrom=[{"secretRef": {"name": "none", "optional": True}}],
        env=[{"name": "A", "valueFrom": {"configMapKeyRef": reference}}],
    )
    assert found == {"SERVICE": "1"}


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        ({"name": "none", "key": "k"}, 'configmap "none" not found'),
        ({"name": "settings", "key": "k"}, "couldn't find key k in ConfigMap demo/settings"),
    ],
)
def test_what_is_required_is_named_when_missing(reference: dict[str, Any], complaint: str) -> None:
    with pytest.raises(CannotStart) as caught:
        environment(env=[{"name": "A", "valueFrom": {"configMapKeyRef": reference}}])
    assert (caught.value.reason, caught.value.message) == ("CreateContainerConfigError", complaint)


def service(namespace: str, name: str, address: str) -> dict[str, Any]:
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"clusterIP": address, "ports": [{"name": "client", "port": 2181}]},
    }


def test_services_of_the_namespace_and_the_api_server_become_variables() -> None:
    services = [
        service("default", "kubernetes", "10.96.0.1"),
        service("demo", "my-zk", "10.96.0.7"),
        service("demo", "headless", "None"),
        service("other", "far", "10.96.0.8"),
    ]
    linked = service_variables(services, "demo", links=True)
    assert linked["MY_ZK_SERVICE_HOST"] == "10.96.0.7"
    assert linked["MY_ZK_SERVICE_PORT_CLIENT"] == "2181"
    assert linked["MY_ZK_PORT"] == "tcp://10.96.0.7:2181"
    assert not any(name.startswith(("HEADLESS", "FAR")) for name in linked)
    alone = service_variables(services, "demo", links=False)
    assert alone["KUBERNETES_SERVICE_HOST"] == "10.96.0.1"
    assert not any(name.startswith("MY_ZK") for name in alone)


def test_a_pod_knows_its_own_name_and_address() -> None:
    assert "10.244.1.7\tzk-0.zk-headless.demo.svc.cluster.local\tzk-0\n" in hosts(POD, "10.244.1.7")


def test_names_are_looked_up_in_the_pods_namespace_first() -> None:
    text = resolv_conf(POD)
    assert "nameserver 10.96.0.10\n" in text
    assert "search demo.svc.cluster.local svc.cluster.local cluster.local\n" in text
    assert "ndots:5" in text


def test_a_pod_with_its_own_dns_gets_only_that() -> None:
    own = {"nameservers": ["10.0.0.1"], "searches": ["x"], "options": [{"name": "rotate"}]}
    pod = {**POD, "spec": {"dnsPolicy": "None", "dnsConfig": own}}
    assert resolv_conf(pod) == "nameserver 10.0.0.1\nsearch x\noptions rotate\n"


def test_the_users_of_an_image_have_names() -> None:
    assert "zookeeper:x:1000:1000:" in passwd({"zookeeper": 1000})
