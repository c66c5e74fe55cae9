"""Each rule of Knative that our manifests have to keep, with a manifest of ours that breaks it.

The rules of the webhooks are in `local` and were compared with recordings of the real ones; those
that no webhook says, but that lose events or stop a source, are checked here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.eventing.admission import admission_error
from local.eventing.durations import seconds_of
from local.eventing.kinds import guessed_plural
from local.serving.rules import AUTOSCALING

ROOT = Path(__file__).parents[2]
Object = dict[str, Any]
Objects = dict[tuple[str, str], Object]


def shipped() -> Objects:
    """Return what is installed, by kind (Knative's Service is KService) and name."""
    files = [*(ROOT / "config/base").glob("*.yaml"), *(ROOT / "sources").glob("*.yaml"),
             *(ROOT / "crds").glob("zoo*.yaml")]  # fmt: skip
    found = {}
    for file in files:
        for one in yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader):
            if "metadata" in one:
                is_knatives = one["apiVersion"].startswith("serving.knative.dev")
                found["KService" if is_knatives else one["kind"], one["metadata"]["name"]] = one
    return found


SHIPPED = shipped()


def of_kind(objects: Objects, kind: str) -> Iterator[tuple[str, Object]]:
    return ((name, one) for (of, name), one in objects.items() if of == kind)


# What no webhook says: each returns what is wrong.


def plurals_that_cannot_be_watched(objects: Objects) -> Iterator[str]:
    """The adapter guesses the plural from the kind, and watches nothing under another one."""
    for name, crd in of_kind(objects, "CustomResourceDefinition"):
        names = crd["spec"]["names"]
        if names["plural"] != guessed_plural(names["kind"]):
            yield f"{name} cannot be watched: Knative guesses {guessed_plural(names['kind'])}"


def deliveries_without_a_wait(objects: Objects) -> Iterator[str]:
    """Retries without a policy and a delay follow each other at once."""
    for name, broker in of_kind(objects, "Broker"):
        delivery = broker["spec"].get("delivery", {})
        if delivery.get("retry") and not {"backoffPolicy", "backoffDelay"} <= set(delivery):
            yield f"Broker {name} tries again without a wait"
        if "deadLetterSink" not in delivery:
            yield f"Broker {name} drops what failed for good"
    for name, trigger in of_kind(objects, "Trigger"):
        if trigger["spec"].get("delivery"):
            yield f"Trigger {name} replaces the Broker's retries as a whole"


def functions_that_are_cut_off(objects: Objects) -> Iterator[str]:
    """A request that Serving ends before Eventing does is a 504, and its work is done twice."""
    for broker_name, broker in of_kind(objects, "Broker"):
        patience = seconds_of(broker["spec"]["delivery"].get("timeout", "PT0S"))
        if not patience:
            yield f"Broker {broker_name} waits for ever"
        for name, service in of_kind(objects, "KService"):
            if service["spec"]["template"]["spec"].get("timeoutSeconds", 300) < patience:
                yield f"{name} is ended before the Broker gives up"


def brokers_that_wait_for_all(objects: Objects) -> Iterator[str]:
    """Without this one hung function stops the events of every cluster."""
    for name, broker in of_kind(objects, "Broker"):
        annotations = broker["metadata"].get("annotations", {})
        if annotations.get("messaging.knative.dev/async-handler") != "true":
            yield f"Broker {name} waits for its slowest Trigger"


def references_to_nothing(objects: Objects) -> Iterator[str]:
    for name, trigger in of_kind(objects, "Trigger"):
        spec = trigger["spec"]
        if ("Broker", spec["broker"]) not in objects:
            yield f"Trigger {name} is of no Broker"
        if ("KService", spec["subscriber"]["ref"]["name"]) not in objects:
            yield f"Trigger {name} delivers to nobody"
        broker = objects.get(("Broker", spec["broker"]), trigger)
        if broker["metadata"]["namespace"] != trigger["metadata"]["namespace"]:
            yield f"Trigger {name} is not in its Broker's namespace"


