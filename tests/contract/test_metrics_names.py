"""Every metric that a rule or the dashboard asks for is one that something here really tells."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import urllib3
from kazoo.client import KazooClient

from functions.adapters.counters import API_REQUESTS
from functions.adapters.words import ask
from functions.api.errors import Unavailable
from functions.planning.exposition import exposition
from functions.planning.standing import families_of
from functions.pods.disk import Folders
from functions.pods.endpoints import Asked
from functions.pods.server_metrics import metrics
from functions.runtime.metrics import SECONDS, STEPS, begin, metrics_of
from tests.contract.ensemble import PORT, RealEnsemble
from tests.contract.monitoring import queries, rules
from tests.contract.processes import until

pytestmark = pytest.mark.contract

PROVIDER = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"
WORDS = {"4lw.commands.whitelist": "srvr,mntr"}
VERSIONS = [
    "3.9.5", *(pytest.param(it, marks=pytest.mark.soak) for it in ("3.6.4", "3.7.0", "3.8.4")),
]  # fmt: skip
# What stands in a query beside metrics: functions and words of PromQL, labels, and durations.
_METRIC = re.compile(r"\b([a-z][a-z_]*[a-z])\b(?!\s*[(=!~])")
_TEXTS = re.compile(r'"[^"]*"')
_GROUPING = re.compile(r"\b(?:by|on|without) \([^)]*\)")
_WORDS = {"or", "and", "unless", "offset", "by", "sum", "max", "min"}


def asked_for() -> set[str]:
    """Return every metric that a rule or the dashboard names."""
    alerts = (rule["expr"] for group in rules()["groups"] for rule in group["rules"])
    found: set[str] = set()
    for expr in (*alerts, *queries()):
        bare = _GROUPING.sub("", _TEXTS.sub("", expr))
        found |= set(_METRIC.findall(bare)) - _WORDS
    return found


def _names(text: str) -> set[str]:
    return {
        line.split("{")[0].split()[0] for line in text.splitlines() if line[:1] not in ("#", "")
    }


def _of_functions() -> set[str]:
    """Return what the functions tell, given objects that have everything to tell."""
    begin()
    SECONDS.observe(1)
    STEPS.add("WriteStatus")
    API_REQUESTS.add("GET", "200")
    metadata = {"name": "one", "namespace": "apps"}
    then = "2026-01-01T11:00:00Z"
    condition = {"conditions": [{"type": "Available", "status": "True", "reason": "QuorumServes"}]}
    cluster = {"operation": {"type": "Roll", "startedAt": then}, **condition}
    backup = {"lastSuccess": then, "record": [{"size": 1}], **condition}
    restore = {"step": "Stage", "status": "running", "since": then}
    objects = [
        [{"kind": f"ZooKeeper{kind}", "metadata": metadata, "spec": {}, "status": status}]
        for kind, status in (("Cluster", cluster), ("Backup", backup), ("Restore", restore))
    ]
    standing = exposition(families_of(objects[0], objects[1], objects[2], datetime.now(UTC)))
    return _names(metrics_of("roll")) | _names(standing)


def _work(host: str) -> None:
    client = KazooClient(hosts=f"{host}:{PORT}", timeout=15)
    client.start(timeout=15)
    try:
        client.ensure_path("/a")
        client.get("/a")
    finally:
        client.stop()
        client.close()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("is_native", [True, False], ids=["its-own-metrics", "by-the-agent"])
def test_every_metric_that_is_asked_for_is_told(
    ensemble_of: Callable[..., RealEnsemble], tmp_path: Path, version: str, is_native: bool
) -> None:
    ensemble = ensemble_of(1, version=version, settings=WORDS)
    (host,) = [line.partition("=")[2].partition(":")[0] for line in ensemble.lines]
    if is_native:
        provider = {"className": PROVIDER, "httpHost": host, "httpPort": "7000"}
        own = {f"metricsProvider.{key}": value for key, value in provider.items()}
        ensemble.settings = {**WORDS, **own}
    ensemble.start(1)
    until(lambda: _serves(host), "it to serve")
    _work(host)
    paths = metrics(Folders(tmp_path, tmp_path, tmp_path, tmp_path, ""), (PORT,), host)
    told = [str(paths[path]["GET"](Asked("", bytes)).content) for path in paths]
    if is_native:
        told[1] = urllib3.request("GET", f"http://{host}:7000/metrics", timeout=10).data.decode()
    assert "zookeeper_server_serving 1" in told[0].splitlines()
    known = _of_functions().union(*map(_names, told))
    # Only the server itself knows its heap.
    heap = set() if is_native else {"jvm_memory_bytes_used", "jvm_memory_bytes_max"}
    assert asked_for() - known == heap
    assert len(asked_for()) > 30


def _serves(host: str) -> bool:
    try:
        return "Mode: leader" in ask("srvr", host, PORT, timeout=5)
    except Unavailable:
        return False
