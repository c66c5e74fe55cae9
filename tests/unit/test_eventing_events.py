"""CloudEvents over HTTP, and the events a change of an object makes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from local.eventing.api_events import change_event, passes_owner, selector_text, selects
from local.eventing.events import (
    BadEvent,
    Event,
    binary_headers,
    read_event,
    structured_body,
    timestamp,
)
from local.eventing.kinds import guessed_plural
from local.eventing.ping_adapter import ping_event

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "zk-0", "namespace": "n", "uid": "u", "resourceVersion": "7"},
    "status": {"phase": "Running"},
}
BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "t"}
STRUCTURED = {"Content-Type": "application/cloudevents+json"}


def test_an_event_survives_the_binary_form() -> None:
    event = Event(
        {"specversion": "1.0", "id": "1", "source": "/x", "type": "t", "kind": "Pod", "empty": ""},
        b"{}",
        "application/json",
    )
    assert read_event(_case_insensitive(binary_headers(event)), event.data) == event


@pytest.mark.parametrize("data", [b'{"a":1}', b""])
def test_an_event_survives_the_structured_form(data: bytes) -> None:
    event = Event(
        {"specversion": "1.0", "id": "1", "source": "/x", "type": "t"}, data, "application/json"
    )
    assert read_event(STRUCTURED, structured_body(event)) == event


def test_bytes_that_are_no_json_travel_as_base64() -> None:
    event = Event({"specversion": "1.0", "id": "1", "source": "/x", "type": "t"}, b"\xff", "x/y")
    assert json.loads(structured_body(event))["data_base64"] == "/w=="
    assert read_event(STRUCTURED, structured_body(event)) == event


@pytest.mark.parametrize(
    ("headers", "body", "message"),
    [
        pytest.param({}, b"OK", "neither ce-", id="no-event-at-all"),
        pytest.param({**BINARY, "ce-type": ""}, b"", "type is missing", id="empty-type"),
        pytest.param({**BINARY, "ce-Bad_Name": "x"}, b"", "bad_name", id="bad-name"),
        pytest.param({**BINARY, "ce-specversion": "2"}, b"", "unknown specversion", id="version"),
        pytest.param(STRUCTURED, b"{", "no JSON", id="broken-json"),
        pytest.param(STRUCTURED, b"[]", "no JSON object", id="a-list"),
        pytest.param(STRUCTURED, b'{"id": null}', "must be a string", id="null"),
        pytest.param(
            {"Content-Type": "application/cloudevents-batch+json"}, b"[]", "batch", id="batch"
        ),
    ],
)
def test_what_is_no_event_is_refused_with_a_sentence(
    headers: Mapping[str, str], body: bytes, message: str
) -> None:
    with pytest.raises(BadEvent, match=message):
        read_event(_case_insensitive(headers), body)


def _case_insensitive(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers as the web server shows them for these lower-case lookups."""
    found = {name.lower(): value for name, value in headers.items()}
    return {**found, **{n: v for n, v in headers.items() if n == "Content-Type"}}


def test_a_time_has_no_zeros_at_its_end() -> None:
    assert timestamp(datetime(2026, 11, 21, 9, 59, 3, 45800, UTC)) == "2026-11-21T09:59:03.0458Z"
    assert timestamp(datetime(2026, 11, 21, 9, 59, 3, 0, UTC)) == "2026-11-21T09:59:03Z"


def test_reference_mode_sends_the_reference_only() -> None:
    event = change_event("MODIFIED", POD, "Reference", "https://api")
    assert event.data == b'{"kind":"Pod","namespace":"n","name":"zk-0","apiVersion":"v1"}'
    assert event.attributes == {
        "type": "dev.knative.apiserver.ref.update",
        "source": "https://api",
        "subject": "/apis/v1/namespaces/n/pods/zk-0",
        "kind": "Pod",
        "apiversion": "v1",
        "name": "zk-0",
        "namespace": "n",
    }


def test_resource_mode_sends_the_whole_object_even_when_it_is_deleted() -> None:
    event = change_event("DELETED", POD, "Resource", "https://api")
    assert event.attributes["type"] == "dev.knative.apiserver.resource.delete"
    assert json.loads(event.data) == POD


def test_an_object_of_the_whole_cluster_has_an_empty_namespace() -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-a"}}
    event = change_event("ADDED", node, "Reference", "https://api")
    assert event.attributes["namespace"] == ""
    assert event.attributes["subject"] == "/apis/v1/namespaces//nodes/node-a"
    assert event.data == b'{"kind":"Node","name":"node-a","apiVersion":"v1"}'


@pytest.mark.parametrize(
    ("kind", "plural"),
    [
        ("ZooKeeperCluster", "zookeeperclusters"),
        ("ZNodePolicy", "znodepolicies"),
        ("Ingress", "ingresses"),
        ("Endpoints", "endpoints"),
    ],
)
def test_the_plural_is_guessed(kind: str, plural: str) -> None:
    assert guessed_plural(kind) == plural


def test_only_the_direct_controller_of_the_very_version_passes_the_owner_filter() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet"}

    def owned(**changes: Any) -> dict[str, Any]:
        reference = {**owner, "name": "s", "uid": "u", "controller": True, **changes}
        return {**POD, "metadata": {**POD_METADATA, "ownerReferences": [reference]}}

    assert passes_owner(POD, None)
    assert passes_owner(owned(), owner)
    assert not passes_owner(owned(controller=False), owner)
    assert not passes_owner(owned(apiVersion="apps/v1beta1"), owner)
    assert not passes_owner(POD, owner)


POD_METADATA = {"name": "zk-0", "namespace": "n"}
SELECTOR = {
    "matchLabels": {"a": "1"},
    "matchExpressions": [
        {"key": "b", "operator": "In", "values": ["x", "y"]},
        {"key": "c", "operator": "NotIn", "values": ["z"]},
        {"key": "d", "operator": "Exists"},
        {"key": "e", "operator": "DoesNotExist"},
    ],
}


def test_a_selector_is_written_as_the_api_server_reads_it() -> None:
    assert selector_text(SELECTOR) == "a=1,b in (x,y),c notin (z),d,!e"
    assert selector_text(None) == ""


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [({}, True), ({"a": "2"}, False), ({"b": "z"}, False), ({"c": "z"}, False), ({"e": ""}, False)],
)
def test_a_selector_selects(changes: dict[str, str], wanted: bool) -> None:
    assert selects(SELECTOR, {"a": "1", "b": "y", "d": "", **changes}) is wanted
    assert not selects(SELECTOR, {"a": "1", "b": "y"})


def test_a_ping_carries_its_data_as_it_is() -> None:
    event = ping_event({"data": '{"a": 1}', "contentType": "application/json"}, "n", "p")
    assert (event.data, event.content_type) == (b'{"a": 1}', "application/json")
    assert event.attributes["source"] == "/apis/v1/namespaces/n/pingsources/p"
    assert ping_event({"dataBase64": "/w=="}, "n", "p").data == b"\xff"
