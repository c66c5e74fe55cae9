"""What a function is told by its environment, read once and checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from functions.manifests.installation import Installation

DEFAULT_IMAGE = "zookeeper-functions:latest"
DEFAULT_NAMESPACE = "zookeeper-functions"
# Kubernetes tells every pod with a ServiceAccount where it runs.
NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Settings:
    """`functions_image`: what a cluster's pods run; `broker_url`: where events are sent;
    `own_namespace`: where the functions run.

    `namespace` is the only one the functions look at, or empty: then they look at all of them.

    `conflict_pause` is the longest wait in seconds before a delivery that met a conflict looks
    again; it grows with each try. `confirm_seconds` is how long members are asked whether a change
    of their list took effect. At most `servers_at_once` servers are asked at the same time; with 1
    they are asked one after the other, in the thread of the caller. A restore is patient with
    servers that stop or start for `restore_seconds`, with those that come last for
    `restore_last_seconds`, and with what it left behind for `restore_clean_seconds`.
    """

    functions_image: str = DEFAULT_IMAGE
    broker_url: str = ""
    own_namespace: str = DEFAULT_NAMESPACE
    namespace: str = ""
    kubernetes_timeout: float = 10.0
    zookeeper_timeout: float = 2.0
    conflict_pause: float = 0.05
    confirm_seconds: float = 5.0
    servers_at_once: int = 16
    restore_seconds: float = 600.0
    restore_last_seconds: float = 60.0
    restore_clean_seconds: float = 600.0

    @property
    def installation(self) -> Installation:
        """What the pods of every cluster get from here."""
        return Installation(self.functions_image, self.broker_url, self.own_namespace)

    @property
    def listed(self) -> str | None:
        """The namespace that lists are asked of; None is all of them."""
        return self.namespace or None

    def looks_at(self, namespace: str) -> bool:
        return self.namespace in ("", namespace)


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings; raises ValueError with the name of a variable that is not a number."""
    return Settings(
        functions_image=environment.get("FUNCTIONS_IMAGE", DEFAULT_IMAGE),
        broker_url=environment.get("K_SINK", environment.get("BROKER_URL", "")),
        own_namespace=environment.get("FUNCTIONS_NAMESPACE", "") or _own_namespace(),
        namespace=environment.get("WATCH_NAMESPACE", ""),
        kubernetes_timeout=_seconds(environment, "KUBERNETES_TIMEOUT", 10.0),
        zookeeper_timeout=_seconds(environment, "ZOOKEEPER_TIMEOUT", 2.0),
        conflict_pause=_seconds(environment, "CONFLICT_PAUSE", 0.05),
        confirm_seconds=_seconds(environment, "CONFIRM_SECONDS", 5.0),
        restore_seconds=_seconds(environment, "RESTORE_SECONDS", 600.0),
        restore_last_seconds=_seconds(environment, "RESTORE_LAST_SECONDS", 60.0),
        restore_clean_seconds=_seconds(environment, "RESTORE_CLEAN_SECONDS", 600.0),
    )


def _own_namespace() -> str:
    try:
        return NAMESPACE_FILE.read_text().strip()
    except OSError:
        return DEFAULT_NAMESPACE  # It runs outside of a cluster, by hand.


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name, "")
    try:
        return float(text) if text else default
    except ValueError:
        raise ValueError(f"{name}={text!r} is not a number of seconds") from None
