"""Who reaches which port of an ensemble: the table of docs/security.md, line by line, by packets.

All of it in a namespace whose owner denies everything that is not asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.platform.handle import Platform
from local.stores import place
from tests import pages
from tests.system import probes
from tests.system.backups import backup, give_keys, location, restore
from tests.system.clusters import FUNCTIONS_NAMESPACE, NOBODY, Cluster, fresh_namespace
from tests.system.probes import Prober

pytestmark = [pytest.mark.system, pytest.mark.soak]

CLIENT, FOLLOWER, ELECTION, CLOSED, AGENT, METRICS, ADMIN, OTHER = (
    2181, 2888, 3888, 2189, 1988, 7000, 8080, 9010,
)  # fmt: skip
PORTS = (CLIENT, FOLLOWER, ELECTION, CLOSED, AGENT, METRICS, ADMIN, OTHER)
OPEN = {CLIENT, AGENT, METRICS}
REACHED_BY = {
    "a-stranger": OPEN,
    "a-neighbour": OPEN,
    "the-functions": OPEN | {CLOSED, ADMIN},
    "a-backup": OPEN | {ADMIN},
    "a-restore": OPEN | {ADMIN},
    "a-server": OPEN | {FOLLOWER, ELECTION},
    "another-ensembles-server": OPEN,
    "a-backup-elsewhere": OPEN,
}
SHOP = {"podSelector": {"matchLabels": {"app": "shop"}}}


def policy(name: str, types: list[str], **spec: Any) -> str:
    return json.dumps({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": {}, "policyTypes": types, **spec},
    })  # fmt: skip


@pytest.fixture(scope="module")
def guarded(product: Platform, shared_namespace: str) -> Cluster:
    """Three servers with all ports they can have, where somebody denies all that comes in."""
    cluster = Cluster(product, shared_namespace)
    cluster.kubectl("apply", "-f", "-", input=policy("deny-all", ["Ingress"]))
    give_keys(cluster)
    cluster.apply(replicas=3, adminServer={"enabled": True})
    cluster.until_settled(90)
    return cluster


@pytest.fixture(scope="module")
def elsewhere(product: Platform) -> Iterator[str]:
    with fresh_namespace(product, is_restricted=False) as name:
        yield name


@pytest.fixture(scope="module")
def callers(guarded: Cluster, elsewhere: str) -> dict[str, Prober]:
    """Everybody who may try; a Job's pod is known by its labels, a function by its namespace."""
    platform, own = guarded.platform, guarded.namespace
    pods = {
        "a-stranger": (elsewhere, {"app": "shop"}),
        "a-neighbour": (own, {"app": "shop"}),
        "a-backup": (own, {"operator": "zookeeper-backup"}),
        "a-restore": (own, {"operator": "zookeeper-restore"}),
        "another-ensembles-server": (own, {"operator": "zookeeper", "instance": "other"}),
        "a-backup-elsewhere": (elsewhere, {"operator": "zookeeper-backup"}),
    }
    found = {name: probes.start(platform, where, name, by) for name, (where, by) in pods.items()}
    found["the-functions"] = Prober(platform, FUNCTIONS_NAMESPACE, "deploy/observe")
    found["a-server"] = Prober(platform, own, "zk-1", "agent")
    return found


def host_of(cluster: Cluster, pod: str = "zk-0") -> str:
    return f"{pod}.{cluster.name}.{cluster.namespace}.svc.cluster.local"


@pytest.fixture
def narrowed(guarded: Cluster) -> Iterator[Cluster]:
    """The ensemble with its lists as a test patches them, and as it was afterwards."""
    yield guarded
    guarded.kubectl(
        *("patch", "zkcluster", guarded.name, "--type=json"),
        *("-p", '[{"op": "remove", "path": "/spec/networkPolicy"}]'),
    )
    guarded.until_settled()


@pytest.mark.parametrize("who", REACHED_BY)
def test_a_port_is_reached_by_those_whom_the_page_names(
    guarded: Cluster, callers: dict[str, Prober], who: str
) -> None:
    assert callers[who].ports(host_of(guarded), PORTS) == REACHED_BY[who]


def test_clients_come_in_through_the_service_as_who_they_are(
    narrowed: Cluster, callers: dict[str, Prober]
) -> None:
    service = [narrowed.service]
    callers["a-stranger"].until_reached(service, service)
    narrowed.patch({"networkPolicy": {"clients": [SHOP]}})
    callers["a-stranger"].until_reached([], service)
    for who in ("a-neighbour", "the-functions", "a-backup", "a-restore", "a-server"):
        callers[who].until_reached(service, service)
    assert callers["another-ensembles-server"].reached(*service) == set()


