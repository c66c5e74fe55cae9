"""Lost, doubled, late and shuffled events, and functions that die, end in the same state."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.platform.handle import Platform
from tests.system.clusters import FUNCTIONS, FUNCTIONS_NAMESPACE, Cluster

pytestmark = pytest.mark.system

FAULTS = "http://10.244.0.1:8481/faults"
# A lost event of a cluster is lost once for each of its three functions in every resync period.
FUNCTIONS_OF_A_CLUSTER = 3
PERIODS = 4

# A Trigger whose subscriber nobody listens for, about the clusters of one namespace.
DEAF = """
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {{name: deaf, namespace: zookeeper-functions}}
spec:
  broker: zookeeper
  filters:
    - exact: {{kind: ZooKeeperCluster, namespace: "{namespace}"}}
  subscriber: {{uri: "http://127.0.0.1:1"}}
  delivery:
    retry: 0
    deadLetterSink:
      ref: {{apiVersion: serving.knative.dev/v1, kind: Service, name: dead-letter}}
"""


class Faults:
    """What is done on purpose to the events about one cluster's namespace."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def begin(self, **fault: Any) -> None:
        wanted = json.dumps({**fault, "namespace": self._cluster.namespace})
        self._curl("--data", wanted)

    def end(self) -> None:
        self._curl("-X", "DELETE")

    def touched(self) -> int:
        found: int = json.loads(self._curl())["touched"]
        return found

    def _curl(self, *words: str) -> str:
        return self._cluster.platform.run("curl", "-sSf", "-m", "10", *words, FAULTS).stdout


@pytest.fixture
def faults(cluster: Cluster) -> Iterator[Faults]:
    found = Faults(cluster)
    try:
        yield found
    finally:
        found.end()


@pytest.mark.soak
def test_a_cluster_whose_events_were_all_lost_is_found_by_resync(
    cluster: Cluster, faults: Faults
) -> None:
    faults.begin(drop=True)
    cluster.apply()
    cluster.until(
        lambda: faults.touched() >= PERIODS * FUNCTIONS_OF_A_CLUSTER, "periods of lost events"
    )
    assert cluster.status() == {}
    assert cluster.owned() == {}
    faults.end()
    cluster.until_settled()


@pytest.mark.soak
def test_losses_that_nobody_heard_of_are_mended_by_resync(cluster: Cluster, faults: Faults) -> None:
    cluster.apply()
    cluster.until_settled()
    cluster.write("/kept", "yes")
    faults.begin(drop=True)
    # A delivery that had begun before would see, and mend, what is lost now.
    cluster.until_calm(1.0)
    cluster.kubectl("delete", "configmap", "zk-config")
    cluster.kubectl("delete", "service", "zk-client")
    cluster.kubectl("delete", "pod", "zk-0")
    cluster.patch({"labels": {"team": "a"}})
    cluster.until(
        lambda: faults.touched() >= PERIODS * FUNCTIONS_OF_A_CLUSTER, "periods of lost events"
    )
    assert cluster.get("configmap", "zk-config") == {}
    faults.end()
    cluster.until(lambda: cluster.get("service", "zk-client"), "the Service")
    cluster.until_settled()
    assert cluster.get("configmap", "zk-config")["metadata"]["labels"]["team"] == "a"
    assert cluster.read("/kept") == {"yes"}


@pytest.mark.parametrize(
    "lose_all",
    [pytest.param(False, id="made"), pytest.param(True, id="lost", marks=pytest.mark.soak)],
)
def test_doubled_late_and_shuffled_events_end_in_the_same_state(
    cluster: Cluster, faults: Faults, lose_all: bool
) -> None:
    faults.begin(duplicate=2, delay=0.1, reorder=True)
    cluster.apply(replicas=3)
    status = cluster.until_settled(90)
    assert faults.touched() > 0
    assert [m["id"] for m in status["members"]] == [1, 2, 3]
    cluster.write("/kept", "yes")
    if lose_all:
        cluster.kubectl("delete", "pod", "zk-0", "zk-1", "zk-2", "--wait=false")
        cluster.until(lambda: cluster.condition("Available")["status"] == "False", "the loss")
        cluster.until_settled(90)
    assert cluster.read("/kept") == {"yes"}
    told = cluster.events()
    assert told["CreationStarted"].count("\n") == 0, "an Event is told once a transition"
    assert told["Created"].count("\n") == 0
    faults.end()
    cluster.kubectl("delete", "zkcluster", "zk", "--timeout=60s")


@pytest.mark.soak
def test_functions_that_are_killed_come_back_and_finish_what_was_begun(cluster: Cluster) -> None:
    all_functions = ("-n", FUNCTIONS_NAMESPACE, "pods", "--all", "--wait=false")
    cluster.apply()
    cluster.platform.kubectl("delete", *all_functions, "--grace-period=0", "--force")
    cluster.until_settled()
    cluster.platform.kubectl("delete", *all_functions)
    cluster.kubectl("delete", "configmap", "zk-config")
    cluster.until(lambda: cluster.get("configmap", "zk-config"), "the ConfigMap", 60)
    cluster.until_settled()
    ready = ("wait", "ksvc", "--all", "--for=condition=Ready", "--timeout=60s")
    cluster.platform.kubectl("-n", FUNCTIONS_NAMESPACE, *ready)
    running = cluster.platform.kubectl("-n", FUNCTIONS_NAMESPACE, "get", "pods").stdout
    assert all(name in running for name in FUNCTIONS)


@pytest.fixture
def deaf_trigger(product: Platform, namespace: str) -> Iterator[None]:
    product.kubectl("apply", "-f", "-", input=DEAF.format(namespace=namespace))
    where = ("-n", FUNCTIONS_NAMESPACE, "trigger", "deaf")
    try:
        product.kubectl("wait", *where, "--for=condition=Ready", "--timeout=30s")
        yield
    finally:
        product.kubectl("delete", *where)


@pytest.mark.usefixtures("deaf_trigger")
def test_an_event_that_failed_for_good_is_told_on_its_object(cluster: Cluster) -> None:
    cluster.apply()
    said = cluster.until(lambda: cluster.events().get("EventFailed", ""), "the Warning Event")
    assert "The event about ZooKeeperCluster zk failed for good at http://127.0.0.1:1" in said
    shown = cluster.kubectl("describe", "zkcluster", "zk").stdout
    assert "Warning  EventFailed" in shown
    cluster.until_settled()
