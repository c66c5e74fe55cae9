"""A pod's status, restarts, probes' verdicts and logs: what is decided without any process."""

from __future__ import annotations

import asyncio
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from local.node.container import restart_delay
from local.node.container_logs import LogOptions, LogWriter, last_text, read
from local.node.events import Happening, event_name
from local.node.exec_session import exit_status
from local.node.network import AddressPool, link_name
from local.node.nodes import node_status, places
from local.node.probes import Target, Timing, Verdict, look, probe_url
from local.node.records import (
    Kind,
    Record,
    Started,
    Terminated,
    Waiting,
    records_of,
    should_restart,
)
from local.node.reporter import replacing_addresses, without_times
from local.node.running import Running
from local.node.status import Surroundings, pod_status

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
AROUND = Surroundings("10.244.255.11", "10.244.1.7", NOW, has_network=True)


@pytest.mark.parametrize(
    ("action", "url"),
    [
        pytest.param({}, "http://10.0.0.1:80/", id="no-path"),
        pytest.param({"path": "/healthz"}, "http://10.0.0.1:80/healthz", id="a-path"),
        pytest.param({"path": "readiness"}, "http://10.0.0.1:80/readiness", id="without-slash"),
        pytest.param({"path": "/a?b=c", "scheme": "HTTPS"}, "https://10.0.0.1:80/a?b=c", id="tls"),
    ],
)
def test_a_probe_asks_where_a_kubelet_would(action: dict[str, str], url: str) -> None:
    assert probe_url(action, "10.0.0.1", 80) == url


@pytest.fixture
def target() -> Target:
    """A container without a process: a probe of its port needs none."""
    return Target(cast(Running, None), "127.0.0.1", {})


def test_a_pod_that_takes_connections_is_ready_however_late_the_node_looks(target: Target) -> None:
    async def look_late(port: int) -> bool:
        looking = asyncio.create_task(look({"tcpSocket": {"port": port}}, target, 0.1))
        await asyncio.sleep(0)
        time.sleep(0.3)  # As on a machine where this program gets no processor for so long.
        return (await looking).is_success

    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert asyncio.run(look_late(listening.getsockname()[1]))


def test_a_port_that_nobody_listens_at_is_not_ready(target: Target) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    outcome = asyncio.run(look({"tcpSocket": {"port": port}}, target, 1.0))
    assert (outcome.is_success, outcome.said) == (False, "[Errno 111] Connection refused")


def pod(policy: str = "Always", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "namespace": "demo", "uid": "u", "generation": 3},
        "spec": {"restartPolicy": policy, "containers": [{"name": "c", "image": "i"}]},
        "status": status,
    }


def ended(code: int) -> Terminated:
    return Terminated(code, "Error" if code else "Completed", "", NOW, NOW, "local://x")


def record(state: Waiting | Started | Terminated, kind: Kind = Kind.MAIN, **more: Any) -> Record:
    return Record({"name": str(kind), "image": "i"}, kind, state=state, **more)


@pytest.mark.parametrize(
    ("policy", "records", "expected"),
    [
        ("Always", [record(Waiting("ContainerCreating"))], "Pending"),
        ("Always", [record(Started(NOW))], "Running"),
        ("Always", [record(Waiting("CrashLoopBackOff"), last=ended(1))], "Running"),
        ("Never", [record(ended(0))], "Succeeded"),
        ("Never", [record(ended(1))], "Failed"),
        ("Never", [record(Started(NOW), Kind.SIDECAR, started=True), record(ended(0))], "Running"),
        ("Never", [record(ended(0), Kind.SIDECAR), record(ended(0))], "Succeeded"),
        ("OnFailure", [record(ended(1))], "Running"),
        ("OnFailure", [record(ended(0))], "Succeeded"),
        ("Always", [record(ended(0))], "Running"),
        ("Never", [record(ended(1), Kind.INIT), record(Waiting("PodInitializing"))], "Failed"),
        ("Always", [record(ended(1), Kind.INIT), record(Waiting("PodInitializing"))], "Pending"),
        ("Always", [record(Started(NOW), Kind.SIDECAR), record(Started(NOW))], "Pending"),
        (
            "Always",
            [record(Started(NOW), Kind.SIDECAR, started=True), record(Started(NOW))],
            "Running",
        ),
    ],
)
def test_the_phase_follows_the_containers(
    policy: str, records: list[Record], expected: str
) -> None:
    assert pod_status(pod(policy), records, AROUND, NOW)["phase"] == expected


