"""Pods that try to connect: which ports of a server somebody reaches, as the network lets them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from local.platform.handle import Platform, eventually

# Runs in a pod. A port counts as reached when anything answers, if only "nobody listens here": what
# a policy forbids is not answered at all. Ends a moment after the last answer.
PROBE = """
import errno, json, selectors, socket, sys, time
found, waiting = [], selectors.DefaultSelector()
for target in sys.argv[1:]:
    host, port = target.rsplit(":", 1)
    sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex((socket.gethostbyname(host), int(port)))
    waiting.register(sock, selectors.EVENT_WRITE, target)
last = time.monotonic()
while waiting.get_map() and time.monotonic() < last + 0.6:
    for key, _ in waiting.select(0.1):
        error = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error in (0, errno.ECONNREFUSED):
            found.append(key.data)
        last = time.monotonic()
        waiting.unregister(key.fileobj)
print(json.dumps(found))
"""
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True, slots=True)
class Prober:
    """Somebody who tries to connect: a pod, or one of its containers."""

    platform: Platform
    namespace: str
    pod: str
    container: str = ""
    python: str = "python3"

    def reached(self, *targets: str) -> set[str]:
        """Return the targets ("host:port") from which anything came back."""
        where = ("-c", self.container) if self.container else ()
        words = ("exec", self.pod, *where, "--", self.python, "-c", PROBE, *targets)
        said = self.platform.kubectl("-n", self.namespace, *words).stdout
        return set(json.loads(said))

    def ports(self, host: str, ports: Iterable[int]) -> set[int]:
        """Return the ports of one host that are reached."""
        found = self.reached(*(f"{host}:{port}" for port in ports))
        return {int(target.rpartition(":")[2]) for target in found}

    def until_reached(self, wanted: Iterable[str], of: Iterable[str]) -> None:
        """Wait until these targets are reached, and none of the others."""
        last: set[str] = set()

        def is_so() -> bool:
            nonlocal last
            last = self.reached(*of)
            return last == set(wanted)

        try:
            eventually(is_so, seconds=20)
        except AssertionError:
            raise AssertionError(
                f"{self.pod} reaches {sorted(last)}, not {sorted(wanted)}"
            ) from None


def start(platform: Platform, namespace: str, name: str, labels: Mapping[str, str]) -> Prober:
    """Start a pod that waits to be asked."""
    container = {
        "name": "c",
        "image": "debian:12",
        "command": ["sleep", "3600"],
        "securityContext": RESTRICTED,
    }
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    metadata = {"name": name, "labels": dict(labels)}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    platform.kubectl("-n", namespace, "apply", "-f", "-", input=json.dumps(manifest))
    platform.kubectl("-n", namespace, "wait", "pod", name, "--for=condition=Ready", "--timeout=60s")
    return Prober(platform, namespace, name)
