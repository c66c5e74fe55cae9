"""Replays what was recorded of real Knative Eventing, and compares what subscribers received.

The manifests and the actions are those of the recordings' README; the servers are a real API
server and the laptop's eventing part as a process.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from tests.contract.api_server import ApiServer
from tests.contract.eventing_server import Recorder, Request, eventing_command, lines, recorder
from tests.contract.processes import free_ports, running, until

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
    """What the replay brought: the requests, and when each thing was done."""

    recorder: Recorder
    api: str
    done: Mapping[str, float]


@pytest.fixture(scope="module")
def replayed(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    """Do what the recorded run did, on our own platform, once for all tests here."""
    state = tmp_path_factory.mktemp("eventing")
    command = eventing_command(api_server.kubeconfig, state, free_ports(3))
    with recorder() as subscriber, running(command, state / "eventing.log"):
        _set_up(api_server, subscriber.url)
        done = _act(api_server, subscriber)
        yield Replayed(subscriber, api_server.url, done)


def _set_up(api: ApiServer, subscriber: str) -> None:
    until(lambda: _kinds_are_served(api), "the eventing kinds are served")
    api.call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    _allow(api)
    api.call("POST", CONFIG_MAPS, _config_map("existing", "0"))
    api.call("POST", f"{EVENTING}/brokers", _object("eventing", "Broker", "b", {}))
    for manifest in _triggers(subscriber):
        api.call("POST", f"{EVENTING}/triggers", manifest)
    api.call("POST", f"{SOURCES}/apiserversources", _api_source())
    api.call("POST", f"{SOURCES}/pingsources", _ping_source())
    for path in (f"{EVENTING}/brokers", f"{EVENTING}/triggers", f"{SOURCES}/apiserversources"):
        until(lambda path=path: _all_ready(api, path), f"all of {path} are Ready")  # type: ignore[misc]


def _kinds_are_served(api: ApiServer) -> bool:
    return _kinds_of(api, "eventing.knative.dev") >= {"Broker", "Trigger"} and _kinds_of(
        api, "sources.knative.dev"
    ) >= {"ApiServerSource", "PingSource"}


def _kinds_of(api: ApiServer, group: str) -> set[str]:
    try:
        answer = api.call("GET", f"/apis/{group}/v1")
    except ValueError:
        return set()  # a group that is not served yet is a 404 in plain text
    return {one["kind"] for one in answer["resources"]}


def _allow(api: ApiServer) -> None:
    access = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}"
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "src"}
    subject = {"kind": "ServiceAccount", "name": "src", "namespace": NAMESPACE}
    api.call("POST", f"{access}/roles", {"metadata": {"name": "src"}, "rules": [rule]})
    binding = {"metadata": {"name": "src"}, "roleRef": role, "subjects": [subject]}
    api.call("POST", f"{access}/rolebindings", binding)


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
    return _object("eventing", "Trigger", f"t-{name}", spec)


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
    return _object("sources", "ApiServerSource", "s", spec)


def _ping_source() -> dict[str, Any]:
    spec = {
        "schedule": "*/5 * * * * *",
        "contentType": "application/json",
        "data": '{"reason":"resync"}',
        "ceOverrides": {"extensions": {"purpose": "resync"}},
        "sink": _broker_reference(),
    }
    return _object("sources", "PingSource", "p", spec)


def _broker_reference() -> dict[str, Any]:
    return {"ref": {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "b"}}


def _object(group: str, kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": f"{group}.knative.dev/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": dict(spec),
    }


def _config_map(name: str, value: str, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    chosen = {"rec": "1"} if labels is None else dict(labels)
    return {"metadata": {"name": name, "labels": chosen}, "data": {"v": value}}


def _all_ready(api: ApiServer, path: str) -> bool:
    items = api.call("GET", path)["items"]
    return all(
        any(
            one["type"] == "Ready" and one["status"] == "True"
            for one in (item.get("status") or {}).get("conditions") or []
        )
        for item in items
    )


def _act(api: ApiServer, subscriber: Recorder) -> dict[str, float]:
    done: dict[str, float] = {}
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
        done[name] = time.monotonic()
        api.call("POST", CONFIG_MAPS, _config_map(name, "1"))
        # The Broker waits for every Trigger, and its source for the Broker.
        heard(1)
    until(lambda: subscriber.to("/replied"), "the reply is delivered")
    expected = sum(one.path == "/dls" for one in RECORDED)
    until(lambda: len(subscriber.to("/dls")) >= expected, f"{expected} dead letters")
    return done


RECORDED = [
    Request(line["t"], line["path"], line["headers"], line["body"])
    for line in lines("knative-deliveries.jsonl")
    if "path" in line
]


def _shape(request: Request, ours: Replayed | None = None) -> dict[str, Any]:
    """Return what must be equal in every run: the path, the stable headers and the body."""
    base, api = (ours.recorder.url, ours.api) if ours else (RECORDED_SUBSCRIBER, RECORDED_API)
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