def test_each_list_narrows_or_opens_its_own_ports(
    narrowed: Cluster, callers: dict[str, Prober]
) -> None:
    host = host_of(narrowed)
    every = [f"{host}:{port}" for port in PORTS]

    def until(who: str, *ports: int) -> None:
        callers[who].until_reached([f"{host}:{port}" for port in ports], every)

    lists = {"agents": [SHOP], "adminServer": [SHOP], "additionalPorts": [OTHER]}
    narrowed.patch({"networkPolicy": lists})
    until("a-neighbour", CLIENT, AGENT, METRICS, ADMIN, OTHER)
    until("a-stranger", CLIENT, METRICS, OTHER)
    until("the-functions", CLIENT, AGENT, METRICS, CLOSED, ADMIN, OTHER)
    until("a-backup", CLIENT, AGENT, METRICS, ADMIN, OTHER)
    everywhere = {"namespaceSelector": {}, **SHOP}
    narrowed.patch({"networkPolicy": {"metrics": [everywhere], "additionalPorts": None}})
    until("a-stranger", CLIENT, METRICS, AGENT)
    until("another-ensembles-server", CLIENT)


def test_backups_and_restores_get_in_where_no_client_may(narrowed: Cluster) -> None:
    narrowed.write("/kept", "before")
    narrowed.patch({"networkPolicy": NOBODY})
    narrowed.until_settled()
    keys = {}
    for method in ("files", "snapshot"):
        made = backup(narrowed, f"by-{method}", location(place.S3), method=method).until_over()
        assert made["status"] == "completed", made
        keys[method] = made["record"][0]["key"]
    narrowed.write("/kept", "after")
    for method, key in keys.items():
        back = restore(narrowed, f"back-{method}", location(place.S3, key=key)).until_over(180)
        assert back["status"] == "restarted", back
        narrowed.until_settled()
        assert narrowed.read("/kept") == {"before"}
        narrowed.write("/kept", "after")


def test_servers_elect_another_leader_behind_the_policy(guarded: Cluster) -> None:
    leader = guarded.status()["leader"]
    guarded.kubectl("delete", "pod", leader, "--wait=false")
    guarded.until(lambda: guarded.status().get("leader", leader) != leader, "another leader")
    guarded.until_settled()
    guarded.write("/elected", "again")
    assert guarded.read("/elected") == {"again"}


def test_without_our_policy_the_namespaces_own_is_all_there_is(
    narrowed: Cluster, callers: dict[str, Prober]
) -> None:
    host = host_of(narrowed)
    every = [f"{host}:{port}" for port in PORTS]
    narrowed.patch({"networkPolicy": {"enabled": False}})
    callers["a-stranger"].until_reached([], every)
    narrowed.kubectl("delete", "networkpolicy", "deny-all")
    try:
        callers["a-stranger"].until_reached(every, every)
    finally:
        narrowed.kubectl("apply", "-f", "-", input=policy("deny-all", ["Ingress"]))


def test_where_nothing_may_leave_the_page_says_what_servers_need(guarded: Cluster) -> None:
    """Existing connections stay, so what counts is a server that has to find its peers anew."""
    guarded.kubectl("apply", "-f", "-", input=policy("stay", ["Egress"]))
    recipe = next(
        text for text in pages.shown(pages.ROOT / "docs/security.md", "yaml") if "egress" in text
    )
    try:
        guarded.kubectl("delete", "pod", "zk-0")
        guarded.until(lambda: "zk-0" in guarded.pods(), "its pod is there again")
        prober = Prober(guarded.platform, guarded.namespace, "zk-0", "agent")
        elections = [f"{host_of(guarded, f'zk-{n}')}:{ELECTION}" for n in (1, 2)]
        guarded.kubectl(
            *("wait", "pod", "zk-0", "--for=jsonpath={.status.phase}=Running", "--timeout=60s")
        )
        assert prober.reached(*elections) == set()
        guarded.kubectl("apply", "-f", "-", input=recipe)
        prober.until_reached(elections, elections)
        guarded.until_settled()
    finally:
        guarded.kubectl("delete", "networkpolicy", "stay", "zookeeper-egress", "--ignore-not-found")
