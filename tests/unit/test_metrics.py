"""The text Prometheus reads, the counters behind it, and what it says of objects."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from functions.adapters.counters import Counter, Histogram
from functions.planning.exposition import Family, Sample, exposition, gauge
from functions.planning.standing import families_of
from functions.runtime.metrics import Standing
from functions.runtime.traces import trace_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_family_is_its_help_its_type_and_its_samples() -> None:
    labels = {"a": 'with "quotes"', "b": "two\nlines\\"}
    family = gauge("things", "How many.", (1.5, labels), (1767268800.0, {}))
    assert exposition([family]) == (
        "# HELP things How many.\n"
        "# TYPE things gauge\n"
        'things{a="with \\"quotes\\"",b="two\\nlines\\\\"} 1.5\n'
        "things 1767268800\n"
    )


def test_a_family_without_samples_is_left_out() -> None:
    assert exposition([Family("things", "gauge", "How many.", ())]) == ""


def test_a_counter_counts_each_combination_of_labels_by_itself() -> None:
    counter = Counter("answers_total", "Answers.", "code")
    counter.add("204")
    counter.add("204", by=2)
    counter.add("500", by=0)
    assert counter.family({"function": "roll"}) == Family(
        "answers_total",
        "counter",
        "Answers.",
        (
            Sample(3, {"function": "roll", "code": "204"}),
            Sample(0, {"function": "roll", "code": "500"}),
        ),
    )


def test_a_histogram_counts_up_to_each_bound() -> None:
    histogram = Histogram("seconds", "How long.", (0.5, 2.0))
    for seconds in (0.5, 1.0, 4.0):
        histogram.observe(seconds)
    text = exposition([histogram.family({})])
    assert text.splitlines()[2:] == [
        'seconds_bucket{le="0.5"} 1',
        'seconds_bucket{le="2"} 2',
        'seconds_bucket{le="+Inf"} 3',
        "seconds_sum 5.5",
        "seconds_count 3",
    ]


def _object(kind: str, status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    metadata = {"name": "one", "namespace": "apps"}
    return {"kind": kind, "metadata": metadata, "spec": spec, "status": status}


CONDITION = {"type": "Available", "status": "False", "reason": "NoQuorum", "message": "none serves"}


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        pytest.param(
            _object("ZooKeeperCluster", {}, replicas=3, observers=1),
            [
                'zookeeper_cluster_servers{namespace="apps",zkcluster="one"} 4',
                'zookeeper_cluster_ready_servers{namespace="apps",zkcluster="one"} 0',
            ],
            id="a-cluster-that-nobody-looked-at",
        ),
        pytest.param(
            _object("ZooKeeperCluster", {}),
            [
                'zookeeper_cluster_servers{namespace="apps",zkcluster="one"} 3',
                'zookeeper_cluster_ready_servers{namespace="apps",zkcluster="one"} 0',
            ],
            id="a-cluster-without-a-size",
        ),
        pytest.param(
            _object(
                "ZooKeeperCluster",
                {
                    "readyReplicas": 2,
                    "operation": {"type": "Roll", "startedAt": "2026-01-01T11:00:00Z"},
                    "conditions": [CONDITION],
                },
                stopped=True,
            ),
            [
                'zookeeper_cluster_servers{namespace="apps",zkcluster="one"} 0',
                'zookeeper_cluster_ready_servers{namespace="apps",zkcluster="one"} 2',
                'zookeeper_cluster_operation_start_seconds{namespace="apps",zkcluster="one",'
                'operation="Roll"} 1767265200',
                'zookeeper_cluster_condition{namespace="apps",zkcluster="one",type="Available",'
                'status="False",reason="NoQuorum"} 1',
            ],
            id="a-cluster-that-is-stopped-and-busy",
        ),
        pytest.param(
            _object("ZooKeeperBackup", {"failures": 2, "record": [{"key": "a"}]}),
            ['zookeeper_backup_failures{namespace="apps",zkbackup="one"} 2'],
            id="a-backup-that-only-failed",
        ),
        pytest.param(
            _object(
                "ZooKeeperBackup",
                {
                    "lastSuccess": "2026-01-01T11:00:00Z",
                    "record": [{"size": 7}, {"size": 9}],
                    "conditions": [{"type": "Recent", "status": "True", "reason": "AsScheduled"}],
                },
            ),
            [
                'zookeeper_backup_last_success_seconds{namespace="apps",zkbackup="one"} 1767265200',
                'zookeeper_backup_failures{namespace="apps",zkbackup="one"} 0',
                'zookeeper_backup_size_bytes{namespace="apps",zkbackup="one"} 9',
                'zookeeper_backup_condition{namespace="apps",zkbackup="one",type="Recent",'
                'status="True",reason="AsScheduled"} 1',
            ],
            id="a-backup-that-was-made",
        ),
        pytest.param(
            _object(
                "ZooKeeperRestore",
                {"step": "Stage", "status": "running", "since": "2026-01-01T11:00:00Z"},
            ),
            [
                'zookeeper_restore_step_start_seconds{namespace="apps",zkrestore="one",'
                'step="Stage",status="running"} 1767265200'
            ],
            id="a-restore",
        ),
    ],
)
def test_an_object_stands_as_its_status_says(manifest: dict[str, Any], told: list[str]) -> None:
    of = [[manifest] if manifest["kind"] == kind else [] for kind in KINDS]
    text = exposition(families_of(of[0], of[1], of[2], NOON))
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines == ["zookeeper_resync_seconds 1767268800", *told]


KINDS = ("ZooKeeperCluster", "ZooKeeperBackup", "ZooKeeperRestore")


def test_what_was_seen_is_told_only_while_somebody_still_looks() -> None:
    standing = Standing()
    standing.show("fresh", seconds=60)
    assert standing.text() == "fresh"
    standing.show("old", seconds=0)
    assert standing.text() == ""


TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331"
EVENT_ID = "6a463e0e-48bf-4fdd-b2a3-c2f620dd9751"


@pytest.mark.parametrize(
    ("attributes", "headers", "trace", "flags"),
    [
        pytest.param({"traceparent": f"{PARENT}-01"}, {}, TRACE, "01", id="extension"),
        pytest.param({}, {"Traceparent": f"{PARENT}-00"}, TRACE, "00", id="header"),
        pytest.param({"traceparent": f"01{PARENT[2:]}-01-more"}, {}, TRACE, "01", id="to-come"),
        pytest.param({"id": EVENT_ID}, {}, EVENT_ID.replace("-", ""), "00", id="the-event's-id"),
        pytest.param(
            {"id": EVENT_ID, "traceparent": f"ff{PARENT[2:]}-01"},
            {"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"},
            EVENT_ID.replace("-", ""),
            "00",
            id="what-the-standard-forbids",
        ),
        pytest.param(
            {"id": EVENT_ID, "traceparent": f"00-{TRACE}-{'0' * 16}-01"},
            {"traceparent": "00-short-b7ad6b7169203331-01"},
            EVENT_ID.replace("-", ""),
            "00",
            id="no-span-and-no-form",
        ),
    ],
)
def test_the_trace_is_the_senders_or_the_events_own(
    attributes: dict[str, str], headers: dict[str, str], trace: str, flags: str
) -> None:
    found = trace_of(attributes, headers)
    assert (found.id, found.flags) == (trace, flags)


def test_an_id_that_is_no_uuid_still_makes_one_trace() -> None:
    event = {"source": "/somewhere", "id": "1"}
    assert trace_of(event, {}) == trace_of(event, {})
    assert trace_of(event, {}) != trace_of({**event, "source": "/elsewhere"}, {})
    assert len(trace_of(event, {}).id) == 32


def test_what_is_sent_on_is_a_span_of_its_own() -> None:
    trace = trace_of({"traceparent": f"{PARENT}-01"}, {})
    sent = {trace.parent() for _ in range(2)}
    assert len(sent) == 2
    assert all(told.startswith(f"00-{TRACE}-") and told.endswith("-01") for told in sent)
