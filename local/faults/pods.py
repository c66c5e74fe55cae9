"""The pods as the node knows them: also while the API server is away."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.faults.errors import CannotFault

NODE = "https://10.244.255.11:10250/laptop"
CALL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Container:
    """A container and its first process; 0 while none runs."""

    name: str
    kind: str
    pid: int


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod and where it is on this machine."""

    namespace: str
    name: str
    address: str
    network: str
    link: str
    containers: tuple[Container, ...]
    claims: Mapping[str, Path]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def running(self, name: str = "") -> Container:
        """The named container (the first by default); raises CannotFault unless it runs."""
        found = [c for c in self.containers if name in ("", c.name)]
        if not found:
            known = ", ".join(c.name for c in self.containers)
            raise CannotFault(f"pod {self} has no container {name}; it has {known}.")
        if not found[0].pid:
            raise CannotFault(f"container {found[0].name} of pod {self} does not run now.")
        return found[0]

    def volumes(self, name: str = "") -> Mapping[str, Path]:
        """The folders of its claims, or of the one named; raises CannotFault without any."""
        found = {volume: path for volume, path in self.claims.items() if name in ("", volume)}
        if not found:
            wanted = f"volume {name}" if name else "volume"
            known = ", ".join(self.claims) or "none"
            raise CannotFault(f"pod {self} has no {wanted} from a claim; there is {known}.")
        return found


def all_pods() -> list[Pod]:
    """Ask the node; raises CannotFault when it does not answer."""
    try:
        # The node's certificate is its own; nobody else can listen there.
        trust = ssl._create_unverified_context()
        with urllib.request.urlopen(NODE, timeout=CALL_SECONDS, context=trust) as answer:
            return [read_pod(item) for item in json.load(answer)["items"]]
    except (urllib.error.URLError, OSError) as error:
        raise CannotFault(f"the platform's node does not answer: {error}") from error


def read_pod(item: Mapping[str, Any]) -> Pod:
    containers = tuple(Container(c["name"], c["kind"], c["pid"]) for c in item["containers"])
    claims = {name: Path(path) for name, path in item["claims"].items()}
    texts = {name: item[name] for name in ("namespace", "name", "address", "network", "link")}
    return Pod(**texts, containers=containers, claims=claims)


def find_pod(pods: Iterable[Pod], namespace: str, name: str) -> Pod:
    """The newest pod of that name; raises CannotFault with the names there are."""
    pods = list(pods)
    found = [pod for pod in pods if (pod.namespace, pod.name) == (namespace, name)]
    if not found:
        there = ", ".join(sorted(pod.name for pod in pods if pod.namespace == namespace))
        raise CannotFault(f"no pod {name} runs in namespace {namespace}; there: {there or 'none'}.")
    return found[-1]
