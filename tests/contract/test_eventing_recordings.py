"""Replays what was recorded of real Knative Eventing, and compares what subscribers received.

The manifests and the actions are those of the recordings' README; the servers are a real API
server and the laptop's eventing part as a process.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from tests.contract.api_server import ApiServer
from tests.contract.eventing_server import (
    RECORDINGS,
    Recorder,
    Request,
    all_ready,
    allow_config_maps,
    eventing,
    lines,
    manifest,
    recorder,
)
from tests.contract.processes import until

pytestmark = pytest.mark.contract

NOISE_SECONDS = 0.15
RECORDED_SUBSCRIBER = "http://10.244.0.1:9100"
RECORDED_API = "https://10.244.0.1:6443"
NAMESPACE = "rec"
NAMES = (
    "body",
    "json",
    "empty",
    "fail500",
    "linear",
    "fail400",
    "fail409",
    "fail503",
    "slow",
    "reply",
)
CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
EVENTING = f"/apis/eventing.knative.dev/v1/namespaces/{NAMESPACE}"
SOURCES = f"/apis/sources.knative.dev/v1/namespaces/{NAMESPACE}"
# Different in every run, or about the transport only.
FRESH = {"ce-id", "ce-time", "ce-knativearrivaltime", "ce-source", "ce-knativeerrordest"}
TRANSPORT = {"host", "accept-encoding", "user-agent", "connection", "content-length"}


@dataclass(frozen=True, slots=True)
class Replayed:
    """What the replay brought: the requests and the objects."""

    recorder: Recorder
    api: ApiServer


@pytest.fixture(scope="module")
def replayed(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    """Do what the recorded run did, on our own platform, once for all tests here."""
    folder = tmp_path_factory.mktemp("eventing")
    with recorder() as subscriber, eventing(api_server, folder):
        _set_up(api_server, subscriber.url)
        _act(api_server, subscriber)
        yield Replayed(subscriber, api_server)


def _set_up(api: ApiServer, subscriber: str) -> None:
    # Another module may have made it before.
    api.ask("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    allow_config_maps(api, NAMESPACE, "src")
    api.call("POST", CONFIG_MAPS, _config_map("existing", "0"))
    api.call("POST", f"{EVENTING}/brokers", manifest("eventing", "Broker", _meta("b"), {}))
    for trigger in _triggers(subscriber):
        api.call("POST", f"{EVENTING}/triggers", trigger)
    api.call("POST", f"{SOURCES}/apiserversources", _api_source())
    api.call("POST", f"{SOURCES}/pingsources", _ping_source())
    for path in (f"{EVENTING}/brokers", f"{EVENTING}/triggers", f"{SOURCES}/apiserversources"):
        until(lambda path=path: all_ready(api, path), f"all of {path} are Ready")  # type: ignore[misc]


def _triggers(subscriber: str) -> list[dict[str, Any]]:
    delivery = {
        "retry": 3,
        "backoffPolicy": "exponential",
        "backoffDelay": "PT0.2S",
        "timeout": "PT0.5S",
        "deadLetterSink": {"uri": f"{subscriber}/dls"},
    }
    manifests = []
    for name in NAMES:
        policy = "linear" if name == "linear" else "exponential"
        path = "/fail500" if name == "linear" else f"/{name}"
        manifests.append(
            _trigger(
                name,
                {"exact": {"kind": "ConfigMap", "name": name}},
                subscriber + path,
                {**delivery, "backoffPolicy": policy},
            )
        )
    return [
        *manifests,
        _trigger("all", {"prefix": {"type": "dev.knative.apiserver"}}, f"{subscriber}/all"),
        _trigger("replied", {"exact": {"type": "rec.reply"}}, f"{subscriber}/replied"),
        _trigger("ping", {"exact": {"type": "dev.knative.sources.ping"}}, f"{subscriber}/ping"),
    ]


def _trigger(
    name: str, match: Mapping[str, Any], uri: str, delivery: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    spec: dict[str, Any] = {"broker": "b", "filters": [match], "subscriber": {"uri": uri}}
    if delivery:
        spec["delivery"] = delivery
    return manifest("eventing", "Trigger", _meta(f"t-{name}"), spec)


def _api_source() -> dict[str, Any]:
    selector = {"matchLabels": {"rec": "1"}}
    resource = {"apiVersion": "v1", "kind": "ConfigMap", "selector": selector}
    spec = {
        "serviceAccountName": "src",
        "mode": "Reference",
        "resources": [resource],
        "ceOverrides": {"extensions": {"origin": "rec"}},
        "sink": _broker_reference(),
    }
    return manifest("sources", "ApiServerSource", _meta("s"), spec)


def _ping_source() -> dict[str, Any]:
    spec = {
        "schedule": "*/5 * * * * *",
        "contentType": "application/json",
        "data": '{"reason":"resync"}',
        "ceOverrides": {"extensions": {"purpose": "resync"}},
        "sink": _broker_reference(),
    }
    return manifest("sources", "PingSource", _meta("p"), spec)


def _broker_reference() -> dict[str, Any]:
    return {"ref": {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "b"}}


def _meta(name: str) -> dict[str, str]:
    return {"name": name, "namespace": NAMESPACE}


def _config_map(name: str, value: str, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    chosen = {"rec": "1"} if labels is None else dict(labels)
    return {"metadata": {"name": name, "labels": chosen}, "data": {"v": value}}


def _act(api: ApiServer, subscriber: Recorder) -> None:
    path = f"{CONFIG_MAPS}/a"
    seen = 0

    def heard(count: int) -> None:
        nonlocal seen
        seen += count
        until(lambda: len(subscriber.to("/all")) >= seen, f"{seen} events at /all")

    api.call("POST", CONFIG_MAPS, _config_map("a", "1"))
    heard(1)
    api.call("PUT", path, _config_map("a", "2"))
    heard(1)
    api.call("PUT", path, _config_map("a", "2"))
    api.call("PUT", path, _config_map("a", "2", {}))
    heard(1)
    api.call("PUT", path, _config_map("a", "2"))
    heard(1)
    api.call("DELETE", path)
    heard(1)
    for name in NAMES:
        api.call("POST", CONFIG_MAPS, _config_map(name, "1"))
        # The Broker waits for every Trigger, and its source for the Broker.
        heard(1)
    until(lambda: subscriber.to("/replied"), "the reply is delivered")
    expected = sum(one.path == "/dls" for one in RECORDED)
    until(lambda: len(subscriber.to("/dls")) >= expected, f"{expected} dead letters")


RECORDED = [
    Request(line["t"], line["path"], line["headers"], line["body"])
    for line in lines("knative-deliveries.jsonl")
    if "path" in line
]


def _shape(request: Request, ours: Replayed | None = None) -> dict[str, Any]:
    """Return what must be equal in every run: the path, the stable headers and the body."""
    base, api = (ours.recorder.url, ours.api.url) if ours else (RECORDED_SUBSCRIBER, RECORDED_API)
    headers = {
        name: value
        for name, value in request.headers.items()
        if name not in FRESH and name not in TRANSPORT
    }
    present = sorted(set(request.headers) & FRESH)
    where = request.headers.get("ce-knativeerrordest", "").removeprefix(base)
    source = request.headers["ce-source"].removeprefix(api)
    return {
        "path": request.path,
        "headers": headers,
        "fresh": present,
        "dest": where,
        "source": source,
        "body": json.loads(request.body),
    }


@pytest.mark.parametrize("name", ["a", *NAMES])
def test_an_object_makes_the_recorded_requests_in_the_recorded_order(
    replayed: Replayed, name: str
) -> None:
    """For each path the same requests, with the same attributes, body and delivery headers."""
    for path in sorted({request.path for request in RECORDED if request.path != "/ping"}):
        wanted = [_shape(one) for one in RECORDED if (one.name, one.path) == (name, path)]
        seen = [
            _shape(one, replayed)
            for one in list(replayed.recorder.requests)
            if (one.name, one.path) == (name, path)
        ]
        assert seen == wanted


def test_nothing_is_sent_for_an_object_that_existed_before_the_source(replayed: Replayed) -> None:
    assert not [one for one in replayed.recorder.requests if one.name == "existing"]


def test_the_reply_is_delivered_as_recorded(replayed: Replayed) -> None:
    wanted = [_shape(one) for one in RECORDED if one.path == "/replied"]
    assert [_shape(one, replayed) for one in replayed.recorder.to("/replied")] == wanted


@pytest.mark.parametrize("name", NAMES)
def test_retries_and_the_dead_letter_come_when_recorded(replayed: Replayed, name: str) -> None:
    """Times are counted from the first request about the object."""
    path = "/fail500" if name == "linear" else f"/{name}"

    def times(requests: list[Request]) -> list[float]:
        found = [one.t for one in requests if one.name == name and one.path in (path, "/dls")]
        return [t - found[0] for t in found]

    wanted, seen = times(RECORDED), times(replayed.recorder.requests)
    assert seen == pytest.approx(wanted, abs=NOISE_SECONDS)


def test_a_retry_carries_the_same_event(replayed: Replayed) -> None:
    for name in NAMES:
        about = [one for one in replayed.recorder.requests if one.name == name]
        about = [one for one in about if one.path != "/replied"]
        assert len({one.headers["ce-id"] for one in about}) == 1


def test_pings_come_on_the_schedule_with_a_jitter_below_half_a_second(replayed: Replayed) -> None:
    wanted = _shape(next(one for one in RECORDED if one.path == "/ping"))
    until(lambda: len(replayed.recorder.to("/ping")) >= 2, "two pings")
    pings = replayed.recorder.to("/ping")
    assert all(_shape(one, replayed) == wanted for one in pings)
    for ping in pings:
        second = float(ping.headers["ce-time"][17:].removesuffix("Z"))
        assert second % 5 < 0.5 + NOISE_SECONDS
    gaps = [after.t - before.t for before, after in pairwise(pings)]
    assert all(4.5 - NOISE_SECONDS < gap < 5.5 + NOISE_SECONDS for gap in gaps)


OBJECTS = {
    (item["kind"], item["metadata"]["name"]): item
    for item in json.loads((RECORDINGS / "knative-objects.json").read_text())
    if item["kind"] != "Deployment"
}
PATHS = {
    "Broker": f"{EVENTING}/brokers",
    "Trigger": f"{EVENTING}/triggers",
    "ApiServerSource": f"{SOURCES}/apiserversources",
    "PingSource": f"{SOURCES}/pingsources",
}


def _stable(item: Mapping[str, Any], subscriber: str, api: str) -> dict[str, Any]:
    """Return what of an object must be equal in every run."""
    annotations = dict(item["metadata"]["annotations"])
    annotations.pop("kubectl.kubernetes.io/last-applied-configuration", None)
    chosen = {
        "annotations": annotations,
        "labels": item["metadata"].get("labels"),
        "spec": item["spec"],
        "status": item["status"],
    }
    text = json.dumps(chosen).replace(subscriber, "http://subscriber").replace(api, "https://api")
    stable: dict[str, Any] = json.loads(text)
    for condition in stable["status"]["conditions"]:
        del condition["lastTransitionTime"]
    return stable


@pytest.mark.parametrize(("kind", "name"), OBJECTS)
def test_an_object_gets_the_recorded_defaults_and_status(
    replayed: Replayed, kind: str, name: str
) -> None:
    wanted = _stable(OBJECTS[kind, name], RECORDED_SUBSCRIBER, RECORDED_API)
    seen = replayed.api.call("GET", f"{PATHS[kind]}/{name}")
    assert _stable(seen, replayed.recorder.url, replayed.api.url) == wanted
