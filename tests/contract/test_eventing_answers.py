"""What the eventing part answers: the ingress, admission, both kinds of Broker, and faults.

The requests and manifests with a recording are judged as real Knative judged them.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.api_server import ApiServer, control_plane
from tests.contract.eventing_server import (
    EVENT,
    Eventing,
    Recorder,
    allow_config_maps,
    eventing,
    lines,
    post,
    recorder,
)
from tests.contract.processes import until

pytestmark = pytest.mark.contract

INGRESS = lines("knative-ingress.jsonl")
ADMISSION = lines("knative-admission.jsonl")
FIXED = {
    "apiVersion": "eventing.knative.dev/v1",
    "kind": "Trigger",
    "metadata": {"name": "fixed", "namespace": "rec"},
    "spec": {"broker": "b", "subscriber": {"uri": "http://x.example/"}},
}


@pytest.fixture(scope="module")
def platform(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Eventing]:
    with eventing(api_server, tmp_path_factory.mktemp("eventing")) as running:
        # Another module may have made it before.
        api_server.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "rec"}})
        yield running


@pytest.fixture
def subscriber() -> Iterator[Recorder]:
    with recorder() as one:
        yield one


@pytest.fixture(scope="module")
def quiet(platform: Eventing) -> str:
    return platform.broker("rec", "quiet").removesuffix("/rec/quiet")


@pytest.mark.parametrize("case", INGRESS, ids=[case["ingress"] for case in INGRESS])
def test_the_ingress_answers_a_request_as_recorded(quiet: str, case: dict[str, Any]) -> None:
    address = quiet + case["path"]
    answer = post(address, case["headers"], case["body"], case["method"])
    assert answer == (case["status"], case["answer"])


@pytest.fixture(scope="module")
def kubectl(platform: Eventing) -> Iterator[list[str]]:
    """kubectl, once the webhooks are in force and the object to be changed exists."""
    command = [control_plane("kubectl"), f"--kubeconfig={platform.api.kubeconfig}"]
    refused = next(case["manifest"] for case in ADMISSION if case["case"] == "ping-every")
    until(lambda: _apply(command, refused, "--dry-run=server").returncode, "the webhooks refuse")
    _apply(command, json.dumps(FIXED))
    yield command
    path = "/apis/eventing.knative.dev/v1/namespaces/rec/triggers/fixed"
    platform.api.call("DELETE", path)


def _apply(kubectl: list[str], manifest: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*kubectl, "apply", "-f", "-", *flags],
        input=manifest,
        text=True,
        capture_output=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("case", ADMISSION, ids=[case["case"] for case in ADMISSION])
def test_kubectl_shows_the_recorded_verdict(kubectl: list[str], case: dict[str, Any]) -> None:
    """The whole text is compared, through the real API server (the recording may be cut)."""
    result = _apply(kubectl, case["manifest"], "--dry-run=server")
    said = (result.stdout or result.stderr).strip()
    assert (result.returncode == 0) == case["accepted"]
    assert said.startswith(case["message"])


def _slow_trigger(subscriber: Recorder, name: str) -> dict[str, Any]:
    subscriber.answers[f"/{name}"] = (204, {}, b"", 1.0)
    return {"broker": "b", "subscriber": {"uri": f"{subscriber.url}/{name}"}}


def test_a_sender_waits_for_every_trigger_of_a_synchronous_broker(
    platform: Eventing, namespace: str, subscriber: Recorder
) -> None:
    address = platform.broker(namespace, "b")
    platform.trigger(namespace, "slow", _slow_trigger(subscriber, "slow"))
    until(lambda: post(address, EVENT) and subscriber.requests, "the Trigger gets events")
    started = time.monotonic()
    assert post(address, EVENT)[0] == 202
    assert time.monotonic() - started >= 1.0


def test_a_sender_does_not_wait_for_an_asynchronous_broker(
    platform: Eventing, namespace: str, subscriber: Recorder
) -> None:
    annotations = {"messaging.knative.dev/async-handler": "true"}
    address = platform.broker(namespace, "b", annotations=annotations)
    platform.trigger(namespace, "slow", _slow_trigger(subscriber, "slow"))
    started = time.monotonic()
    assert post(address, EVENT)[0] == 202
    assert time.monotonic() - started < 0.5
    until(lambda: subscriber.requests, "the event arrives all the same")


def test_a_synchronous_broker_answers_500_when_a_delivery_failed_for_good(
    platform: Eventing, namespace: str, subscriber: Recorder
) -> None:
    address = platform.broker(namespace, "b")
    spec = {
        "broker": "b",
        "subscriber": {"uri": f"{subscriber.url}/fail500"},
        "delivery": {"retry": 1},
    }
    platform.trigger(namespace, "failing", spec)
    until(lambda: post(address, EVENT)[0] == 500, "the failure is answered")


def test_a_trigger_without_its_own_sink_uses_the_brokers_dead_letter_sink(
    platform: Eventing, namespace: str, subscriber: Recorder
) -> None:
    address = platform.broker(namespace, "b")
    path = f"/apis/eventing.knative.dev/v1/namespaces/{namespace}/brokers/b"
    broker = platform.api.call("GET", path)
    sink = {"deadLetterSink": {"uri": f"{subscriber.url}/dls"}}
    platform.api.call("PUT", path, {**broker, "spec": {**broker["spec"], "delivery": sink}})
    spec = {
        "broker": "b",
        "subscriber": {"uri": f"{subscriber.url}/fail400"},
        "delivery": {"retry": 2},
    }
    platform.trigger(namespace, "failing", spec)
    until(lambda: post(address, EVENT) and subscriber.to("/dls"), "a dead letter arrives")


def test_an_unreachable_subscriber_is_told_to_the_dead_letter_sink(
    platform: Eventing, namespace: str, subscriber: Recorder
) -> None:
    address = platform.broker(namespace, "b")
    spec = {
        "broker": "b",
        "subscriber": {"uri": "http://127.0.0.1:1/nobody"},
        "delivery": {"deadLetterSink": {"uri": f"{subscriber.url}/dls"}},
    }
    platform.trigger(namespace, "failing", spec)
    until(lambda: post(address, EVENT) and subscriber.to("/dls"), "a dead letter arrives")
    letter = subscriber.to("/dls")[0]
    assert letter.headers["ce-knativeerrordest"] == "http://127.0.0.1:1/nobody"
    assert letter.headers["ce-knativeerrorcode"] == "500"


@pytest.fixture
def fault(platform: Eventing) -> Iterator[str]:
    yield platform.faults
    post(platform.faults, {}, method="DELETE")


def _set_fault(address: str, **wanted: Any) -> tuple[int, str]:
    return post(address, {"Content-Type": "application/json"}, json.dumps(wanted))


def _listening(platform: Eventing, namespace: str, subscriber: Recorder) -> str:
    address = platform.broker(namespace, "b")
    spec = {"broker": "b", "subscriber": {"uri": f"{subscriber.url}/all"}}
    platform.trigger(namespace, "all", spec)
    until(lambda: post(address, EVENT) and subscriber.requests, "the Trigger gets events")
    subscriber.requests.clear()
    return address


def test_dropped_deliveries_are_lost_until_the_fault_is_taken_away(
    platform: Eventing, namespace: str, subscriber: Recorder, fault: str
) -> None:
    address = _listening(platform, namespace, subscriber)
    _set_fault(fault, drop=True, namespace=namespace)
    assert post(address, EVENT)[0] == 202
    assert json.loads(post(fault, {}, method="GET")[1])["touched"] == 1
    post(fault, {}, method="DELETE")
    post(address, {**EVENT, "ce-id": "2"})
    assert [one.headers["ce-id"] for one in subscriber.requests] == ["2"]


def test_a_duplicated_delivery_arrives_once_more_than_asked(
    platform: Eventing, namespace: str, subscriber: Recorder, fault: str
) -> None:
    address = _listening(platform, namespace, subscriber)
    _set_fault(fault, duplicate=2, namespace=namespace)
    assert post(address, EVENT)[0] == 202
    assert len(subscriber.requests) == 3


def test_a_fault_for_another_namespace_touches_nothing_here(
    platform: Eventing, namespace: str, subscriber: Recorder, fault: str
) -> None:
    address = _listening(platform, namespace, subscriber)
    _set_fault(fault, drop=True, namespace="elsewhere")
    post(address, EVENT)
    assert len(subscriber.requests) == 1


def test_a_fault_that_cannot_be_is_refused_with_a_sentence(platform: Eventing) -> None:
    status, text = _set_fault(platform.faults, dropp=True)
    assert (status, text.startswith("expected a JSON object")) == (400, True)


def test_a_source_without_rights_says_so_and_starts_once_it_has_them(
    platform: Eventing, namespace: str
) -> None:
    path = f"/apis/sources.knative.dev/v1/namespaces/{namespace}/apiserversources"
    spec = {
        "resources": [{"apiVersion": "v1", "kind": "ConfigMap"}],
        "sink": {"uri": "http://127.0.0.1:1/"},
    }
    body = {
        "apiVersion": "sources.knative.dev/v1",
        "kind": "ApiServerSource",
        "metadata": {"name": "s"},
        "spec": spec,
    }
    platform.api.call("POST", path, body)
    until(
        lambda: _condition(platform.api, f"{path}/s", "SufficientPermissions") == "False", "refusal"
    )
    allow_config_maps(platform.api, namespace)
    until(lambda: _condition(platform.api, f"{path}/s", "Ready") == "True", "the source is Ready")


def _condition(api: ApiServer, path: str, kind: str) -> str | None:
    conditions = (api.call("GET", path).get("status") or {}).get("conditions") or []
    return next((one["status"] for one in conditions if one["type"] == kind), None)
