"""The laptop's DNS: which names exist, and what a question about them is answered."""

from __future__ import annotations

from typing import Any

import pytest
from dnslib import DNSRecord

from local.dns.answers import answer
from local.dns.zone import Target, Zone, build_zone

DOMAIN = "cluster.local"


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


def endpoint_slice(name: str, *endpoints: dict[str, Any], kind: str = "IPv4") -> dict[str, Any]:
    return {
        "metadata": {"namespace": "default", "labels": {"kubernetes.io/service-name": name}},
        "addressType": kind,
        "ports": [{"name": "client", "port": 2181, "protocol": "TCP"}],
        "endpoints": list(endpoints),
    }


def endpoint(address: str, hostname: str = "", *, ready: bool | None = True) -> dict[str, Any]:
    return {"addresses": [address], "hostname": hostname, "conditions": {"ready": ready}}


CLIENT = service("zk", clusterIP="10.96.7.7", ports=[{"name": "client", "port": 2181}])
HEADLESS = service("zk-servers", clusterIP="None")
OUTSIDE = service("store", type="ExternalName", externalName="store.example.com")
SLICES = [
    endpoint_slice("zk-servers", endpoint("10.244.1.1", "zk-0"), endpoint("10.244.1.2", "zk-1")),
    endpoint_slice("zk-servers", endpoint("10.244.1.3", "zk-2", ready=False)),
    endpoint_slice("zk-servers", endpoint("fd00::1", "zk-3"), kind="IPv6"),
    endpoint_slice("zk", endpoint("10.244.1.1")),
]
ALIAS = service("alias", type="ExternalName", externalName="zk.default.svc.cluster.local")
CIRCLE = service("circle", type="ExternalName", externalName="circle.default.svc.cluster.local")
ZONE = build_zone([CLIENT, HEADLESS, OUTSIDE, ALIAS, CIRCLE], SLICES, DOMAIN)


def ask(name: str, kind: str = "A", *, zone: Zone | None = ZONE, is_udp: bool = True) -> DNSRecord:
    reply = answer(DNSRecord.question(name, kind).pack(), zone, DOMAIN, is_udp=is_udp)
    assert reply is not None
    return DNSRecord.parse(reply)


def values(reply: DNSRecord) -> list[str]:
    return [str(record.rdata) for record in reply.rr]


def test_a_circle_of_aliases_ends() -> None:
    found = values(ask("circle.default.svc.cluster.local"))
    assert set(found) == {"circle.default.svc.cluster.local."}


def code(reply: DNSRecord) -> int:
    found: int = reply.header.rcode
    return found


NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3


@pytest.mark.parametrize(
    ("name", "kind", "wanted"),
    [
        pytest.param("zk.default.svc.cluster.local", "A", ["10.96.7.7"], id="service"),
        pytest.param("ZK.Default.SVC.cluster.local", "A", ["10.96.7.7"], id="any-case"),
        pytest.param(
            "zk-servers.default.svc.cluster.local",
            "A",
            ["10.244.1.1", "10.244.1.2"],
            id="headless-has-the-ready-ones",
        ),
        pytest.param(
            "zk-1.zk-servers.default.svc.cluster.local", "A", ["10.244.1.2"], id="hostname"
        ),
        pytest.param(
            "store.default.svc.cluster.local", "A", ["store.example.com."], id="external-name"
        ),
        pytest.param(
            "alias.default.svc.cluster.local",
            "A",
            ["zk.default.svc.cluster.local.", "10.96.7.7"],
            id="alias-of-a-service",
        ),
        pytest.param(
            "alias.default.svc.cluster.local",
            "CNAME",
            ["zk.default.svc.cluster.local."],
            id="the-alias-alone",
        ),
        pytest.param(
            "_client._tcp.zk.default.svc.cluster.local",
            "SRV",
            ["0 100 2181 zk.default.svc.cluster.local."],
            id="port-of-a-service",
        ),
        pytest.param(
            "_client._tcp.zk-servers.default.svc.cluster.local",
            "SRV",
            [
                "0 100 2181 zk-0.zk-servers.default.svc.cluster.local.",
                "0 100 2181 zk-1.zk-servers.default.svc.cluster.local.",
            ],
            id="port-of-a-headless-service",
        ),
        pytest.param(
            "2.1.244.10.in-addr.arpa",
            "PTR",
            ["zk-1.zk-servers.default.svc.cluster.local."],
            id="reverse",
        ),
    ],
)
def test_a_name_that_exists_is_answered(name: str, kind: str, wanted: list[str]) -> None:
    reply = ask(name, kind)
    assert code(reply) == NOERROR
    assert values(reply) == wanted
    assert all(record.ttl <= 5 for record in reply.rr)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("zk-2.zk-servers.default.svc.cluster.local", id="not-ready"),
        pytest.param("zk-3.zk-servers.default.svc.cluster.local", id="of-the-other-family"),
        pytest.param("zk-0.zk.default.svc.cluster.local", id="hostname-below-a-plain-service"),
        pytest.param("zk.other.svc.cluster.local", id="other-namespace"),
        pytest.param("example.com", id="outside"),
    ],
)
def test_a_name_that_does_not_exist_is_forgotten_soon(name: str) -> None:
    reply = ask(name)
    assert code(reply) == NXDOMAIN
    assert values(reply) == []
    assert reply.auth[0].ttl <= 5


def test_an_ipv6_question_for_an_existing_name_is_empty_but_no_error() -> None:
    reply = ask("zk.default.svc.cluster.local", "AAAA")
    assert (code(reply), values(reply)) == (NOERROR, [])


def test_a_headless_service_without_endpoints_exists() -> None:
    empty = build_zone([HEADLESS], [], DOMAIN)
    reply = ask("zk-servers.default.svc.cluster.local", zone=empty)
    assert (code(reply), values(reply)) == (NOERROR, [])


def test_before_the_first_look_the_answer_is_a_failure_and_not_an_absence() -> None:
    assert code(ask("zk.default.svc.cluster.local", zone=None)) == SERVFAIL


def test_a_long_answer_is_cut_over_udp_only() -> None:
    many = [endpoint(f"10.244.2.{number}", f"zk-{number}") for number in range(100)]
    zone = build_zone([HEADLESS], [endpoint_slice("zk-servers", *many)], DOMAIN)
    name = "zk-servers.default.svc.cluster.local"
    assert ask(name, zone=zone).header.tc == 1
    assert len(ask(name, zone=zone, is_udp=False).rr) == 100


@pytest.mark.parametrize("message", [b"", b"nonsense", bytes(12)])
def test_what_is_no_question_gets_no_answer(message: bytes) -> None:
    assert answer(message, ZONE, DOMAIN, is_udp=True) is None


def test_an_endpoint_in_two_slices_is_named_once() -> None:
    twice = [endpoint_slice("zk-servers", endpoint("10.244.1.1", "zk-0")) for _ in range(2)]
    zone = build_zone([HEADLESS], twice, DOMAIN)
    name = "zk-servers.default.svc.cluster.local"
    assert zone.addresses[name] == ["10.244.1.1"]
    assert zone.services[f"_client._tcp.{name}"] == [Target(f"zk-0.{name}", 2181)]
