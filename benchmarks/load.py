"""Many clusters at once: what a look at all, a change of each and a burst of events cost.

The clusters are real objects on the real control plane, worked on by the deployed functions
through real events; only their servers are hollow (`benchmarks.hollow`). For each size the same is
done and counted: an idle time, a resync of all, a change of each spec, ten events of each pod. A
figure is taken per cluster beside that of the smallest size, so a ratio of 1 is linear. What breaks
a bound of `benchmarks.load_bounds` fails the run, after all sizes. See docs/benchmarks.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from benchmarks.figures import Figure
from benchmarks.herd import namespaces
from benchmarks.load_bounds import CHANGE, RESYNC, STIR, Cost, broken
from benchmarks.requests import Requests
from benchmarks.running import NAMESPACE, Failed, Say, start_inside
from benchmarks.services import Held, processor_seconds
from local.platform.handle import Platform

SIZES = (10, 100, 1000)
IDLE = "an idle time"
IDLE_SECONDS = 20.0
LONGEST_SECONDS = 1500.0
LOOK_SECONDS = 1.0
END_SECONDS = 10.0
# What was just sent may still be on its way from the API server to the Broker.
CALM_SECONDS = 3.0
SAY_SECONDS = 20.0
# How our eventing says that a source or the Broker gave an event up.
GIVEN_UP = ("failed for good", " is lost: ")
DELIVERIES = "http://10.244.0.1:8481/deliveries"
# How curl ends when there was no answer in time.
TIMED_OUT = 28
TRIGGERS = "sources/triggers.yaml"

Act = Callable[[], object]


def measure(platform: Platform, sizes: Sequence[int], say: Say) -> Iterator[Figure]:
    """Measure every size, the smallest first; raises Failed at the end when a bound is broken."""
    found: dict[str, list[Cost]] = {}
    with _herd(platform, say) as herd:
        for size in sorted(sizes):
            for name, cost in herd.costs(size):
                found.setdefault(name, []).append(cost)
                say(f"{size} clusters, {name}: {cost}")
    yield from _figures(found)
    if problems := broken(found, IDLE):
        raise Failed("\n".join(problems))


class Herd:
    """Clusters on a hollow node, and what is done to them."""

    def __init__(self, platform: Platform, say: Say) -> None:
        self._platform = platform
        self._say = say
        self._logs = platform.state / "logs"
        self._variables = _variables(platform)

    def costs(self, size: int) -> Iterator[tuple[str, Cost]]:
        self._say(f"{size} clusters: making them")
        self._platform.kubectl("delete", "-f", TRIGGERS, "--ignore-not-found")
        for namespace in namespaces(size):
            self._platform.kubectl("create", "namespace", namespace, check=False)
        self._do("make", size)
        self._platform.kubectl("apply", "-f", TRIGGERS)
        ready = ("wait", "trigger", "--all", "--for=condition=Ready", "--timeout=120s")
        self._platform.kubectl(*ready, "-n", NAMESPACE)
        self._until_calm(Requests(self._logs), Held())
        for name, act in (
            (IDLE, lambda: time.sleep(IDLE_SECONDS)),
            (RESYNC, self._tick),
            (CHANGE, lambda: self._do("change", size)),
            (STIR, lambda: self._do("stir", size)),
        ):
            self._say(f"{size} clusters: {name}")
            yield name, self._cost(size, act)
            self._do("check", size)

    def _cost(self, size: int, act: Act) -> Cost:
        requests, held = Requests(self._logs), Held()
        requests.follow()
        reads, writes = requests.reads.total(), requests.writes.total()
        given_up, processor = self._given_up(), processor_seconds(self._root)
        begun = requests.last = time.time()
        with ThreadPoolExecutor(1) as threads:
            acting = threads.submit(act)
            while not acting.done():
                time.sleep(LOOK_SECONDS)
                held.look(self._root)
            acting.result()
        self._until_calm(requests, held)
        return Cost(
            clusters=size,
            seconds=requests.last - begun,
            reads=requests.reads.total() - reads,
            writes=requests.writes.total() - writes,
            processor=processor_seconds(self._root) - processor,
            memory=held.most,
            function=held.function,
            given_up=self._given_up() - given_up,
        )

    @property
    def _root(self) -> int:
        return self._platform.record.init.pid

    def _until_calm(self, requests: Requests, held: Held) -> None:
        """Wait until no delivery is under way and no function has asked for anything of late."""
        begun = told = time.monotonic()
        while True:
            left = self._deliveries()
            requests.follow()
            held.look(self._root)
            if left == 0 and time.time() - requests.last >= CALM_SECONDS:
                return
            if time.monotonic() - begun > LONGEST_SECONDS:
                raise Failed(f"{_told(left)} left to deliver after {LONGEST_SECONDS:.0f} s")
            if time.monotonic() - told > SAY_SECONDS:
                told = time.monotonic()
                self._say(f"  {_told(left)} left to deliver, {requests.reads.total()} reads so far")
            time.sleep(LOOK_SECONDS)

    def _deliveries(self) -> int | None:
        """Return what the Broker has yet to deliver, or to deliver again.

        None when it has too much to do to say so.
        """
        asked = self._platform.run("curl", "-sSf", "-m", "10", DELIVERIES, check=False)
        if asked.returncode == TIMED_OUT:
            return None
        asked.check_returncode()
        return int(json.loads(asked.stdout)["deliveries"])

    def _given_up(self) -> int:
        with (self._logs / "eventing.log").open(errors="replace") as log:
            return sum(any(words in line for words in GIVEN_UP) for line in log)

    def _tick(self) -> None:
        """Send what the PingSource sends every ten minutes."""
        headers = {
            "ce-specversion": "1.0",
            "ce-id": str(uuid.uuid4()),
            "ce-type": "dev.knative.sources.ping",
            "ce-source": "/benchmarks",
            "ce-purpose": "resync",
            "Content-Type": "application/json",
        }
        url = f"{self._platform.ingress_url}/{NAMESPACE}/zookeeper"
        request = urllib.request.Request(url, data=b'{"scope": "all"}', headers=headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30):
            pass

    def _do(self, verb: str, size: int) -> None:
        """Let `benchmarks.herd` do it inside the platform; it says how far it is."""
        command = [sys.executable, "-m", "benchmarks.herd", verb, str(size)]
        with (self._logs / "herd.log").open("ab") as log:
            process = start_inside(self._platform, ["env", *self._variables, *command], stdout=log)
        limit = threading.Timer(LONGEST_SECONDS, process.kill)
        limit.start()
        said = ""
        with process:
            try:
                for line in process.stderr or ():
                    said = line.rstrip()
                    self._say(f"  {said}")
                process.wait(END_SECONDS)
            finally:
                limit.cancel()
                process.kill()
        if process.returncode:
            raise Failed(f"`{verb}` of {size} clusters ended with {process.returncode}: {said}")


def _told(deliveries: int | None) -> str:
    return "more than it can say now are" if deliveries is None else f"{deliveries} are"


def _variables(platform: Platform) -> list[str]:
    """Return what the function that makes the pods is told: another one's pods would be others."""
    asked = ("get", "ksvc", "reconcile-cluster", "-n", NAMESPACE, "-o", "json")
    service = json.loads(platform.kubectl(*asked).stdout)
    (container,) = service["spec"]["template"]["spec"]["containers"]
    return [f"{each['name']}={each['value']}" for each in container["env"]]


