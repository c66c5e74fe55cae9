"""What a subscriber receives beyond the recordings: headers, forms, loops, addresses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.contract.api_server import ApiServer
from tests.contract.eventing_server import (
    EVENT,
    Eventing,
    Recorder,
    allow_config_maps,
    eventing,
    manifest,
    post,
    recorder,
)
from tests.contract.processes import until

pytestmark = pytest.mark.contract

ASYNC = {"messaging.knative.dev/async-handler": "true"}


@pytest.fixture(scope="module")
def platform(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Eventing]:
    with eventing(api_server, tmp_path_factory.mktemp("eventing")) as running:
        yield running


@pytest.fixture
def subscriber() -> Iterator[Recorder]:
    with recorder() as one:
        yield one


def _subscribe(
    platform: Eventing, namespace: str, subscriber: Recorder, path: str, **spec: Any
) -> str:
    """Make a Broker and a Trigger; return the Broker's address once events flow."""
    address = platform.broker(namespace, "b", annotations=ASYNC)
    wanted = {"broker": "b", "subscriber": {"uri": f"{subscriber.url}{path}"}, **spec}
    platform.trigger(namespace, "t", wanted)
    until(lambda: post(address, EVENT) and subscriber.to(path), "events flow")
    subscriber.requests.clear()
    return address


def test_only_some_headers_of_a_sender_reach_the_subscriber(
    platform: Eventing, namespace: str, subscriber: Recorder
) -> None:
    address = _subscribe(platform, namespace, subscriber, "/all")
    passed = {"X-Request-Id": "r", "Knative-Foo": "f", "X-B3-TraceId": "b"}
    post(address, {**EVENT, **passed, "ce-id": "2", "X-Other": "o", "Authorization": "secret"})
    request = until(lambda: _with_id(subscriber, "2"), "the event arrives")
    assert {name: request.headers[name.lower()] for name in passed} == passed
    assert "x-other" not in request.headers
    assert "authorization" not in request.headers


def _with_id(subscriber: Recorder, id: str) -> Any:
    return next((one for one in subscriber.requests if one.headers.get("ce-id") == id), None)


def test_an_event_without_data_has_no_content_type(
    platform: Eventing, namespace: str, subscriber: Recorder
) -> None:
    address = _subscribe(platform, namespace, subscriber, "/all")
    bare = {name: value for name, value in EVENT.items() if name != "Content-Type"}
    post(address, {**bare, "ce-id": "2"}, "")
    request = until(lambda: _with_id(subscriber, "2"), "the event arrives")
    assert (request.body, "content-type" in request.headers) == ("", False)


def test_a_trigger_may_ask_for_the_structured_form(
    platform: Eventing, namespace: str, subscriber: Recorder
) -> None:
    delivery = {"format": "json"}
    address = _subscribe(platform, namespace, subscriber, "/all", delivery=delivery)
    post(address, {**EVENT, "ce-kind": "Pod"}, '{"a":1}')
    request = until(
        lambda: next((one for one in subscriber.requests if '"Pod"' in one.body), None), "it comes"
    )
    assert request.headers["content-type"].startswith("application/cloudevents+json")
    event = json.loads(request.body)
    assert (event["kind"], event["data"]) == ("Pod", {"a": 1})
    assert "knativebrokerttl" not in event


def test_a_loop_of_replies_ends_when_the_time_to_live_is_used_up(
    platform: Eventing, namespace: str, subscriber: Recorder
) -> None:
    answer = {**EVENT, "ce-id": "loop", "ce-type": "loop"}
    filters = [{"exact": {"type": "loop"}}]
    address = platform.broker(namespace, "b", annotations=ASYNC)
    spec = {
        "broker": "b",
        "filters": filters,
        "subscriber": {"uri": f"{subscriber.url}/loop"},
        "delivery": {"deadLetterSink": {"uri": f"{subscriber.url}/dls"}},
    }
    platform.trigger(namespace, "t", spec)
    subscriber.answers["/loop"] = (200, answer, b"{}", 0)
    until(lambda: _ends(subscriber, address, answer), "the loop has ended")
    letter = subscriber.to("/dls")[0]
    assert letter.headers["ce-knativeerrorcode"] == "400"
    assert letter.headers["ce-knativebrokerttl"] == "1"
    assert len(subscriber.to("/loop")) % 9 == 0


def _ends(subscriber: Recorder, address: str, event: dict[str, str]) -> bool:
    """Start one loop as soon as the Trigger listens; tell whether it is over."""
    if not subscriber.to("/loop"):
        # 255 rounds are possible; the sender may say that fewer are left.
        post(address, {**event, "ce-knativebrokerttl": "10"})
    return bool(subscriber.to("/dls"))


def test_what_has_yet_to_be_delivered_is_counted_until_it_is(
    platform: Eventing, namespace: str, subscriber: Recorder
) -> None:
    address = _subscribe(platform, namespace, subscriber, "/slow")
    until(lambda: _left(platform, namespace) == 0, "all is delivered")
    post(address, {**EVENT, "ce-id": "2"})
    assert _left(platform, namespace) == 1
    until(lambda: _left(platform, namespace) == 0, "the slow one has answered")
    assert _with_id(subscriber, "2")


