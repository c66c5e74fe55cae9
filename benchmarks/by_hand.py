"""What a person does without functions: kubectl for the pods, a client for the member list.

It runs inside the platform's network. It is quicker than a person, but as careful: one server at a
time, a joiner only once it has caught up, and nothing before the last change is done. The system
tests compare with it, too.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionLoss, SessionExpiredError

from benchmarks.words import members, mode, until

SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers of one StatefulSet; `password` is the super user's, where there is one."""

    namespace: str
    name: str
    password: str = ""

    def host(self, number: int) -> str:
        return f"{self.pod(number)}.{self.name}.{self.namespace}.svc.cluster.local"

    def pod(self, number: int) -> str:
        return f"{self.name}-{number - 1}"

    def kubectl(self, *words: str) -> None:
        subprocess.run(
            ["kubectl", "-n", self.namespace, *words],
            check=True, stdout=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip


def resize(servers: Servers, size: int) -> None:
    """Go from the members there are to servers 1 to `size`."""
    before = members(servers.host(1))
    if leaving := [number for number in before if number > size]:
        shrink(servers, leaving, size)
    else:
        grow(servers, range(len(before) + 1, size + 1), size)


def grow(servers: Servers, joining: range, size: int) -> None:
    _run_pods(servers, size)
    for number in joining:
        host = servers.host(number)
        until(lambda: mode(host) != "", f"server {number} has caught up")  # noqa: B023
        with _session(servers) as session:
            session.reconfig(f"server.{number}={host}:2888:3888:participant;2181", None, None)


def shrink(servers: Servers, leaving: list[int], size: int) -> None:
    """Take out the highest id first and the leader last, then stop the pods at once."""
    leads = {number: mode(servers.host(number)) == "leader" for number in leaving}
    with _session(servers) as session:
        for number in sorted(leaving, key=lambda n: (leads[n], -n)):
            # Taking out the leader is an election: the answer may be lost on the way.
            with suppress(ConnectionLoss, SessionExpiredError):
                session.reconfig(None, str(number), None)
    _run_pods(servers, size)


def roll(servers: Servers) -> None:
    """Restart every pod, one after the other, the leader last."""
    numbers = members(servers.host(1))
    leads = {number: mode(servers.host(number)) == "leader" for number in numbers}
    for number in sorted(numbers, key=lambda n: (leads[n], n)):
        servers.kubectl("delete", "pod", servers.pod(number))
        host = servers.host(number)
        until(lambda: mode(host) != "", f"server {number} serves again")  # noqa: B023


def _run_pods(servers: Servers, size: int) -> None:
    servers.kubectl("scale", "statefulset", servers.name, f"--replicas={size}")


@contextmanager
def _session(servers: Servers) -> Iterator[Any]:
    """Talk to server 1, which stays whatever happens."""
    credentials = [("digest", f"super:{servers.password}")] if servers.password else []
    session = KazooClient(hosts=f"{servers.host(1)}:2181", timeout=SECONDS, auth_data=credentials)
    session.start(timeout=SECONDS)
    try:
        yield session
    finally:
        session.stop()
        session.close()


if __name__ == "__main__":
    # python -m benchmarks.by_hand NAMESPACE NAME PASSWORD SIZE
    resize(Servers(*sys.argv[1:4]), int(sys.argv[4]))
