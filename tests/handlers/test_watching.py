"""What a function lets people see of its work: the numbers it counts, the ids in its log."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import functions_framework
import pytest

from functions.adapters.memory import MemoryKube
from functions.api.kinds import CLUSTER, PROMETHEUS_RULE, SERVICE_MONITOR, Ref
from functions.planning.exposition import CONTENT_TYPE
from functions.runtime.function import connected
from functions.runtime.logs import JsonLines
from tests.expected import TESTS

EVENTS = TESTS / "events"
STRUCTURED = "application/cloudevents+json"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"

Client = Any


@pytest.fixture(scope="module")
def clients() -> dict[str, Client]:
    """Clients of two functions, as their lines of the Procfile serve them."""
    made = {}
    for name in ("observe", "resync"):
        source = str(TESTS.parent / "functions" / f"{name}.py")
        made[name] = functions_framework.create_app(name, source).test_client()  # type: ignore[no-untyped-call]
    return made


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Gives what the functions logged so far, as their pods print it."""
    printed = io.StringIO()
    handler = logging.StreamHandler(printed)
    handler.setFormatter(JsonLines())
    log = logging.getLogger("functions")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in printed.getvalue().splitlines()]
    log.removeHandler(handler)
    log.setLevel(level)


def _send(
    client: Client, sample: str, headers: dict[str, str] | None = None, **changed: str
) -> None:
    event = {**json.loads((EVENTS / f"{sample}.json").read_text()), **changed}
    body, told = json.dumps(event), {"Content-Type": STRUCTURED, **(headers or {})}
    assert client.post("/", data=body, headers=told).status_code == 204


def _number(client: Client, line: str) -> float:
    """Return the number behind a name with its labels; 0 when there is no such line."""
    text = client.get("/metrics").text
    found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_the_numbers_are_had_without_an_event_and_without_a_cluster(
    clients: dict[str, Client],
) -> None:
    answer = clients["observe"].get("/metrics")
    assert (answer.status_code, answer.content_type) == (200, CONTENT_TYPE)
    assert 'zookeeper_function_events_total{function="observe",code="500"} ' in answer.text
    assert "process_resident_memory_bytes{" in answer.text


def test_events_and_steps_are_counted(clients: dict[str, Client], simulation: Any) -> None:
    simulation.apply("small", "default", replicas=1)
    observe = clients["observe"]
    asked = (
        'zookeeper_function_events_total{function="observe",code="204"}',
        'zookeeper_function_event_seconds_count{function="observe"}',
        'zookeeper_function_steps_total{function="observe",step="WriteStatus"}',
    )
    before = [_number(observe, line) for line in asked]
    with connected(simulation.world()):
        _send(observe, "scale")
        _send(observe, "scale")
    after = [_number(observe, line) for line in asked]
    assert [new - old for new, old in zip(after, before, strict=True)] == [2, 2, 1]


def test_resync_tells_how_every_object_stands(clients: dict[str, Client], simulation: Any) -> None:
    simulation.apply("small", "default", replicas=1)
    with connected(simulation.world()):
        _send(clients["resync"], "resync")
    wanted = 'zookeeper_cluster_servers{namespace="default",zkcluster="small"}'
    assert _number(clients["resync"], wanted) == 1
    assert _number(clients["resync"], "zookeeper_resync_seconds") > 1_700_000_000


HEADER = {"traceparent": PARENT}


@pytest.mark.parametrize(
    ("attributes", "headers", "trace"),
    [
        pytest.param({"traceparent": PARENT}, {}, TRACE, id="the-extension"),
        pytest.param({}, HEADER, TRACE, id="the-header-of-a-broker-that-traces"),
        pytest.param({"traceparent": "broken"}, HEADER, TRACE, id="the-header-for-a-bad-extension"),
        pytest.param({"id": "1"}, {}, "", id="neither"),
    ],
)
def test_every_line_about_an_event_carries_its_trace(
    clients: dict[str, Client],
    simulation: Any,
    lines: Callable[[], list[dict[str, Any]]],
    attributes: dict[str, str],
    headers: dict[str, str],
    trace: str,
) -> None:
    simulation.apply("small", "default", replicas=1)
    with connected(simulation.world()):
        _send(clients["observe"], "scale", headers, **attributes)
    assert {"step", "answered"} <= {line["message"] for line in lines()}
    (took,) = (line["seconds"] for line in lines() if line["message"] == "answered")
    assert 0 <= took < 60
    traces = {line["trace"] for line in lines()}
    assert len(traces) == 1
    assert traces == {trace} or not trace


def test_all_that_is_done_for_a_change_carries_one_id_whatever_event_it_follows(
    simulation: Any, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    simulation.apply(replicas=1)
    simulation.settle()
    kube: MemoryKube = simulation.kube
    found = kube.get(Ref(CLUSTER, "apps", "zk"))
    assert found is not None
    steps = [line for line in lines() if line["message"] == "step"]
    assert {line["change"] for line in steps} == {f"{found['metadata']['uid']}/1"}
    assert len(steps) > 20


def test_the_events_of_resync_belong_to_the_trace_of_its_own(
    clients: dict[str, Client], simulation: Any
) -> None:
    simulation.apply("small", "default", replicas=1)
    simulation.apply("large", "default", replicas=3)
    with connected(simulation.world()):
        _send(clients["resync"], "resync", traceparent=PARENT)
    assert len(simulation.sent) == 2
    parts = [told.split("-") for told in simulation.traceparents]
    assert {(version, trace, flags) for version, trace, _, flags in parts} == {("00", TRACE, "01")}
    assert "b7ad6b7169203331" not in {span for _, _, span, _ in parts}


MONITORING = (SERVICE_MONITOR, PROMETHEUS_RULE)


def _monitors(simulation: Any) -> list[str]:
    refs = [Ref(kind, "apps", "zk") for kind in MONITORING]
    return [ref.kind.name for ref in refs if simulation.kube.get(ref) is not None]


def test_a_cluster_is_watched_as_soon_as_the_prometheus_operator_is_there(simulation: Any) -> None:
    """Seed defect G4: without the operator's kinds nothing else was made either."""
    simulation.apply(replicas=1)
    simulation.settle()
    assert simulation.condition("Reconciled") == ("True", "AsWanted")
    assert _monitors(simulation) == []
    simulation.kube.unserved = frozenset()
    simulation.settle()
    assert _monitors(simulation) == []
    simulation.kube.forget_kinds()
    simulation.settle()
    assert _monitors(simulation) == ["ServiceMonitor", "PrometheusRule"]
    assert simulation.round() == 0
    simulation.apply(replicas=1, metrics={"enabled": False})
    simulation.settle()
    assert _monitors(simulation) == []


def test_kinds_that_went_away_since_they_were_asked_for_are_no_trouble(simulation: Any) -> None:
    simulation.kube.unserved = frozenset()
    simulation.apply(replicas=1)
    simulation.settle()
    kube: Any = simulation.kube
    for kind in MONITORING:
        found = kube.get(Ref(kind, "apps", "zk"))
        kube.delete(Ref(kind, "apps", "zk"), uid=found["metadata"]["uid"])
    # The answer that is kept says they are served; the write meets that they are not.
    kube.unserved = frozenset(MONITORING)
    assert kube.serves(SERVICE_MONITOR)
    assert simulation.deliver("reconcile-cluster").status == 204
    assert simulation.condition("Reconciled") == ("True", "AsWanted")
