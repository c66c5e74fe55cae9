"""What a platform engineer watches: one change through all logs, numbers, the operator's kinds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.platform.handle import Platform
from tests.expected import TESTS
from tests.system.clusters import FUNCTIONS_NAMESPACE, Cluster
from tests.system.reader import Reader

pytestmark = [pytest.mark.system, pytest.mark.soak]

PAGE = TESTS.parent / "docs" / "operations" / "monitoring.md"
CRDS = TESTS / "monitoring_crds.yaml"
SECONDS = 60


@pytest.fixture(scope="module")
def monitored(product: Platform, shared_namespace: str) -> Iterator[Cluster]:
    """A cluster that was there before the Prometheus operator's kinds; they go away at the end."""
    cluster = Cluster(product, shared_namespace, "small")
    cluster.apply(replicas=1)
    cluster.until_settled()
    try:
        yield cluster
    finally:
        product.kubectl("delete", "-f", str(CRDS), "--ignore-not-found", "--wait=false")


def _lines(cluster: Cluster, folder: Path) -> list[dict[str, Any]]:
    """Return what the functions logged about the change, found by the commands of the page."""
    script = PAGE.read_text().split("```sh\nkubectl apply -f config/samples")[1].split("```")[0]
    _, *commands = script.splitlines()
    printed = Reader(cluster.platform, cluster.namespace, folder, SECONDS).output(*commands)
    return [json.loads(line[line.index("{") :]) for line in printed.splitlines()]


def test_one_apply_is_followed_through_the_logs_by_one_id(
    monitored: Cluster, tmp_path: Path
) -> None:
    steps = [line for line in _lines(monitored, tmp_path) if line["message"] == "step"]
    named = f"{monitored.namespace}/small"
    assert {line["cluster"] for line in steps} == {named}
    assert {line["function"] for line in steps} >= {"reconcile-cluster", "scale", "observe"}
    told = [line["step"] for line in steps]
    for begun in ("apply StatefulSet", "announce Normal CreationStarted", "write status of"):
        assert any(step.startswith(begun) for step in told), begun
    # One event wakes several functions; all of them name its trace.
    woken: dict[str, set[str]] = {}
    for line in steps:
        assert re.fullmatch("[0-9a-f]{32}", line["trace"])
        woken.setdefault(line["trace"], set()).add(line["function"])
    assert max(map(len, woken.values())) > 1
    assert len(woken) > 3, "a creation takes several events, and one id leads through them"


def _scraped(cluster: Cluster, namespace: str, label: str, path: str) -> str:
    """Ask the first pod with a label as Prometheus would."""
    found = cluster.platform.kubectl(
        "get", "pods", "-n", namespace, "-l", label, "-o", "jsonpath={.items[0].status.podIP}"
    ).stdout
    asked = f"http://{found}{path}"
    code = f"import urllib.request as r; print(r.urlopen({asked!r}, timeout=10).read().decode())"
    return cluster.platform.run("python3", "-c", code).stdout


def test_servers_agents_and_functions_tell_their_numbers(monitored: Cluster) -> None:
    mine = (monitored, monitored.namespace, "instance=small")
    assert "num_alive_connections " in _scraped(*mine, ":7000/metrics")
    assert "zookeeper_server_serving 1" in _scraped(*mine, ":1988/metrics")
    assert "num_alive_connections " in _scraped(*mine, ":1988/metrics/server")
    functions = (monitored, FUNCTIONS_NAMESPACE)
    told = _scraped(*functions, "serving.knative.dev/service=scale", ":8080/metrics")
    assert re.search(r'events_total\{function="scale",code="204"\} [1-9]', told)
    assert re.search(
        r'api_requests_total\{function="scale",method="PATCH",code="200"\} [1-9]', told
    )
    stands = (
        f'zookeeper_cluster_ready_servers{{namespace="{monitored.namespace}",zkcluster="small"}} 1'
    )
    assert stands in _scraped(*functions, "serving.knative.dev/service=resync", ":8080/metrics")
    endpoints = monitored.status()["endpoints"]
    assert endpoints["metrics"] == f"small.{monitored.namespace}.svc.cluster.local:7000"


def test_the_operators_kinds_may_come_later(monitored: Cluster) -> None:
    platform = monitored.platform
    platform.kubectl("apply", "-f", str(CRDS))
    platform.kubectl("wait", "-f", str(CRDS), "--for=condition=Established", "--timeout=30s")
    # What is known of kinds is a minute old at most; a new process of the function asks at once.
    platform.kubectl(
        *("-n", FUNCTIONS_NAMESPACE, "rollout", "restart", "deployment/reconcile-cluster")
    )
    platform.kubectl(
        *("-n", FUNCTIONS_NAMESPACE, "rollout", "status", "deployment/reconcile-cluster"),
        "--timeout=60s",
    )
    monitored.kubectl("annotate", "zkcluster", "small", "look=again")
    for kind in ("servicemonitor", "prometheusrule"):
        monitored.until(lambda: monitored.get(kind), f"the {kind}")  # noqa: B023
    platform.kubectl("apply", "-k", "config/monitoring")
    platform.kubectl("delete", "-k", "config/monitoring")
    monitored.patch({"metrics": {"serviceMonitor": {"enabled": False}}})
    monitored.until(lambda: not monitored.get("servicemonitor"), "its end")