@contextmanager
def _herd(platform: Platform, say: Say) -> Iterator[Herd]:
    """Clusters on a hollow node, with no other tick of a resync of all than what is measured."""
    with (platform.state / "logs" / "hollow.log").open("ab") as log:
        command = [sys.executable, "-m", "benchmarks.hollow"]
        node = start_inside(platform, command, stdout=log, stderr=subprocess.STDOUT)
    never = {"spec": {"schedule": "0 0 1 1 *"}}
    patch = ("patch", "pingsource", "resync-all", "--type=merge", "-p", json.dumps(never))
    platform.kubectl(*patch, "-n", NAMESPACE)
    try:
        yield Herd(platform, say)
    finally:
        node.kill()
        node.wait()


def _figures(found: dict[str, list[Cost]]) -> Iterator[Figure]:
    for name, costs in found.items():
        for what, unit, value in (
            ("seconds per cluster", "s", lambda cost: cost.seconds / cost.clusters),
            ("processor time per cluster", "s", lambda cost: cost.processor / cost.clusters),
            ("reads per cluster", "requests", lambda cost: cost.reads / cost.clusters),
            ("writes per cluster", "requests", lambda cost: cost.writes / cost.clusters),
            ("most memory of a function", "MiB", lambda cost: cost.memory),
            ("events given up", "events", lambda cost: float(cost.given_up)),
        ):
            base = value(costs[0])
            for cost in costs:
                title = f"{name[0].upper()}{name[1:]}, {what}"
                yield Figure(title, f"{cost.clusters} clusters", unit, [value(cost)], [base])
