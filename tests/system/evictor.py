"""Evicts every Ready pod that the API server lets go, and watches whether a majority runs.

`python -m tests.system.evictor NAMESPACE NAME FILE` runs inside the platform's network until
FILE.stop is there, then writes what it saw into FILE. A voter that runs answers `ruok`: while a
leader is elected the voters of a healthy majority serve nobody for a moment, but they run.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.words import ask, member_list
from tests.system import rest

PAUSE_SECONDS = 0.1
LARGEST = 5


class Watch:
    """How long in a row fewer than a majority of the voters ran."""

    def __init__(self, hosts: Mapping[int, str]) -> None:
        self._hosts = hosts
        self._pool = ThreadPoolExecutor(len(hosts))
        self._lost_at = 0.0
        self.looks = 0
        self.longest_lost = 0.0

    def look(self) -> None:
        lists = self._pool.map(member_list, self._hosts.values())
        _, voters = max(lists, key=lambda found: found[0])
        running = sum(self._pool.map(_runs, (self._hosts[number] for number in voters)))
        now = time.monotonic()
        if voters and running > len(voters) // 2:
            self._lost_at = now
        self.longest_lost = max(self.longest_lost, now - (self._lost_at or now))
        self.looks += 1


def _runs(host: str) -> bool:
    return ask(host, "ruok") == "imok"


def main(namespace: str, name: str, file: Path) -> None:
    hosts = {n: f"{name}-{n - 1}.{name}.{namespace}.svc.cluster.local" for n in _ids()}
    watch, answers, over = Watch(hosts), Counter[int](), threading.Event()
    evictor = threading.Thread(target=_evict, args=(namespace, name, answers, over))
    evictor.start()
    while not file.with_suffix(".stop").exists():
        watch.look()
    over.set()
    evictor.join()
    seen = {"evicted": answers[201], "refused": answers[429], "looks": watch.looks}
    file.write_text(json.dumps({**seen, "longest_lost": round(watch.longest_lost, 3)}))


def _ids() -> range:
    return range(1, LARGEST + 1)


def _evict(namespace: str, name: str, answers: Counter[int], over: threading.Event) -> None:
    kubeconfig = Path(os.environ["KUBECONFIG"])
    dice = random.Random(1)
    while not over.wait(PAUSE_SECONDS):
        found = rest.get(kubeconfig, namespace, "pod", labelSelector=f"instance={name}")
        # The budget protects no pod that is not Ready: it would be evicted before it ever serves.
        if ready := [pod["metadata"]["name"] for pod in found["items"] if _is_ready(pod)]:
            answers[rest.evict(kubeconfig, namespace, dice.choice(ready))] += 1


def _is_ready(pod: rest.Manifest) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    is_ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return is_ready and "deletionTimestamp" not in pod["metadata"]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
