"""The functions against a real API server that fails at random, and the state they end in.

Every answer may be lost before or after it took effect, put off, or replaced by what a broken
server or a load balancer says. By the seed it is always the same. What is there in the end, how
often it was written and what was told must be as without any of that.
"""

from __future__ import annotations

import io
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import urllib3

from functions.api.kinds import (
    CLUSTER,
    CONFIG_MAP,
    EVENT,
    PERSISTENT_VOLUME_CLAIM,
    POD_DISRUPTION_BUDGET,
    ROLE_BINDING,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    Ref,
)
from functions.api.manifest import Manifest
from functions.runtime.world import World
from tests.contract.api_server import ApiServer
from tests.contract.real_world import REPORTER, send, world

pytestmark = pytest.mark.contract

ORDER = ("scale", "reconcile-cluster", "observe", "roll")
OWNED = (
    SERVICE_ACCOUNT, ROLE_BINDING, SECRET, CONFIG_MAP, SERVICE, STATEFUL_SET,
    PERSISTENT_VOLUME_CLAIM, POD_DISRUPTION_BUDGET,
)  # fmt: skip
FAULTY_DELIVERIES = 30
MOST_ROUNDS = 20
RATE = 0.25
# Uids, hashes and times; what a namespace is called is in some hashes.
CHANCE = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{10,}|\d{4}-\d\d-\d\dT[\d:]+Z")


class FaultyPool(urllib3.PoolManager):
    """A pool of connections that loses, delays and replaces answers while `rate` is above 0."""

    def __init__(self, seed: int, ca: str) -> None:
        super().__init__(ca_certs=ca)
        self.rate = RATE
        self.faults: Counter[str] = Counter()
        self._chance = random.Random(seed)

    def request(self, *words: Any, **options: Any) -> Any:
        if self._chance.random() >= self.rate:
            return super().request(*words, **options)
        fault = self._chance.choice(list(FAULTS))
        self.faults[fault] += 1
        return FAULTS[fault](lambda: super(FaultyPool, self).request(*words, **options))


def _lose(_send: Callable[[], Any]) -> Any:
    raise urllib3.exceptions.ProtocolError("Connection reset by peer")


def _lose_the_answer(send: Callable[[], Any]) -> Any:
    send().drain_conn()
    raise urllib3.exceptions.ReadTimeoutError(None, "/", "Read timed out.")  # type: ignore[arg-type]


def _cut_the_answer(send: Callable[[], Any]) -> Any:
    answer = send()
    body = answer.read()
    return _answer(answer.status, body[: len(body) // 2])


def _say(code: int, body: bytes, headers: Mapping[str, str] | None = None) -> Any:
    return lambda _send: _answer(code, body, headers)


def _answer(code: int, body: bytes, headers: Mapping[str, str] | None = None) -> Any:
    given = dict(headers or {})
    return urllib3.HTTPResponse(io.BytesIO(body), given, code, preload_content=False)


def _status(code: int, reason: str) -> bytes:
    return json.dumps(
        {"kind": "Status", "code": code, "reason": reason, "message": "so it is"}
    ).encode()


FAULTS: dict[str, Callable[[Callable[[], Any]], Any]] = {
    "lost": _lose,
    "answer-lost": _lose_the_answer,
    "answer-cut": _cut_the_answer,
    "put-off": _say(429, b"Too many requests, please try again later.", {"Retry-After": "0"}),
    "busy": _say(429, _status(429, "TooManyRequests")),
    "conflict": _say(409, _status(409, "Conflict")),
    "internal": _say(500, _status(500, "InternalError")),
    "away": _say(503, b"upstream connect error"),
    "load-balancer-404": _say(404, b"<html>default backend - 404</html>"),
    "webhook-away": _say(500, _status(500, "InternalError")),
}


def create(server: ApiServer, namespace: str, seed: int | None) -> tuple[str, Counter[str]]:
    """Let the functions create a cluster; return what is there in the end, and what went wrong."""
    server.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    with FaultyPool(seed or 0, str(server.ca)) as pool:
        pool.rate = 0.0
        it = world(server, pool)
        metadata = {"name": "zk", "namespace": namespace}
        given = {"apiVersion": CLUSTER.api_version, "kind": CLUSTER.name, "metadata": metadata}
        it.kube.apply({**given, "spec": {"replicas": 3}}, manager="kubectl")
        if seed is not None:
            pool.rate = RATE
            for number in range(FAULTY_DELIVERIES):
                assert _deliver(it, ORDER[number % len(ORDER)], namespace) in (204, 409, 503)
            pool.rate = 0.0
        _settle(it, namespace)
        return _end_state(it, namespace), pool.faults


def _deliver(it: World, function: str, namespace: str) -> int:
    return send(it, function, Ref(CLUSTER, namespace, "zk"))


def _settle(it: World, namespace: str) -> None:
    """Deliver until nothing that is compared changes any more."""
    before = ""
    for _ in range(MOST_ROUNDS):
        for _ in range(2):
            for function in ORDER:
                assert _deliver(it, function, namespace) == 204
        found = _end_state(it, namespace)
        if found == before:
            return
        before = found
    raise AssertionError("it never settles")


def _end_state(it: World, namespace: str) -> str:
    cluster = it.kube.get(Ref(CLUSTER, namespace, "zk"))
    assert cluster is not None
    objects = [found for kind in OWNED for found in it.kube.list(kind, namespace)]
    ours = [_kept(found) for found in objects if found["metadata"].get("ownerReferences") or
            found["kind"] == PERSISTENT_VOLUME_CLAIM.name]  # fmt: skip
    # The API server tells of its own repairs (of cluster IPs), at moments of its own.
    told = sorted(
        f"{event['reason']}: {event['message']}"
        for event in it.kube.list(EVENT, namespace)
        if event.get("reportingComponent") == REPORTER
    )
    status = cluster["status"]
    status["conditions"] = sorted(status["conditions"], key=lambda c: str(c["type"]))
    text = json.dumps([_kept(cluster), status, ours, told], indent=1, sort_keys=True)
    return CHANCE.sub("chance", text.replace(namespace, "here"))


def _kept(found: Manifest) -> Manifest:
    """Return what does not depend on when and where; the generation counts how often it changed."""
    names = ("name", "labels", "annotations", "finalizers", "generation")
    metadata = {name: found["metadata"].get(name) for name in names}
    spec = dict(found.get("spec", {}))
    for given in ("clusterIP", "clusterIPs"):
        spec.pop(given, None)
    return {"kind": found["kind"], "metadata": metadata, "spec": spec, "data": found.get("data")}


@pytest.fixture(scope="module")
def wanted(api_server: ApiServer) -> str:
    """What is there when nothing goes wrong."""
    found, faults = create(api_server, "faultless", None)
    assert not faults
    assert "always the same" not in found
    assert found.count('"kind": "StatefulSet"') >= 1
    return found


@pytest.mark.parametrize(
    "seed", [*range(1, 4), *(pytest.param(n, marks=pytest.mark.soak) for n in range(4, 40))]
)
def test_faults_at_random_end_in_the_same_state(
    api_server: ApiServer, wanted: str, seed: int
) -> None:
    found, faults = create(api_server, f"faulty-{seed}", seed)
    assert faults.total() >= 5, "hardly anything went wrong"
    assert found == wanted