def ticks_that_reach_nobody(objects: Objects) -> Iterator[str]:
    """Lost events are made up for by resync alone, so its ticks have to reach it."""
    for name, source in of_kind(objects, "PingSource"):
        if source["spec"].get("ceOverrides", {}).get("extensions") != {"purpose": "resync"}:
            yield f"PingSource {name} reaches no Trigger"


def functions_for_everybody(objects: Objects) -> Iterator[str]:
    for name, service in of_kind(objects, "KService"):
        labels = service["metadata"].get("labels", {})
        if labels.get("networking.knative.dev/visibility") != "cluster-local":
            yield f"{name} is on the public gateway"


CHECKS: tuple[Callable[[Objects], Iterator[str]], ...] = (
    plurals_that_cannot_be_watched,
    deliveries_without_a_wait,
    functions_that_are_cut_off,
    brokers_that_wait_for_all,
    references_to_nothing,
    ticks_that_reach_nobody,
    functions_for_everybody,
)


def complaints(objects: Objects) -> list[str]:
    """Return what the webhooks refuse, or else all that is wrong beside it."""
    refused = [text for one in objects.values() if (text := admission_error(one))]
    return refused or [text for check in CHECKS for text in check(objects)]


def test_nothing_is_wrong_with_what_is_installed() -> None:
    assert complaints(SHIPPED) == []


BROKER = ("Broker", "zookeeper")
TRIGGER = ("Trigger", "observe")
SOURCE = ("ApiServerSource", "zookeeper")
PING = ("PingSource", "resync-unsettled")
FUNCTION = ("KService", "observe")
DELIVERY = ("spec", "delivery")
POD = ("spec", "template", "spec")
SCALES = ("spec", "template", "metadata", "annotations")
GONE = object()


def broken(at: tuple[str, str], path: tuple[Any, ...], value: Any) -> Objects:
    """Return what is installed with one field of one object changed, or taken away."""
    objects = copy.deepcopy(SHIPPED)
    inside: Any = objects[at]
    for step in path[:-1]:
        inside = inside.setdefault(step, {}) if isinstance(inside, dict) else inside[step]
    if value is GONE:
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    return objects