def test_a_pod_over_its_deadline_has_failed_with_a_reason_once_it_stopped() -> None:
    around = Surroundings("h", failure=("DeadlineExceeded", "too long"))
    assert pod_status(pod(), [record(Started(NOW))], around, NOW)["phase"] == "Running"
    status = pod_status(pod(), [record(ended(143))], around, NOW)
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")


def conditions(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {condition["type"]: condition for condition in status["conditions"]}


def test_an_unready_container_is_named() -> None:
    found = conditions(pod_status(pod(), [record(Started(NOW))], AROUND, NOW))
    assert found["Ready"]["status"] == "False"
    assert found["Ready"]["message"] == "containers with unready status: [main]"
    assert found["Ready"]["observedGeneration"] == 3


def test_a_closed_readiness_gate_keeps_a_pod_unready() -> None:
    gated = pod()
    gated["spec"]["readinessGates"] = [{"conditionType": "x/ready"}]
    running = Record({"name": "c", "image": "i"}, Kind.MAIN, Started(NOW), ready=True)
    running.running = object()  # type: ignore[assignment]
    found = conditions(pod_status(gated, [running], AROUND, NOW))
    assert (found["ContainersReady"]["status"], found["Ready"]["status"]) == ("True", "False")
    gated["status"]["conditions"] = [{"type": "x/ready", "status": "True"}]
    found = conditions(pod_status(gated, [running], AROUND, NOW))
    assert found["Ready"]["status"] == "True"


def test_a_transition_time_stays_while_the_status_stays() -> None:
    before = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    other = {"type": "Initialized", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    seen = pod(conditions=[before, other])
    found = conditions(pod_status(seen, [record(Started(NOW))], AROUND, NOW))
    assert found["Ready"]["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert found["Initialized"]["lastTransitionTime"] == "2026-05-01T12:00:00Z"


def test_restarts_go_on_counting_after_the_node_itself_restarted() -> None:
    running = {"startedAt": "2026-05-01T11:00:00Z"}
    entry = {"name": "c", "restartCount": 2, "state": {"running": running}}
    (found,) = records_of(pod(containerStatuses=[entry]))
    assert found.restart_count == 3
    assert found.last is not None
    assert found.last.exit_code == 137


def test_a_sent_status_replaces_addresses_and_is_compared_without_new_times() -> None:
    status = pod_status(pod(), [record(Started(NOW))], AROUND, NOW)
    assert replacing_addresses(status)["podIPs"] == [{"$patch": "replace"}, {"ip": "10.244.1.7"}]
    later = pod_status(pod(), [record(Started(NOW))], AROUND, NOW + timedelta(seconds=9))
    assert status != later
    assert without_times(status) == without_times(later)


@pytest.mark.parametrize(
    ("kind", "policy", "code", "expected"),
    [
        (Kind.MAIN, "Always", 0, True),
        (Kind.MAIN, "OnFailure", 0, False),
        (Kind.MAIN, "OnFailure", 1, True),
        (Kind.MAIN, "Never", 1, False),
        (Kind.INIT, "Always", 0, False),
        (Kind.INIT, "Always", 1, True),
        (Kind.INIT, "Never", 1, False),
        (Kind.SIDECAR, "Never", 0, True),
    ],
)
def test_a_container_restarts_by_policy(kind: Kind, policy: str, code: int, expected: bool) -> None:
    assert should_restart(kind, policy, code) is expected


def test_restarts_come_slower_and_slower() -> None:
    delays = [restart_delay(crashes, 10.0) for crashes in range(8)]
    assert delays == [0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]


def test_a_probe_needs_its_thresholds_in_a_row() -> None:
    verdict = Verdict(Timing.of({"failureThreshold": 2, "successThreshold": 2}))
    looks = [True, True, False, True, False, False]
    assert [verdict.add(look) for look in looks] == [None, True, None, None, None, False]


def written(tmp_path: Path, text: bytes) -> Path:
    async def write() -> Path:
        stream = asyncio.StreamReader()
        stream.feed_data(text)
        stream.feed_eof()
        log = LogWriter(tmp_path / "c" / "0.log")
        await log.copy(stream, "stdout")
        log.close()
        return log.path

    return asyncio.run(write())


def shown(path: Path, **query: str) -> str:
    async def collect() -> bytes:
        options = LogOptions.from_query(query, datetime.now(UTC))
        return b"".join([piece async for piece in read(path, options, lambda: False)])

    return asyncio.run(collect()).decode()


def test_a_log_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    path = written(tmp_path, "one\n\ntwo words\nünterminated".encode())
    assert shown(path) == "one\n\ntwo words\nünterminated\n"
    assert shown(path, tailLines="1") == "ünterminated\n"
    assert shown(path, limitBytes="5") == "one\n\n"
    assert shown(path, follow="true") == shown(path)
    assert shown(path, sinceSeconds="3600") == shown(path)
    assert shown(path, sinceTime="2999-01-01T00:00:00Z") == ""


def test_timestamps_stand_before_each_line(tmp_path: Path) -> None:
    moment, text = shown(written(tmp_path, b"one\n"), timestamps="true").split(" ", 1)
    assert text == "one\n"
    assert datetime.fromisoformat(moment.replace("000Z", "+00:00")).tzinfo is UTC


def test_a_very_long_line_stays_one_line(tmp_path: Path) -> None:
    path = written(tmp_path, b"x" * 40_000 + b"\n")
    assert shown(path) == "x" * 40_000 + "\n"
    assert last_text(path).strip("x\n") == ""


def test_pod_addresses_are_not_used_again_at_once() -> None:
    pool = AddressPool(start=0)
    first = pool.take()
    pool.give_back(first)
    second = pool.take()
    assert (first, second) == ("10.244.1.1", "10.244.1.2")


def test_interface_names_fit() -> None:
    assert len(link_name("e5276c5d-f2d3-4d4f-a58c-c838956ccfcd")) <= 15


def test_nodes_are_ready_in_zones_of_their_own() -> None:
    found = places(3)
    assert [place.zone for place in found] == ["zone-a", "zone-b", "zone-c"]
    status = node_status(found[0], NOW, NOW)
    ready = next(entry for entry in status["conditions"] if entry["type"] == "Ready")
    assert ready["status"] == "True"
    with pytest.raises(ValueError, match="between 1 and 26"):
        places(0)


def test_the_same_happening_has_the_same_event_name() -> None:
    happening = Happening("Unhealthy", "Readiness probe failed", "c", warning=True)
    assert event_name("p", "u", happening) == event_name("p", "u", happening)
    assert event_name("p", "u", happening) != event_name("p", "v", happening)


def test_exit_codes_reach_kubectl() -> None:
    assert exit_status(0)["status"] == "Success"
    assert exit_status(3)["details"] == {"causes": [{"reason": "ExitCode", "message": "3"}]}


def seen(code: int | None) -> dict[str, Any]:
    """A container's state in a status: running, or ended with an exit code."""
    since = {"startedAt": "2026-05-01T11:00:00Z"}
    return {"running": since} if code is None else {"terminated": {**since, "exitCode": code}}


@pytest.mark.parametrize(
    ("policy", "state", "expected"),
    [
        pytest.param("Never", seen(None), "Failed", id="was-running-and-must-not-run-again"),
        pytest.param("Never", seen(3), "Failed", id="had-failed"),
        pytest.param("Never", seen(0), "Succeeded", id="had-succeeded"),
        pytest.param("OnFailure", seen(0), "Succeeded", id="had-succeeded-on-failure"),
        pytest.param("OnFailure", seen(None), "Running", id="was-running-and-runs-again"),
        pytest.param("OnFailure", seen(3), "Running", id="had-failed-and-runs-again"),
        pytest.param("Always", seen(0), "Running", id="always-runs-again"),
    ],
)
def test_what_a_restarted_node_makes_of_a_pod(
    policy: str, state: dict[str, Any], expected: str
) -> None:
    before = pod(policy, containerStatuses=[{"name": "c", "restartCount": 0, "state": state}])
    assert pod_status(before, records_of(before), AROUND, NOW)["phase"] == expected


def test_what_a_container_said_last_is_kept_over_a_restart_of_the_node() -> None:
    state = seen(2)
    state["terminated"] |= {"message": "no such bucket", "finishedAt": "2026-05-01T11:00:09Z"}
    (found,) = records_of(pod("Never", containerStatuses=[{"name": "c", "state": state}]))
    assert isinstance(found.state, Terminated)
    assert found.state.message == "no such bucket"
    assert (NOW - found.state.finished_at) == timedelta(minutes=59, seconds=51)


@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
@pytest.mark.parametrize(("code", "expected"), [(0, "Succeeded"), (143, "Failed")])
def test_a_deleted_pod_ends_as_its_containers_did(policy: str, code: int, expected: str) -> None:
    over = Surroundings("h", is_over=True)
    assert pod_status(pod(policy), [record(ended(code))], over, NOW)["phase"] == expected


def test_a_finished_pod_stays_as_it_was_after_the_node_itself_restarted() -> None:
    over = {"exitCode": 0, "reason": "Completed", "startedAt": "2026-05-01T11:00:00Z"}
    entry = {"name": "c", "restartCount": 1, "state": {"terminated": over}}
    (found,) = records_of(pod("Never", phase="Succeeded", containerStatuses=[entry]))
    assert found.restart_count == 1
    assert found.has_succeeded
