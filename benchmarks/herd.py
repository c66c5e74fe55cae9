"""What is done to many clusters at once: made, changed, their pods stirred, and waited for.

It runs inside the platform's network: `python -m benchmarks.herd make|change|stir|check COUNT`. To
make them it delivers events to the functions in this process, in a few rounds for all: the clusters
are there before the Triggers are, and what is measured starts from clusters that serve.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import urllib3

from benchmarks.hollow import LABEL
from functions import observe, reconcile_cluster, roll, scale
from functions.adapters.kubernetes import connect as connect_kubernetes
from functions.api.errors import FunctionError
from functions.api.kinds import CLUSTER, POD, Ref
from functions.runtime.connect import connect
from functions.runtime.events import Event, reference_event
from functions.runtime.function import FUNCTIONS, deliver
from functions.runtime.world import Kube, World

NAMESPACE = "herd"
# A list of pods costs the API server a look at all pods of the namespace.
TO_A_NAMESPACE = 10
CONDITIONS = frozenset({"Available", "QuorumHealthy", "Reconciled", "Scaled", "Updated"})
ORDER = ("scale", "reconcile-cluster", "scale", "observe", "roll")
MOST_ROUNDS = 40
ROUND_SECONDS = 1.0
# An event that was lost is made up for by resync within 15 seconds.
SETTLED_SECONDS = 60.0
REQUEST_SECONDS = 30.0
AT_ONCE = 8
STIRS = 10
MERGE = "application/merge-patch+json"
DEPLOYED = (observe, reconcile_cluster, roll, scale)

Manifest = dict[str, Any]


class Failed(Exception):
    """The clusters did not become what was asked for; says which ones."""


def namespaces(count: int) -> list[str]:
    """Return the namespaces of the first `count` clusters."""
    return [f"{NAMESPACE}-{number:03}" for number in range(-(-count // TO_A_NAMESPACE))]


def ref_of(number: int) -> Ref:
    return Ref(CLUSTER, f"{NAMESPACE}-{number // TO_A_NAMESPACE:03}", f"zk-{number:04}")


def _path_of(ref: Ref) -> str:
    return f"/apis/{CLUSTER.api_version}/namespaces/{ref.namespace}/{CLUSTER.plural}/{ref.name}"


def make(count: int) -> None:
    """Make the first `count` clusters, as far as they are not there yet, and settle them."""
    world = connect()
    # A line for each delivery would cost more than it tells.
    logging.getLogger("functions").setLevel(logging.WARNING)
    there = {found["metadata"]["name"] for found in world.kube.list(CLUSTER, None)}
    new = [ref for ref in map(ref_of, range(count)) if ref.name not in there]
    _at_once(lambda ref: world.kube.apply(_cluster(ref), manager="kubectl"), new)
    left = new
    for _ in range(MOST_ROUNDS):
        if not left:
            return
        for function in ORDER:
            _at_once(partial(_deliver, world, function), left)
        left = _unsettled(world.kube, left)
        _say(f"{len(left)} of {len(new)} new clusters are not settled yet")
        time.sleep(ROUND_SECONDS)
    raise Failed(f"{len(left)} clusters do not settle, {left[0].name} among them")


def change(count: int) -> None:
    """Change the spec of each."""
    told = {"spec": {"clientService": {"annotations": {"herd": str(time.time_ns())}}}}
    patch = _patcher()
    _at_once(lambda number: patch(_path_of(ref_of(number)), told), range(count))


def stir(count: int) -> None:
    """Change every pod ten times: each makes an event, and none of them matters."""
    patch = _patcher()

    def touch(told: tuple[int, Ref]) -> None:
        annotations = {"herd": f"{time.time_ns()}-{told[0]}"}
        pod = f"/api/v1/namespaces/{told[1].namespace}/{POD.plural}/{told[1].name}-0"
        patch(pod, {"metadata": {"annotations": annotations}})

    _at_once(touch, itertools.product(range(STIRS), map(ref_of, range(count))))


def check(count: int) -> None:
    """See that every condition of each is well, and of the spec as it is now."""
    api = connect_kubernetes()
    left = [ref_of(number) for number in range(count)]
    deadline = time.monotonic() + SETTLED_SECONDS
    while left := _unsettled(api, left):
        if time.monotonic() > deadline:
            raise Failed(f"{len(left)} clusters are not settled, {left[0].name} among them")
        time.sleep(ROUND_SECONDS)


def _cluster(ref: Ref) -> Manifest:
    """Return a small cluster that only the hollow node takes."""
    return {
        "apiVersion": CLUSTER.api_version,
        "kind": CLUSTER.name,
        "metadata": {"name": ref.name, "namespace": ref.namespace},
        "spec": {
            "replicas": 1,
            "storage": {"ephemeral": True},
            "pod": {
                "nodeSelector": {LABEL: "true"},
                "tolerations": [{"key": LABEL, "operator": "Exists"}],
            },
        },
    }


def _deliver(world: World, function: str, ref: Ref) -> None:
    attributes, data = reference_event(ref)
    answer = deliver(FUNCTIONS[function], Event({**attributes, "id": "1"}, data), lambda: world)
    if answer.status == 500:
        raise Failed(f"{function} answers {answer.status} about {ref.name}")


def _unsettled(api: Kube, refs: Iterable[Ref]) -> list[Ref]:
    found = {manifest["metadata"]["name"]: manifest for manifest in api.list(CLUSTER, None)}
    return [ref for ref in refs if not _is_settled(found[ref.name])]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _is_settled(cluster: Manifest) -> bool:
    generation = cluster["metadata"]["generation"]
    well = {
        condition["type"]
        for condition in cluster.get("status", {}).get("conditions", [])
        if condition["status"] == "True" and condition["observedGeneration"] == generation
    }
    return well >= CONDITIONS


def _patcher() -> Callable[[str, Manifest], None]:
    """Return what patches as a person does, beside the functions' own adapter."""
    import yaml

    with open(os.environ["KUBECONFIG"]) as file:  # noqa: PTH123 - the platform's own
        config = yaml.safe_load(file)
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    pool = urllib3.PoolManager(ca_certs=cluster["certificate-authority"], maxsize=AT_ONCE)
    headers = {"Authorization": f"Bearer {user['token']}", "Content-Type": MERGE}

    def patch(path: str, body: Manifest) -> None:
        answer = pool.request(
            "PATCH",
            f"{cluster['server']}{path}",
            json=body,
            headers=headers,
            timeout=REQUEST_SECONDS,
        )
        if answer.status >= 300:
            raise Failed(f"PATCH {path}: {answer.data[:300]!r}")

    return patch


def _at_once(work: Callable[[Any], object], items: Iterable[Any]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for _ in threads.map(work, items):
            pass


def main(words: list[str]) -> int:
    does = {"make": make, "change": change, "stir": stir, "check": check}
    try:
        does[words[0]](int(words[1]))
    except (Failed, FunctionError) as problem:
        _say(str(problem))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