@pytest.mark.parametrize(
    ("at", "path", "value", "told"),
    [
        # ApiServerSource
        pytest.param(SOURCE, ("spec", "mode"), "Ref", "invalid value: Ref", id="mode"),
        pytest.param(SOURCE, ("spec", "resources"), [], "resources", id="no-resources"),
        pytest.param(SOURCE, ("spec", "resources", 0, "kind"), GONE, "kind", id="no-kind"),
        pytest.param(SOURCE, ("spec", "filters"), [{"exact": {"a": "b"}}], "Filters", id="alpha"),
        pytest.param(SOURCE, ("spec", "disableCache"), True, "disableCache", id="no-such-field"),
        pytest.param(SOURCE, ("spec", "sink"), {}, "spec.sink", id="no-sink"),
        pytest.param(
            ("CustomResourceDefinition", "zookeeperclusters.zookeeper.example.com"),
            ("spec", "names", "plural"), "zookeepers", "cannot be watched", id="plural",
        ),
        # PingSource
        pytest.param(PING, ("spec", "schedule"), "@every 15s", "schedule", id="every"),
        pytest.param(PING, ("spec", "schedule"), "* * * * 7", "schedule", id="sunday-is-0"),
        pytest.param(PING, ("spec", "timezone"), "Mars/Olympus", "timezone", id="timezone"),
        pytest.param(PING, ("spec", "data"), "[1]", "spec.data", id="json-is-an-object"),
        pytest.param(PING, ("spec", "dataBase64"), "YQ==", "exactly one", id="data-twice"),
        pytest.param(PING, ("spec", "ceOverrides"), GONE, "reaches no Trigger", id="untagged"),
        # Broker and delivery
        pytest.param(BROKER, (*DELIVERY, "retry"), -1, "retry", id="negative-retry"),
        pytest.param(BROKER, (*DELIVERY, "backoffPolicy"), "never", "never", id="policy"),
        pytest.param(BROKER, (*DELIVERY, "backoffDelay"), "5s", "5s", id="no-iso-duration"),
        pytest.param(BROKER, (*DELIVERY, "backoffDelay"), GONE, "without a wait", id="no-delay"),
        pytest.param(BROKER, (*DELIVERY, "timeout"), "PT0S", "timeout", id="zero-timeout"),
        pytest.param(BROKER, (*DELIVERY, "timeout"), "PT6M", "is ended before", id="cut-off"),
        pytest.param(BROKER, (*DELIVERY, "retryAfterMax"), "PT5S", "retryAfter", id="alpha-flag"),
        pytest.param(BROKER, (*DELIVERY, "deadLetterSink"), GONE, "drops", id="no-dead-letter"),
        pytest.param(BROKER, ("spec", "config"), {"name": "x"}, "spec.config", id="half-a-config"),
        pytest.param(BROKER, ("metadata", "annotations"), {}, "slowest Trigger", id="synchronous"),
        # Trigger
        pytest.param(TRIGGER, ("spec", "broker"), "other", "of no Broker", id="another-broker"),
        pytest.param(TRIGGER, ("spec", "broker"), GONE, "spec.broker", id="no-broker"),
        pytest.param(TRIGGER, ("spec", "subscriber", "ref", "name"), "x", "nobody", id="nobody"),
        pytest.param(TRIGGER, ("spec", "subscriber"), {}, "spec.subscriber", id="no-subscriber"),
        pytest.param(TRIGGER, ("metadata", "namespace"), "apps", "its Broker's", id="elsewhere"),
        pytest.param(TRIGGER, ("spec", "filters"), [{"exact": {"Kind": "a"}}], "Kind", id="name"),
        pytest.param(TRIGGER, ("spec", "filters"), [{"regex": {"a": "b"}}], "regex", id="dialect"),
        pytest.param(TRIGGER, DELIVERY, {"timeout": "PT5S"}, "as a whole", id="own-delivery"),
        # Knative Service
        pytest.param(FUNCTION, (*POD, "nodeSelector"), {"a": "b"}, "nodeSelector", id="node"),
        pytest.param(FUNCTION, (*POD, "timeoutSeconds"), 900, "expected 0 <= 900", id="too-long"),
        pytest.param(FUNCTION, (*POD, "containerConcurrency"), 2000, "2000", id="too-many-at-once"),
        pytest.param(
            FUNCTION, (*POD, "containers", 0, "env", 0), {"name": "PORT", "value": "1"},
            "reserved", id="reserved-variable",
        ),
        pytest.param(
            FUNCTION, (*POD, "containers", 0, "env", 0),
            {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "a"}}},
            "fieldRef", id="downward-api",
        ),
        pytest.param(
            FUNCTION, (*POD, "volumes", 0),
            {"name": "tmp", "persistentVolumeClaim": {"claimName": "c"}},
            "persistentVolumeClaim", id="volume-claim",
        ),
        pytest.param(FUNCTION, (*SCALES, f"{AUTOSCALING}min-scale"), "9", "less than", id="scales"),
        pytest.param(
            FUNCTION, ("metadata", "annotations", f"{AUTOSCALING}min-scale"), "1",
            "must be put under", id="scale-beside-the-template",
        ),
        pytest.param(
            FUNCTION, ("metadata", "labels", "networking.knative.dev/visibility"), GONE,
            "public gateway", id="public",
        ),
    ],
)  # fmt: skip
def test_a_manifest_that_breaks_a_rule_is_refused(
    at: tuple[str, str], path: tuple[Any, ...], value: Any, told: str
) -> None:
    found = complaints(broken(at, path, value))
    assert any(told in text for text in found), found
