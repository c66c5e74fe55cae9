"""Requests that are no events, or not for us: the right answer, no traceback, no damage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local.platform.handle import Platform
from tests.system.clusters import BROKER, FUNCTIONS, FUNCTIONS_NAMESPACE, Cluster

pytestmark = pytest.mark.system

SAMPLES = Path(__file__).parents[1] / "events"
CLUSTER_FUNCTIONS = ("reconcile-cluster", "observe", "scale", "roll")
EVENT: Mapping[str, str] = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "/tests",
    "ce-type": "dev.knative.apiserver.ref.update",
    "ce-apiversion": "zookeeper.example.com/v1alpha1",
    "ce-kind": "ZooKeeperCluster",
    "ce-namespace": "default",
    "ce-name": "gone",
    "Content-Type": "application/json",
}
STRUCTURED = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
MEGABYTES = 10


@dataclass(frozen=True, slots=True)
class Request:
    """One request and the status it gets from a function of one cluster, and from the Broker."""

    name: str
    of_function: int
    of_broker: int
    headers: Mapping[str, str] = field(default_factory=lambda: EVENT)
    body: str = "{}"
    method: str = "POST"


def _with(**changes: str) -> dict[str, str]:
    return {**EVENT, **{f"ce-{key}": value for key, value in changes.items()}}


def _without(name: str) -> dict[str, str]:
    return {key: value for key, value in EVENT.items() if key != name}


REQUESTS = (
    Request("get", 405, 405, method="GET", headers={}, body=""),
    Request("put", 405, 405, method="PUT"),
    Request("empty", 400, 400, headers={}, body=""),
    Request("no-id", 400, 400, headers=_without("ce-id")),
    Request("no-type", 400, 400, headers=_without("ce-type")),
    Request("other-specversion", 400, 400, headers=_with(specversion="9.9")),
    Request("foreign-type", 400, 202, headers=_with(type="com.example.order")),
    Request("no-object", 400, 202, headers=_without("ce-name")),
    Request("unknown-kind", 204, 202, headers=_with(kind="Teapot", apiversion="v1")),
    Request("object-that-is-gone", 204, 202),
    Request("json-that-is-none", 400, 400, headers=STRUCTURED, body="{not json"),
    Request("structured-list", 400, 400, headers=STRUCTURED, body="[]"),
    Request("structured-text", 400, 400, headers=STRUCTURED, body='"hello"'),
    Request("plain-text", 400, 400, headers={"Content-Type": "text/plain"}, body="hello"),
    Request("batch", 400, 400, headers=BATCH, body="[]"),
    Request("path-as-name", 400, 202, headers=_with(name="..%2F..%2Fsecrets%2Fx")),
    Request("no-namespace", 400, 202, headers=_without("ce-namespace")),
    Request("path-as-namespace", 400, 202, headers=_with(namespace="../../../../secrets")),
)


@pytest.fixture(scope="module", autouse=True)
def unharmed(product: Platform, shared_namespace: str) -> Iterator[Cluster]:
    """A cluster that nothing here may touch, and functions that nothing here may end."""
    cluster = Cluster(product, shared_namespace)
    cluster.apply()
    cluster.until_settled()
    before, started = cluster.get("zkcluster")["metadata"]["generation"], _starts(product)
    yield cluster
    cluster.until_settled()
    assert cluster.get("zkcluster")["metadata"]["generation"] == before
    assert _starts(product) == started
    for name in FUNCTIONS:
        said = product.kubectl("-n", FUNCTIONS_NAMESPACE, "logs", f"deployment/{name}").stdout
        assert "Traceback" not in said


@pytest.mark.parametrize("request_", [pytest.param(r, id=r.name) for r in REQUESTS])
def test_a_function_answers_what_is_no_event_for_it(product: Platform, request_: Request) -> None:
    for name in CLUSTER_FUNCTIONS:
        status, said = _send(product, _url(name), request_)
        assert (name, status) == (name, request_.of_function), said
        _has_no_traceback(said)
        assert bool(said) == (status >= 400), "a body that is no event is never sent with success"


@pytest.mark.parametrize("request_", [pytest.param(r, id=r.name) for r in REQUESTS])
def test_the_broker_answers_what_is_no_event(product: Platform, request_: Request) -> None:
    status, said = _send(product, BROKER, request_)
    assert status == request_.of_broker, said
    _has_no_traceback(said)


def test_resync_takes_ticks_only(product: Platform) -> None:
    status, said = _send(product, _url("resync"), Request("update", 400, 202))
    assert (status, "dev.knative.sources.ping" in said) == (400, True)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_body_of_ten_megabytes_is_refused_with_a_sentence(product: Platform, name: str) -> None:
    send = (
        f"head -c {MEGABYTES}000000 /dev/zero | curl {_flags(EVENT)} --data-binary @- {_url(name)}"
    )
    said, _, status = product.run("bash", "-c", send).stdout.rpartition("\n")
    assert status == "400"
    assert "at most" in said


@pytest.mark.parametrize("sample", sorted(path.stem for path in SAMPLES.glob("*.json")))
def test_sample_events_are_answered_in_both_modes(product: Platform, sample: str) -> None:
    """The README shows these two calls."""
    name = max((f for f in FUNCTIONS if sample.startswith(f)), key=len)
    binary = ("-H", f"@{SAMPLES / sample}.headers", "--data-binary", f"@{SAMPLES / sample}.data")
    whole = ("-H", "Content-Type: application/cloudevents+json")
    structured = (*whole, "--data-binary", f"@{SAMPLES / sample}.json")
    for mode in (binary, structured):
        answered = product.run("curl", "-sS", "-m", "20", "-w", "\n%{http_code}", *mode, _url(name))
        assert answered.stdout == "\n204"


def _url(function: str) -> str:
    return f"http://{function}.{FUNCTIONS_NAMESPACE}.svc.cluster.local/"


def _send(platform: Platform, url: str, request: Request) -> tuple[int, str]:
    headers = [word for key, value in request.headers.items() for word in ("-H", f"{key}: {value}")]
    body = ["--data-binary", request.body] if request.body else []
    words = ("curl", "-sS", "-m", "20", "-w", "\n%{http_code}", "-X", request.method)
    said = platform.run(*words, *headers, *body, url).stdout
    text, _, status = said.rpartition("\n")
    return int(status), text


def _flags(headers: Mapping[str, str]) -> str:
    named = " ".join(f"-H '{key}: {value}'" for key, value in headers.items())
    return f"-sS -m 20 -w '\\n%{{http_code}}' {named}"


def _has_no_traceback(said: str) -> None:
    assert "Traceback" not in said
    assert ".py" not in said


def _starts(platform: Platform) -> dict[str, str]:
    """Return when each container of the functions was started."""
    path = (
        r"jsonpath={range .items[*]}{.metadata.name} "
        r'{.status.containerStatuses[0].state.running.startedAt}{"\n"}{end}'
    )
    found = platform.kubectl("-n", FUNCTIONS_NAMESPACE, "get", "pods", "-o", path).stdout
    return dict(line.split() for line in found.splitlines())
