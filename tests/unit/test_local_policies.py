"""What NetworkPolicies mean: which packets may pass, and the table that the kernel gets."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from local.policies.isolation import Isolation, Opening
from local.policies.ports import Ports, joined
from local.policies.table import table
from tests.policy_cases import ADDRESSES, CASES, EDGES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_policy_opens_what_it_names_and_nothing_else(case: Case) -> None:
    arriving, leaving = case.isolations()
    for edge in EDGES:
        sender, receiver, port = edge
        goes_out = _may_pass(leaving.get(ADDRESSES[sender]), ADDRESSES[receiver], port)
        comes_in = _may_pass(arriving.get(ADDRESSES[receiver]), ADDRESSES[sender], port)
        assert (goes_out and comes_in) == case.is_open(edge), edge


def _may_pass(isolation: Isolation | None, other: str, port: str) -> bool:
    return isolation is None or any(_is_open(opening, other, port) for opening in isolation)


def _is_open(opening: Opening, other: str, port: str) -> bool:
    protocol, number = port.split()
    networks = opening.networks
    return (
        networks is None or any(IPv4Address(other) in IPv4Network(network) for network in networks)
    ) and (
        opening.ports is None
        or any(p.protocol == protocol and p.first <= int(number) <= p.last for p in opening.ports)
    )


def test_ports_are_named_once() -> None:
    given = [Ports("tcp", 5, 9), Ports("tcp", 1, 3), Ports("tcp", 4, 4), Ports("udp", 9, 9)]
    assert joined([*given, Ports("tcp", 20, 20)]) == (
        Ports("tcp", 1, 9),
        Ports("tcp", 20, 20),
        Ports("udp", 9, 9),
    )


def test_no_isolated_pod_needs_no_table() -> None:
    assert table({}, {}) == "table ip policies {}\ndelete table ip policies\n"


def test_pods_that_are_isolated_alike_share_one_chain() -> None:
    some = (
        Opening(None, (Ports("tcp", 1988, 1988), Ports("tcp", 2181, 2181))),
        Opening(("10.244.1.1/32", "10.244.1.2/31"), (Ports("tcp", 1, 2), Ports("udp", 3, 3))),
    )
    made = table({"10.244.1.1": some, "10.244.1.2": some}, {"10.244.1.2": (Opening(None, None),)})
    assert (
        made
        == """\
table ip policies {}
delete table ip policies
table ip policies {
  chain leaving1 {
    return
    drop
  }
  chain arriving1 {
    tcp dport { 1988, 2181 } return
    ip saddr { 10.244.1.1/32, 10.244.1.2/31 } tcp dport { 1-2 } return
    ip saddr { 10.244.1.1/32, 10.244.1.2/31 } udp dport { 3 } return
    drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    ip saddr . ip daddr { 10.244.1.1 . 10.244.1.1, 10.244.1.2 . 10.244.1.2 } accept
    ip saddr vmap { 10.244.1.2 : jump leaving1 }
    ip daddr vmap { 10.244.1.1 : jump arriving1, 10.244.1.2 : jump arriving1 }
  }
}
"""
    )
