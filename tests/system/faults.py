"""Faults on purpose on one cluster's servers, as `python -m local fault` makes them."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from local.faults.wish import Wish
from local.platform.handle import Completed, Platform
from tests.system import rest
from tests.system.clusters import FUNCTIONS_NAMESPACE, Cluster

KILLED = ("scale", "roll", "scale", "roll", "observe", "reconcile-cluster")
BETWEEN_KILLS = (1.0, 4.0)


def fault(platform: Platform, wish: Wish, *, check: bool = True) -> Completed:
    """Begin or end one fault; without the command line in front, which costs half a second."""
    words = (str(platform.state), wish.to_json())
    return platform.run(sys.executable, "-m", "local.faults", *words, check=check)


def strike(cluster: Cluster, action: str, *pods: str) -> None:
    for pod in pods:
        fault(cluster.platform, Wish(action, pod, cluster.namespace))


def clear(platform: Platform) -> None:
    fault(platform, Wish("clear"))


@contextmanager
def api_server_away(platform: Platform) -> Iterator[None]:
    fault(platform, Wish("stop-api"))
    try:
        yield
    finally:
        fault(platform, Wish("start-api"))


@contextmanager
def events_lost(cluster: Cluster) -> Iterator[None]:
    fault(cluster.platform, Wish("drop-events", namespace=cluster.namespace))
    try:
        yield
    finally:
        fault(cluster.platform, Wish("deliver-events"))


@contextmanager
def functions_killed(platform: Platform, seed: int) -> Iterator[list[str]]:
    """Kill the functions' processes at random moments; gives the list of those killed so far.

    A killed pod is deleted too: its next process would wait longer and longer for its start.
    """
    killed: list[str] = []
    over = threading.Event()
    dice = random.Random(seed)

    def go_on() -> None:
        while not over.wait(dice.uniform(*BETWEEN_KILLS)):
            killed.extend(_kill_one(platform, dice.choice(KILLED)))

    killer = threading.Thread(target=go_on, daemon=True)
    killer.start()
    try:
        yield killed
    finally:
        over.set()
        killer.join()


def _kill_one(platform: Platform, function: str) -> Sequence[str]:
    pods = rest.get(platform.kubeconfig, FUNCTIONS_NAMESPACE, "pod")["items"]
    names = [pod["metadata"]["name"] for pod in pods]
    victim = next((name for name in names if name.startswith(f"{function}-")), "")
    wish = Wish("kill", victim, FUNCTIONS_NAMESPACE)
    if not victim or fault(platform, wish, check=False).returncode:
        return ()  # It is being replaced at this moment.
    gone = ("delete", "pod", victim, "--force", "--grace-period=0", "--wait=false")
    platform.kubectl("-n", FUNCTIONS_NAMESPACE, *gone, check=False)
    return (function,)
