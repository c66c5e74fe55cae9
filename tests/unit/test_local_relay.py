"""What the laptop relays: which Services get a host port, where proxy requests go."""

from __future__ import annotations

from typing import Any

import pytest

from local.relay.egress import NotAProxyRequest, Upstream, route, upstream_of
from local.relay.services import exposed_ports

HEADERS = b"Host: x\r\nProxy-Connection: keep-alive\r\nAccept: */*\r\n\r\n"


def service(kind: str, *ports: dict[str, Any], address: str = "10.96.1.1") -> dict[str, Any]:
    return {
        "metadata": {"name": "zk", "namespace": "default"},
        "spec": {"type": kind, "clusterIP": address, "ports": list(ports)},
    }


HTTP = {"name": "http", "port": 80, "nodePort": 30080}


def test_a_load_balancer_asks_for_its_own_port() -> None:
    (found,) = exposed_ports(service("LoadBalancer", HTTP))
    assert (found.name, found.wanted_host_port, found.is_load_balancer) == ("http", 80, True)


def test_a_node_port_asks_for_that_port() -> None:
    (found,) = exposed_ports(service("NodePort", HTTP))
    assert (found.wanted_host_port, found.is_load_balancer) == (30080, False)


def test_a_port_without_a_name_is_called_by_its_number() -> None:
    (found,) = exposed_ports(service("NodePort", {"port": 2181, "nodePort": 30181}))
    assert found.name == "2181"


@pytest.mark.parametrize(
    "unexposed",
    [
        pytest.param(service("ClusterIP", HTTP), id="inside-only"),
        pytest.param(service("LoadBalancer", HTTP, address=""), id="no-address-yet"),
        pytest.param(service("NodePort", {**HTTP, "protocol": "UDP"}), id="udp"),
    ],
)
def test_other_services_get_no_host_port(unexposed: dict[str, Any]) -> None:
    assert exposed_ports(unexposed) == []


def test_connect_opens_a_tunnel() -> None:
    way = route(b"CONNECT repo.example.com:443 HTTP/1.1\r\n" + HEADERS, None)
    assert (way.host, way.port, way.head) == ("repo.example.com", 443, b"")
    assert way.greeting.startswith(b"HTTP/1.1 200 ")


def test_a_plain_request_is_sent_as_its_origin_expects_it() -> None:
    way = route(b"GET http://example.com:8081/a?b=c HTTP/1.1\r\n" + HEADERS, None)
    assert (way.host, way.port) == ("example.com", 8081)
    assert way.head == (
        b"GET /a?b=c HTTP/1.1\r\nConnection: close\r\nHost: x\r\nAccept: */*\r\n\r\n"
    )


def test_the_hosts_own_proxy_gets_the_request_unchanged_but_for_its_password() -> None:
    upstream = upstream_of("http://me:se%40cret@proxy.example.com:8080")
    assert upstream == Upstream("proxy.example.com", 8080, "Basic bWU6c2VAY3JldA==")
    way = route(b"CONNECT repo.example.com:443 HTTP/1.1\r\n" + HEADERS, upstream)
    assert (way.host, way.port) == ("proxy.example.com", 8080)
    assert way.head == (
        b"CONNECT repo.example.com:443 HTTP/1.1\r\n"
        b"Proxy-Authorization: Basic bWU6c2VAY3JldA==\r\n" + HEADERS
    )


@pytest.mark.parametrize(
    ("url", "upstream"),
    [
        pytest.param("", None, id="none"),
        pytest.param("proxy:3128", Upstream("proxy", 3128), id="without-scheme"),
        pytest.param("http://proxy", Upstream("proxy", 80), id="without-port"),
    ],
)
def test_the_hosts_proxy_may_be_written_in_short(url: str, upstream: Upstream | None) -> None:
    assert upstream_of(url) == upstream


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="origin-form"),
        pytest.param(b"GET ftp://example.com/ HTTP/1.1\r\n\r\n", id="other-scheme"),
        pytest.param(b"hello\r\n\r\n", id="no-http"),
    ],
)
def test_what_is_not_for_a_proxy_is_refused(head: bytes) -> None:
    with pytest.raises(NotAProxyRequest):
        route(head, None)
