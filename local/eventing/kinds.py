"""Names of kinds and where their objects live in the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BROKERS = "/apis/eventing.knative.dev/v1/brokers"
TRIGGERS = "/apis/eventing.knative.dev/v1/triggers"
API_SERVER_SOURCES = "/apis/sources.knative.dev/v1/apiserversources"
PING_SOURCES = "/apis/sources.knative.dev/v1/pingsources"
KNATIVE_SERVICES = "/apis/serving.knative.dev/v1/services"
NAMESPACES = "/api/v1/namespaces"

DEFAULT_BROKER_CLASS = "MTChannelBasedBroker"
BROKER_CLASS = "eventing.knative.dev/broker.class"
ASYNC = "messaging.knative.dev/async-handler"


def guessed_plural(kind: str) -> str:
    """Return the plural that Knative guesses. A CRD with another plural cannot be watched."""
    lower = kind.lower()
    if lower.endswith("endpoints"):
        return lower
    if lower.endswith("s"):
        return lower + "es"
    if lower.endswith("y"):
        return lower[:-1] + "ies"
    return lower + "s"


def group_path(api_version: str) -> str:
    """Return the path under which an apiVersion is served."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def object_path(api_version: str, kind: str, namespace: str, name: str) -> str:
    """Return the path of one namespaced object."""
    collection = f"{group_path(api_version)}/namespaces/{namespace}/{guessed_plural(kind)}"
    return f"{collection}/{name}"


def own_path(item: Mapping[str, Any]) -> str:
    """Return the path of an object that was read."""
    meta = item["metadata"]
    return object_path(item["apiVersion"], item["kind"], meta["namespace"], meta["name"])
