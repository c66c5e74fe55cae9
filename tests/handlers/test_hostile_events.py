"""Requests that mean harm, at every function: each is answered, and changes no other object."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import functions_framework
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from functions.runtime.function import connected

TESTS = Path(__file__).parents[1]
EVENTS = TESTS / "events"
STRUCTURED = "application/cloudevents+json"
FUNCTIONS = [line.split(":")[0] for line in (TESTS.parent / "Procfile").read_text().splitlines()]

# Everything is as it was for each request, so that what one of them breaks shows at the next.
TOGETHER = (HealthCheck.function_scoped_fixture,)
QUICK = settings(max_examples=6, deadline=None, suppress_health_check=TOGETHER)
LONG = settings(max_examples=500, deadline=None, suppress_health_check=TOGETHER)

SHARP = (
    "", " ", "..", ".", "/", "a/b", "%2e%2e", "small\n", "small/status", "small?force=true",
    "SMALL", "*", "x" * 300, "x" * 5000, "é", "\u2028", "😀", "null", "0", "-1", "'", '"', "${x}",
    "$(x)", "%s", "kube-system", "default/../other", "zk-\u0663",
    "00-" + "f" * 32 + "-" + "f" * 16 + "-01",
    "\x7f", "{}", "1.0",
)  # fmt: skip
NAMES = (
    "specversion", "id", "type", "source", "subject", "apiversion", "kind", "name", "namespace",
    "time", "traceparent", "tracestate", "role", "datacontenttype", "dataschema", "purpose",
    "knativeerrordest", "knativeerrorcode", "knativeerrordata", "data", "data_base64", "Name", "x",
)  # fmt: skip
ODD: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from((None, True, 0, -1, 1e308, [], {}, [[]], {"name": "small"}, ["small"])),
    st.sampled_from(SHARP),
    st.text(max_size=20),
)
SAMPLES = sorted(path.stem for path in EVENTS.glob("*.json"))
CHANGES = st.tuples(
    st.sampled_from(SAMPLES), st.dictionaries(st.sampled_from(NAMES), ODD, max_size=3)
)
BODIES = st.one_of(
    st.binary(max_size=100),
    st.sampled_from(
        (b"[" * 5000, b'{"a":' * 5000, b"\xff\xfe{}", b"null", b"9" * 5000, b'"', b"{}" * 50)
    ),
)
TYPES = st.sampled_from(
    (STRUCTURED, "application/json", "application/cloudevents-batch+json", "text/plain",
     "application/cloudevents+json; charset=utf-16", "application/cloudevents+json; charset=no",
     "application/cloudevents+avro", "", "x" * 500)
)  # fmt: skip

Post = Callable[..., Any]


@pytest.fixture(scope="module")
def _clients() -> dict[str, Any]:
    clients = {}
    for name in FUNCTIONS:
        target = name.replace("-", "_")
        source = TESTS.parent / "functions" / f"{target}.py"
        clients[name] = functions_framework.create_app(target, str(source)).test_client()  # type: ignore[no-untyped-call]
    return clients


@pytest.fixture
def post_all(simulation: Any, _clients: dict[str, Any]) -> Iterator[Callable[..., None]]:
    """Sends one request to every function and holds what came of it against the law."""
    for namespace in ("default", "other"):
        simulation.apply("small", namespace, replicas=1)

    def send(namespace: str | None, data: bytes, headers: dict[str, str]) -> None:
        for name, client in _clients.items():
            before = len(simulation.kube.writes)
            answer = client.post("/", data=data, headers=headers)
            assert answer.status_code in (204, 400), (name, answer.status_code, answer.text[:300])
            assert bool(answer.data) == (answer.status_code == 400)
            assert len(answer.data) < 20_000
            assert "Traceback" not in answer.text
            touched = {write.ref.namespace for write in simulation.kube.writes[before:]}
            assert touched <= {namespace}, (name, touched)

    with connected(simulation.world()):
        yield send


def _structured(sample: str, changes: dict[str, Any]) -> tuple[str | None, bytes, dict[str, str]]:
    event = {**json.loads((EVENTS / f"{sample}.json").read_text()), **changes}
    namespace = event.get("namespace")
    return (
        str(namespace) if namespace is not None else None,
        json.dumps(event).encode(),
        {"Content-Type": STRUCTURED},
    )


def _binary(
    sample: str, changes: dict[str, Any], data: bytes
) -> tuple[str | None, bytes, dict[str, str]]:
    lines = (EVENTS / f"{sample}.headers").read_text().splitlines()
    headers = dict(line.split(": ", 1) for line in lines)
    for name, value in changes.items():
        # What a header can be at all: a server refuses the others before a function sees them.
        text = "".join(c for c in str(value) if c.isprintable()).encode("latin-1", "replace")
        headers[f"ce-{name}"] = text.decode("latin-1")
    return headers.get("ce-namespace"), data, headers


@pytest.mark.thorough
@QUICK
@given(CHANGES)
@example(("observe", {"namespace": "other/../default"}))
@example(("observe", {"name": {"name": "small"}}))
@example(("observe", {"data_base64": "***"}))
def test_an_event_with_odd_attributes_does_what_it_names_or_nothing(
    post_all: Callable[..., None], changed: tuple[str, dict[str, Any]]
) -> None:
    post_all(*_structured(*changed))


@pytest.mark.thorough
@QUICK
@given(CHANGES, BODIES)
def test_an_event_with_odd_headers_does_what_it_names_or_nothing(
    post_all: Callable[..., None], changed: tuple[str, dict[str, Any]], data: bytes
) -> None:
    post_all(*_binary(*changed, data))


@QUICK
@given(BODIES, TYPES)
@example(b"[" * 5000, STRUCTURED)
@example(b'{"data":' + b"[" * 5000, STRUCTURED)
def test_a_body_of_anything_changes_nothing(
    post_all: Callable[..., None], data: bytes, kind: str
) -> None:
    post_all(None, data, {"Content-Type": kind})


@pytest.mark.soak
@LONG
@given(CHANGES, BODIES, TYPES)
def test_none_of_many_requests_reaches_beyond_its_object(
    post_all: Callable[..., None], changed: tuple[str, dict[str, Any]], data: bytes, kind: str
) -> None:
    post_all(*_structured(*changed))
    post_all(*_binary(*changed, data))
    post_all(None, data, {"Content-Type": kind})
