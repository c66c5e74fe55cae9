"""Ask a platform how it is: its parts, its API server, its nodes."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local.platform.parts import NODES
from local.platform.state import State, read_json

CALL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Health:
    """What works already, and the first thing that does not."""

    done: Sequence[str] = ()
    waiting_for: str = "its first process"

    @property
    def is_usable(self) -> bool:
        return not self.waiting_for


def health(state: State) -> Health:
    """Look once; never raises for a platform that is not there yet."""
    if ask(state, "/readyz") is None:
        return Health((), "the API server")
    done = ["API server ready"]
    parts = state.parts()
    waiting = sorted(name for name, part in parts.items() if part["state"] != "running")
    if waiting or not parts:
        return Health(done, f"the parts {', '.join(waiting)}")
    done.append(f"{len(parts)} parts running")
    if "node" in parts:
        ready = ready_nodes(state)
        if len(ready) < NODES:
            return Health(done, f"{NODES - len(ready)} of {NODES} nodes to be Ready")
        done.append(f"nodes ready: {', '.join(ready)}")
    if ask(state, "/api/v1/namespaces/default/serviceaccounts/default") is None:
        return Health(done, "the default service account")
    return Health(done, "")


def ready_nodes(state: State) -> list[str]:
    """Return the names of the nodes whose Ready condition is true."""
    found = ask(state, "/api/v1/nodes") or {}
    return sorted(node["metadata"]["name"] for node in found.get("items", []) if _is_ready(node))


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def ask(state: State, path: str) -> dict[str, Any] | None:
    """GET from the API server as the host reaches it; None when it does not answer with 200."""
    config = read_json(state.kubeconfig)
    if config is None:
        return None
    cluster = config["clusters"][0]["cluster"]
    request = urllib.request.Request(
        f"{cluster['server']}{path}",
        headers={"Authorization": f"Bearer {config['users'][0]['user']['token']}"},
    )
    try:
        context = ssl.create_default_context(cafile=cluster["certificate-authority"])
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(request, timeout=CALL_SECONDS) as response:
            text = response.read().decode()
    except (OSError, urllib.error.URLError):
        return None
    return json.loads(text) if text.startswith("{") else {"text": text}
