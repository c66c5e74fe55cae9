"""What a function answers over HTTP, through the real functions-framework application.

Knative acts on the status alone: 2xx is done, 409 and 503 are delivered again, 400 goes to the
dead letter sink, and a 2xx with a body that is no event becomes 502.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import functions_framework
import pytest

from functions.api.errors import Conflict, FieldConflict, Refused, Unavailable
from functions.api.kinds import CLUSTER, CONFIG_MAP, Ref
from functions.runtime.function import connected
from tests.expected import TESTS

EVENTS = TESTS / "events"
NAMES = [line.split(":")[0] for line in (TESTS.parent / "Procfile").read_text().splitlines()]
CLUSTER_FUNCTIONS = ("reconcile-cluster", "scale", "roll", "observe")
STRUCTURED = "application/cloudevents+json"

Client = Any


@pytest.fixture(scope="module")
def _applications() -> dict[str, Client]:
    return {}


@pytest.fixture
def client_of(
    simulation: Any, _applications: dict[str, Client]
) -> Iterator[Callable[[str], Client]]:
    """Gives the client of a function, as its line of the Procfile serves it, on the simulation."""

    def client(name: str) -> Client:
        if name not in _applications:
            target = name.replace("-", "_")
            source = TESTS.parent / "functions" / f"{target}.py"
            application = functions_framework.create_app(target, str(source))  # type: ignore[no-untyped-call]
            _applications[name] = application.test_client()
        return _applications[name]

    with connected(simulation.world()):
        yield client


def _headers(sample: str) -> dict[str, str]:
    lines = (EVENTS / f"{sample}.headers").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines)


def _is_quiet(answer: Any) -> bool:
    """Whether nothing of the inside shows: no traceback, no file name, no page of HTML."""
    return not any(word in answer.text for word in ("Traceback", ".py", "File ", "<html", "<!doc"))


SUFFIXES = (
    "", "-owned", "-claim", "-all", "-no-object", "-role", "-asked", "-job", "-cron-job",
)  # fmt: skip
SAMPLES = [
    pytest.param(name, path.stem, id=path.stem)
    for name in NAMES
    for path in sorted(EVENTS.glob("*.json"))
    if path.stem.removeprefix(name) in SUFFIXES
]  # fmt: skip


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_each_sample_is_done_in_structured_and_in_binary_mode(
    client_of: Callable[[str], Client], simulation: Any, name: str, sample: str
) -> None:
    simulation.apply("small", "default", replicas=1)
    body = (EVENTS / f"{sample}.json").read_bytes()
    structured = client_of(name).post("/", data=body, content_type=STRUCTURED)
    data = (EVENTS / f"{sample}.data").read_bytes()
    binary = client_of(name).post("/", data=data, headers=_headers(sample))
    assert (structured.status_code, structured.data) == (204, b"")
    assert (binary.status_code, binary.data) == (204, b"")


def test_every_sample_is_sent_to_a_function() -> None:
    assert {parameters.id for parameters in SAMPLES} == {p.stem for p in EVENTS.glob("*.json")}


@pytest.mark.parametrize("sample", sorted(path.stem for path in EVENTS.glob("*.json")))
def test_both_forms_of_a_sample_say_the_same(sample: str) -> None:
    structured = json.loads((EVENTS / f"{sample}.json").read_text())
    data = structured.pop("data")
    headers = _headers(sample)
    assert headers.pop("Content-Type") == structured.pop("datacontenttype")
    assert {key.removeprefix("ce-"): value for key, value in headers.items()} == structured
    assert json.loads((EVENTS / f"{sample}.data").read_text()) == data


def test_an_event_whose_sender_has_hung_up_is_left_to_its_next_delivery(
    client_of: Callable[[str], Client], simulation: Any
) -> None:
    simulation.apply("small", "default", replicas=1)
    body = (EVENTS / "reconcile-cluster.json").read_bytes()

    def post(connection: socket.socket) -> int:
        over = {"gunicorn.socket": connection}
        client = client_of("reconcile-cluster")
        answer = client.post("/", data=body, content_type=STRUCTURED, environ_overrides=over)
        return int(answer.status_code)

    applied = len(simulation.kube.writes)
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        assert post(ours) == 503
        assert len(simulation.kube.writes) == applied
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert post(ours) == 204
        assert len(simulation.kube.writes) > applied


def test_an_event_that_queued_while_its_cluster_was_looked_at_needs_no_look(
    client_of: Callable[[str], Client], simulation: Any
) -> None:
    simulation.apply("small", "default", replicas=1)
    config = Ref(CONFIG_MAP, "default", "small-config")
    body = (EVENTS / "reconcile-cluster.json").read_bytes()

    def post_on(connection: socket.socket) -> None:
        over = {"gunicorn.socket": connection}
        client = client_of("reconcile-cluster")
        answer = client.post("/", data=body, content_type=STRUCTURED, environ_overrides=over)
        assert answer.status_code == 204

    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as sender,
        listener.accept()[0] as ours,
    ):
        sender.sendall(body)
        threading.Event().wait(0.1)  # It queues.
        post_on(ours)
        simulation.kube.delete(config, uid=simulation.kube.get(config)["metadata"]["uid"])
        post_on(ours)
        assert simulation.kube.get(config) is None, "it had arrived before that look began"
        sender.sendall(body)
        post_on(ours)
        assert simulation.kube.get(config) is not None, "this one came later"


NO_EVENTS = [
    pytest.param(b"", {}, id="nothing-at-all"),
    pytest.param(b"{}", {"Content-Type": "application/json"}, id="json-without-attributes"),
    pytest.param(b"{", {"Content-Type": STRUCTURED}, id="half-a-structured-event"),
    pytest.param(b"[]", {"Content-Type": STRUCTURED}, id="structured-list"),
    pytest.param(b"null", {"Content-Type": STRUCTURED}, id="structured-null"),
    pytest.param(b"\xff\xfe", {"Content-Type": STRUCTURED}, id="structured-bytes"),
    pytest.param(
        b'{"specversion":"9","id":"1","type":"t","source":"s"}',
        {"Content-Type": STRUCTURED},
        id="unknown-specversion",
    ),
    pytest.param(
        b"[]", {"Content-Type": "application/cloudevents-batch+json"}, id="batch-is-not-taken"
    ),
    pytest.param(b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, id="form"),
    pytest.param(b"<a/>", {"Content-Type": "text/xml"}, id="xml"),
    pytest.param(
        b"{}",
        {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s"},
        id="binary-without-type",
    ),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("body", "headers"), NO_EVENTS)
def test_what_is_no_event_is_refused_for_good_and_does_no_damage(
    client_of: Callable[[str], Client],
    simulation: Any,
    name: str,
    body: bytes,
    headers: dict[str, str],
) -> None:
    answer = client_of(name).post("/", data=body, headers=headers)
    assert answer.status_code == 400
    assert answer.text.endswith(".")
    assert _is_quiet(answer)
    assert simulation.kube.writes == []


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
@pytest.mark.parametrize("name", NAMES)
def test_only_post_is_taken(client_of: Callable[[str], Client], name: str, method: str) -> None:
    answer = getattr(client_of(name), method)("/")
    assert answer.status_code == 405
    assert _is_quiet(answer)


@pytest.mark.parametrize("megabytes", [2, 10, 11])
def test_a_body_of_megabytes_is_refused_for_good(
    client_of: Callable[[str], Client], simulation: Any, megabytes: int
) -> None:
    body = b'{"a":"' + b"x" * megabytes * 2**20 + b'"}'
    answer = client_of("observe").post("/", data=body, headers=_headers("observe"))
    assert answer.status_code == 400
    assert len(answer.data) < 1000
    assert simulation.kube.writes == []


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[1]"], ids=repr)
def test_the_data_of_an_event_is_never_read(
    client_of: Callable[[str], Client], simulation: Any, data: bytes
) -> None:
    simulation.apply("small", "default", replicas=1)
    answer = client_of("scale").post("/", data=data, headers=_headers("scale"))
    assert answer.status_code == 204
    assert simulation.cluster("small", "default").status.bootstrap is not None


def _about(**attributes: str) -> bytes:
    event = json.loads((EVENTS / "observe.json").read_text())
    return json.dumps({**event, **attributes}).encode()


@pytest.mark.parametrize("name", CLUSTER_FUNCTIONS)
@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        pytest.param({"type": "com.example.other"}, 400, id="foreign-type"),
        pytest.param({"type": "dev.knative.sources.ping"}, 400, id="a-ping"),
        pytest.param({"name": ""}, 400, id="no-name"),
        pytest.param({"kind": ""}, 400, id="no-kind"),
        pytest.param({"kind": "Node"}, 204, id="unknown-kind"),
        pytest.param({"apiversion": "v9"}, 204, id="unknown-version-of-a-kind"),
        pytest.param({"name": "gone-7"}, 204, id="pod-of-no-cluster"),
        pytest.param({"namespace": "elsewhere"}, 204, id="namespace-without-clusters"),
        pytest.param(
            {
                "kind": "ZooKeeperCluster",
                "apiversion": "zookeeper.example.com/v1alpha1",
                "name": "gone",
            },
            204,
            id="cluster-that-is-gone",
        ),
    ],
)
def test_an_event_about_nothing_of_ours_changes_nothing(
    client_of: Callable[[str], Client],
    simulation: Any,
    name: str,
    attributes: dict[str, str],
    status: int,
) -> None:
    """Guards against G27: a cluster that is gone is not looked up again and again."""
    simulation.apply("small", "default", replicas=1)
    before = len(simulation.kube.writes)
    answer = client_of(name).post("/", data=_about(**attributes), content_type=STRUCTURED)
    assert answer.status_code == status
    assert _is_quiet(answer)
    assert bool(answer.data) == (status != 204)
    assert len(simulation.kube.writes) == before


def test_resync_takes_pings_alone(client_of: Callable[[str], Client], simulation: Any) -> None:
    answer = client_of("resync").post("/", data=_about(), content_type=STRUCTURED)
    assert (answer.status_code, simulation.sent) == (400, [])


@pytest.mark.parametrize("name", CLUSTER_FUNCTIONS)
@pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(Conflict("changed meanwhile"), 409, id="conflict"),
        pytest.param(Unavailable("timed out"), 503, id="unreachable"),
        pytest.param(Refused("forbidden"), 204, id="refused"),
        pytest.param(RuntimeError("bug"), 500, id="bug"),
    ],
)
def test_a_failed_call_is_answered_as_knative_needs_it(
    client_of: Callable[[str], Client], simulation: Any, name: str, error: Exception, status: int
) -> None:
    """Guards against G25: waiting and conflicts are told from errors."""
    simulation.apply("small", "default", replicas=1)
    simulation.faults.reset()
    for call in range(1, 40):  # More than all tries together make.
        simulation.faults.fail_at(call, error)
    answer = client_of(name).post("/", data=_cluster_event(), content_type=STRUCTURED)
    assert answer.status_code == status
    assert _is_quiet(answer)
    assert bool(answer.data) == (status != 204)


def _cluster_event() -> bytes:
    return (EVENTS / "scale.json").read_bytes()


def test_a_conflict_is_planned_again_before_the_sender_is_told(
    client_of: Callable[[str], Client], simulation: Any
) -> None:
    simulation.apply("small", "default", replicas=1)
    simulation.faults.reset()
    simulation.faults.fail_at(2, Conflict("changed meanwhile"))
    answer = client_of("scale").post("/", data=_cluster_event(), content_type=STRUCTURED)
    assert answer.status_code == 204
    assert simulation.cluster("small", "default").status.bootstrap is not None


def test_a_bug_is_logged_once_with_its_traceback_and_nothing_of_it_is_sent(
    client_of: Callable[[str], Client], simulation: Any, caplog: pytest.LogCaptureFixture
) -> None:
    simulation.apply("small", "default", replicas=1)
    simulation.faults.reset()
    simulation.faults.fail_at(1, ZeroDivisionError("the secret cause"))
    with caplog.at_level(logging.WARNING):
        answer = client_of("observe").post("/", data=_cluster_event(), content_type=STRUCTURED)
    assert (answer.status_code, answer.text) == (500, "observe failed: see its log.")
    told = [record for record in caplog.records if record.exc_info]
    assert [record.message for record in told] == ["bug"]
    assert "the secret cause" in str(told[0].exc_info)


def test_two_of_our_functions_writing_one_field_is_a_bug(
    client_of: Callable[[str], Client], simulation: Any
) -> None:
    simulation.apply("small", "default", replicas=1)
    simulation.faults.reset()
    clash = FieldConflict("conflicts with scale: .status.service", frozenset({"scale"}))
    simulation.faults.fail_at(3, clash)
    answer = client_of("observe").post("/", data=_cluster_event(), content_type=STRUCTURED)
    assert answer.status_code == 500
    assert _is_quiet(answer)


def test_fields_that_a_stranger_wrote_are_taken_back(
    client_of: Callable[[str], Client], simulation: Any
) -> None:
    simulation.apply("small", "default", replicas=1)
    stolen = {"metadata": {"name": "small", "namespace": "default"}, "status": {"replicas": 99}}
    manifest = {"apiVersion": "zookeeper.example.com/v1alpha1", "kind": "ZooKeeperCluster"}
    simulation.kube.apply({**manifest, **stolen}, manager="stranger", subresource="status")
    client_of("observe").post("/", data=_cluster_event(), content_type=STRUCTURED)
    assert simulation.cluster("small", "default").status.replicas == 1


def test_a_spec_that_cannot_be_followed_is_a_condition_and_not_a_retry(
    client_of: Callable[[str], Client], simulation: Any
) -> None:
    """Guards against C14 and G6: missing or wrong fields that end in a panic."""
    simulation.apply("small", "default", replicas=0)
    for name in CLUSTER_FUNCTIONS:
        answer = client_of(name).post("/", data=_cluster_event(), content_type=STRUCTURED)
        assert (answer.status_code, answer.data) == (204, b"")
    found = simulation.kube.list(CLUSTER, None)
    reconciled = found[0]["status"]["conditions"]
    assert [(c["type"], c["status"], c["reason"]) for c in reconciled] == [
        ("Reconciled", "False", "InvalidSpec")
    ]
    assert "replicas" in reconciled[0]["message"]


def test_the_samples_folder_holds_nothing_else() -> None:
    found = {path.suffix for path in Path(EVENTS).iterdir()}
    assert found == {".json", ".headers", ".data"}
