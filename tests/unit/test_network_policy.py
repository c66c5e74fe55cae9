"""Who may connect to which port of a server, by the NetworkPolicy of its cluster."""

from __future__ import annotations

from typing import Any

import pytest

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest
from functions.manifests.installation import Installation
from functions.manifests.network_policy import NAMESPACE_LABEL, network_policy

CLIENT, FOLLOWER, ELECTION, CLOSED, AGENT, METRICS, ADMIN = 2181, 2888, 3888, 2189, 1988, 7000, 8080
Who = tuple[str, bool, dict[str, str]]
# Who connects: the labels of its namespace, whether it is the cluster's own, and its own labels.
STRANGER = ("elsewhere", False, {"app": "shop"})
NEIGHBOUR = ("apps", True, {"app": "shop"})
SERVER = ("apps", True, {"operator": "zookeeper", "instance": "zk"})
OTHER_SERVER = ("apps", True, {"operator": "zookeeper", "instance": "other"})
FUNCTION: Who = ("our-functions", False, {})
BACKUP = ("apps", True, {"operator": "zookeeper-backup", "instance": "nightly"})
RESTORE = ("apps", True, {"operator": "zookeeper-restore", "instance": "back"})
FOREIGN_BACKUP = ("elsewhere", False, BACKUP[2])
SHOP = {"podSelector": {"matchLabels": {"app": "shop"}}}


def _policy(**spec: Any) -> Manifest:
    metadata = {"name": "zk", "namespace": "apps", "uid": "uid-of-zk"}
    cluster = ZooKeeperCluster.parse({"metadata": metadata, "spec": spec})
    return network_policy(cluster, Installation("functions:1", namespace="our-functions"))


def _ports(who: Who, **spec: Any) -> set[int]:
    """Return the ports that somebody reaches, as a network would read the policy."""
    rules = _policy(**spec)["spec"]["ingress"]
    assert all(rule["ports"] for rule in rules), "a rule without ports opens all of them"
    return {
        port["port"]
        for rule in rules
        # An empty list means everybody, as none does.
        if not rule.get("from") or any(_is_peer(who, peer) for peer in rule["from"])
        for port in rule["ports"]
    }


def _is_peer(who: Who, peer: Manifest) -> bool:
    namespace, is_own, labels = who
    if "namespaceSelector" in peer:
        is_there = peer["namespaceSelector"]["matchLabels"] == {NAMESPACE_LABEL: namespace}
    else:
        is_there = is_own
    pods = peer.get("podSelector", {})
    are_labels = pods.get("matchLabels", {}).items() <= labels.items()
    return (
        is_there
        and are_labels
        and all(labels.get(e["key"]) in e["values"] for e in pods.get("matchExpressions", ()))
    )


OPEN = {CLIENT, AGENT, METRICS}
ALL_ON = {"adminServer": {"enabled": True}}


@pytest.mark.parametrize(
    ("who", "ports"),
    [
        pytest.param(STRANGER, OPEN, id="anybody"),
        pytest.param(NEIGHBOUR, OPEN, id="anybody-in-the-namespace"),
        pytest.param(SERVER, OPEN | {FOLLOWER, ELECTION}, id="a-server-of-the-cluster"),
        pytest.param(OTHER_SERVER, OPEN, id="a-server-of-another-cluster"),
        pytest.param(FUNCTION, OPEN | {CLOSED, ADMIN}, id="the-functions"),
        pytest.param(BACKUP, OPEN | {ADMIN}, id="a-backup"),
        pytest.param(RESTORE, OPEN | {ADMIN}, id="a-restore"),
        pytest.param(FOREIGN_BACKUP, OPEN, id="a-backup-in-another-namespace"),
    ],
)
def test_a_port_is_open_to_those_who_need_it(who: Who, ports: set[int]) -> None:
    assert _ports(who, **ALL_ON) == ports


@pytest.mark.parametrize(
    ("asked", "closed"),
    [("clients", CLIENT), ("agents", AGENT), ("metrics", METRICS)],
)
def test_a_list_of_peers_closes_a_port_to_all_others_but_us(asked: str, closed: int) -> None:
    spec = {"networkPolicy": {asked: [SHOP]}}
    assert _ports(NEIGHBOUR, **spec) == OPEN
    assert _ports(STRANGER, **spec) == OPEN - {closed}
    ours = {closed} - {METRICS}
    assert _ports(FUNCTION, **spec) >= ours
    assert _ports(BACKUP, **spec) >= ours


def test_a_client_in_a_servers_pod_gets_in_whoever_else_may() -> None:
    spec = {"networkPolicy": {"clients": [SHOP], "agents": [SHOP], "metrics": [SHOP]}}
    assert _ports(SERVER, **spec) == {CLIENT, FOLLOWER, ELECTION}
    assert _ports(SERVER, **spec, tls={"client": {"secretName": "certs"}}) >= {CLIENT, 2281}
    assert _ports(OTHER_SERVER, **spec) == set()


def test_who_may_read_the_metrics_may_ask_the_agents_for_theirs() -> None:
    other = {"podSelector": {"matchLabels": {"app": "other"}}}
    spec = {"networkPolicy": {"metrics": [SHOP], "agents": [other]}}
    assert _ports(NEIGHBOUR, **spec) == {CLIENT, METRICS, AGENT}
    assert _ports(STRANGER, **spec) == {CLIENT}


def test_the_admin_server_is_opened_by_name_only() -> None:
    assert ADMIN not in _ports(NEIGHBOUR, **ALL_ON)
    assert ADMIN in _ports(NEIGHBOUR, **ALL_ON, networkPolicy={"adminServer": [SHOP]})
    assert ADMIN not in _ports(FUNCTION), "it does not run"


def test_what_is_not_served_is_not_open() -> None:
    assert METRICS not in _ports(STRANGER, metrics={"enabled": False})


def test_further_ports_are_open_to_anybody() -> None:
    assert _ports(STRANGER, networkPolicy={"additionalPorts": [9010]}) == {*OPEN, 9010}


def test_only_the_servers_of_the_cluster_are_guarded() -> None:
    spec = _policy()["spec"]
    assert spec["podSelector"] == {"matchLabels": SERVER[2]}
    assert spec["policyTypes"] == ["Ingress"]


def test_clients_without_tls_are_kept_out_once_all_have_it_and_those_with_it_never() -> None:
    metadata = {"name": "zk", "namespace": "apps", "uid": "uid-of-zk"}
    spec = {"tls": {"client": {"secretName": "certs"}}, "networkPolicy": {"clients": [SHOP]}}
    cluster = ZooKeeperCluster.parse({"metadata": metadata, "spec": spec})
    installation = Installation("functions:1", namespace="our-functions")
    reached = {}
    for is_closed in (False, True):
        made = network_policy(cluster, installation, is_plaintext_closed=is_closed)
        reached[is_closed] = {
            (port["port"], who)
            for rule in made["spec"]["ingress"]
            for who, peer in {"shop": NEIGHBOUR, "stranger": STRANGER, "us": FUNCTION}.items()
            if "from" not in rule or any(_is_peer(peer, it) for it in rule["from"])
            for port in rule["ports"]
            if port["port"] in (CLIENT, 2281)
        }
    secure = {(2281, "shop"), (2281, "us")}
    assert reached == {
        False: {(CLIENT, "shop"), (CLIENT, "us"), *secure},
        True: {(CLIENT, "us"), *secure},
    }