def _left(platform: Eventing, namespace: str) -> int:
    address = platform.faults.replace("/faults", f"/deliveries?namespace={namespace}")
    _, told = post(address, {}, method="GET")
    return int(json.loads(told)["deliveries"])


def test_a_service_and_a_relative_uri_make_the_subscribers_address(
    platform: Eventing, namespace: str
) -> None:
    platform.broker(namespace, "b")
    services = f"/api/v1/namespaces/{namespace}/services"
    body = {"metadata": {"name": "f"}, "spec": {"ports": [{"port": 80}]}}
    platform.api.call("POST", services, body)
    reference = {"apiVersion": "v1", "kind": "Service", "name": "f"}
    subscriber = {"ref": reference, "uri": "/observe"}
    platform.trigger(namespace, "t", {"broker": "b", "subscriber": subscriber})
    path = f"/apis/eventing.knative.dev/v1/namespaces/{namespace}/triggers/t"
    address = platform.api.call("GET", path)["status"]["subscriberUri"]
    assert address == f"http://f.{namespace}.svc.cluster.local/observe"


def test_a_trigger_waits_for_a_subscriber_that_comes_later(
    platform: Eventing, namespace: str
) -> None:
    platform.broker(namespace, "b")
    triggers = f"/apis/eventing.knative.dev/v1/namespaces/{namespace}/triggers"
    reference = {"apiVersion": "v1", "kind": "Service", "name": "later"}
    spec = {"broker": "b", "subscriber": {"ref": reference}}
    platform.api.call("POST", triggers, manifest("eventing", "Trigger", {"name": "t"}, spec))
    until(lambda: _ready(platform, f"{triggers}/t") == "False", "it says what is missing")
    body = {"metadata": {"name": "later"}, "spec": {"ports": [{"port": 80}]}}
    platform.api.call("POST", f"/api/v1/namespaces/{namespace}/services", body)
    until(lambda: _ready(platform, f"{triggers}/t") == "True", "it is Ready")


def _ready(platform: Eventing, path: str) -> str | None:
    conditions = (platform.api.call("GET", path).get("status") or {}).get("conditions") or []
    return next((one["status"] for one in conditions if one["type"] == "Ready"), None)


def test_a_deleted_trigger_gets_nothing_more(
    platform: Eventing, namespace: str, subscriber: Recorder
) -> None:
    address = _subscribe(platform, namespace, subscriber, "/all")
    path = f"/apis/eventing.knative.dev/v1/namespaces/{namespace}/triggers/t"
    platform.api.call("DELETE", path)
    # Another Trigger that gets events shows that the deletion was seen before.
    platform.trigger(namespace, "other", {"broker": "b", "subscriber": {"uri": subscriber.url}})
    until(lambda: post(address, EVENT) and subscriber.to("/"), "the other one gets events")
    subscriber.requests.clear()
    post(address, EVENT)
    until(lambda: subscriber.to("/"), "the other one gets events")
    assert not subscriber.to("/all")


def test_a_changed_source_sends_on_with_its_new_settings(
    platform: Eventing, namespace: str, subscriber: Recorder
) -> None:
    allow_config_maps(platform.api, namespace)
    sources = f"/apis/sources.knative.dev/v1/namespaces/{namespace}/apiserversources"
    spec = {
        "resources": [{"apiVersion": "v1", "kind": "ConfigMap"}],
        "sink": {"uri": f"{subscriber.url}/before"},
    }
    platform.api.call("POST", sources, manifest("sources", "ApiServerSource", {"name": "s"}, spec))
    until(lambda: _ready(platform, f"{sources}/s") == "True", "the source is Ready")
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    platform.api.call("POST", maps, {"metadata": {"name": "one"}})
    until(lambda: subscriber.to("/before"), "the first event comes")
    source = platform.api.call("GET", f"{sources}/s")
    source["spec"] |= {"mode": "Resource", "sink": {"uri": f"{subscriber.url}/after"}}
    platform.api.call("PUT", f"{sources}/s", source)

    def changed() -> bool:
        platform.api.call("PUT", f"{maps}/one", {"metadata": {"name": "one", "labels": _fresh()}})
        return bool(subscriber.to("/after"))

    until(changed, "events go to the new sink")
    event = subscriber.to("/after")[0]
    assert event.headers["ce-type"] == "dev.knative.apiserver.resource.update"
    assert json.loads(event.body)["metadata"]["name"] == "one"
    seen = len(subscriber.to("/before"))
    platform.api.call("PUT", f"{maps}/one", {"metadata": {"name": "one", "labels": _fresh()}})
    platform.api.call("POST", maps, {"metadata": {"name": "two"}})
    until(lambda: any('"two"' in one.body for one in subscriber.to("/after")), "the last event")
    assert len(subscriber.to("/before")) == seen


def _fresh() -> dict[str, str]:
    return {"version": uuid4().hex}
