"""A policy of the Kubernetes cluster's owner that refuses what is ours, on the real API server.

One cluster and its backup come to be, and at each step the policy refuses the next kind of object.
What it refuses is in a ConfigMap, its parameter, which takes effect at once; the policy itself
takes a second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import urllib3

from functions.adapters.memory.zookeeper import MemoryEnsemble, MemoryZooKeeper
from functions.api.kinds import (
    BACKUP,
    CLUSTER,
    EVENT,
    JOB,
    PERSISTENT_VOLUME_CLAIM,
    POD_DISRUPTION_BUDGET,
    STATEFUL_SET,
    Kind,
    Ref,
)
from functions.api.manifest import Manifest
from functions.planning.ensemble import EnsembleConfig
from functions.planning.member_list import parse_member
from tests.contract.api_server import ApiServer
from tests.contract.processes import until
from tests.contract.real_world import send, world

pytestmark = pytest.mark.contract

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
NAME = "the-owners-rules"
POLICY = {
    "metadata": {"name": NAME},
    "spec": {
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": ["", "apps", "batch", "policy"],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": ["configmaps", "statefulsets", "persistentvolumeclaims",
                                  "poddisruptionbudgets", "jobs"],
                }
            ]
        },
        "validations": [
            {
                "expression": "request.resource.resource != params.data.refused "
                "&& object.metadata.name != 'probe'",
                "messageExpression": "'no ' + params.data.refused + ' here, ask the owner'",
            }
        ],
    },
}  # fmt: skip
SAID = (
    f"ValidatingAdmissionPolicy '{NAME}' with binding '{NAME}' denied request: no {{}} here, ask "
    "the owner"
)
ADDRESS = "10.0.0.7"
LINE = "server.1=zk-0.zk:2888:3888:participant;0.0.0.0:2181"
REVISION = "zk-1"
MOST_ROUNDS = 12
WISHES: dict[Kind, Any] = {
    CLUSTER: {"replicas": 1},
    BACKUP: {"source": {"name": "zk"}, "target": {"s3": {"bucket": "b"}}},
}
ORDER = (("scale", CLUSTER), ("reconcile-cluster", CLUSTER), ("observe", CLUSTER),
         ("roll", CLUSTER), ("backup", BACKUP))  # fmt: skip


@dataclass(frozen=True)
class Refused:
    """A kind that may not be made, the condition that says so, and those that stay as they are."""

    kind: Kind
    of: Kind
    condition: str
    unharmed: tuple[str, ...] = ()


STORY = (
    Refused(PERSISTENT_VOLUME_CLAIM, CLUSTER, "Scaled"),
    Refused(STATEFUL_SET, CLUSTER, "Reconciled"),
    Refused(POD_DISRUPTION_BUDGET, CLUSTER, "Scaled", ("Available", "Reconciled", "Updated")),
    Refused(JOB, BACKUP, "Scheduled", ("Available", "Reconciled", "Updated", "Scaled")),
)


class CountingPool(urllib3.PoolManager):
    """A pool of connections that counts what is written through it, and what of it is refused."""

    def __init__(self, ca: str) -> None:
        super().__init__(ca_certs=ca)
        self.count: Counter[str] = Counter()

    def request(self, method: str, *words: Any, **options: Any) -> Any:
        answer = super().request(method, *words, **options)
        if method != "GET":
            self.count["made" if answer.status < 300 else "refused"] += 1
        return answer


@dataclass
class Owned:
    """A namespace whose owner has a policy; the server's pod and the controllers are played."""

    server: ApiServer
    namespace: str
    pool: CountingPool
    zookeeper: MemoryZooKeeper = field(default_factory=MemoryZooKeeper)

    def __post_init__(self) -> None:
        self.world = world(self.server, self.pool, self.zookeeper)

    def path(self, kind: Kind, name: str = "") -> str:
        group = "apis" if "/" in kind.api_version else "api"
        folder = f"/{group}/{kind.api_version}/namespaces/{self.namespace}/{kind.plural}"
        return f"{folder}/{name}" if name else folder

    def wish(self, kind: Kind) -> None:
        """Do what a user does."""
        if self._found(kind) is None:
            given = {"apiVersion": kind.api_version, "kind": kind.name}
            manifest = {**given, "metadata": {"name": "zk"}, "spec": WISHES[kind]}
            self.server.call("POST", self.path(kind), manifest)

    def refuse(self, what: str) -> None:
        """Let the policy refuse another kind; returns when it does."""
        rules = {"metadata": {"name": "rules"}, "data": {"refused": what}}
        configs = f"/api/v1/namespaces/{self.namespace}/configmaps"
        has_rules = self.server.ask("GET", f"{configs}/rules")[0] == 200
        self.server.call("PUT", f"{configs}/rules", rules) if has_rules else self.server.call(
            "POST", configs, rules
        )
        until(lambda: f"no {what} here" in self._probe(), f"{what} are refused")

    def give_up(self) -> None:
        """Take the policy away; returns when it has no effect any more."""
        self.server.call("DELETE", f"{ADMISSION}/validatingadmissionpolicybindings/{NAME}")
        self.server.call("DELETE", f"{ADMISSION}/validatingadmissionpolicies/{NAME}")
        until(lambda: not self._probe(), "nothing is refused any more")

    def _probe(self) -> str:
        """Return why an object is refused that the policy always refuses."""
        body = {"metadata": {"name": "probe"}}
        path = f"/api/v1/namespaces/{self.namespace}/configmaps"
        status, answer = self.server.ask("POST", path, body, dryRun="All")
        return "" if status < 300 else str(answer["message"])

    def settle(self) -> Counter[str]:
        """Deliver events until nothing is written; return what the last ones still asked for."""
        for _ in range(MOST_ROUNDS):
            self._play()
            self.pool.count.clear()
            for function, kind in ORDER:
                assert send(self.world, function, Ref(kind, self.namespace, "zk")) == 204
            if not self.pool.count["made"]:
                return self.pool.count
        raise AssertionError("it never settles")

    def _play(self) -> None:
        """Be the controllers and the node: make the pod, and say what was seen."""
        found = self._found(STATEFUL_SET)
        if found is not None:
            seen = {"replicas": 1, "updateRevision": REVISION}
            self._observe(STATEFUL_SET, found, seen)
            if self._found(PERSISTENT_VOLUME_CLAIM, "data-zk-0") and not self.zookeeper.ensembles:
                self._run(found)
        if (budget := self._found(POD_DISRUPTION_BUDGET)) is not None:
            healthy = dict.fromkeys(("currentHealthy", "desiredHealthy", "expectedPods"), 1)
            self._observe(POD_DISRUPTION_BUDGET, budget, {"disruptionsAllowed": 0, **healthy})

    def _observe(self, kind: Kind, found: Manifest, status: dict[str, Any]) -> None:
        status["observedGeneration"] = found["metadata"]["generation"]
        if found.get("status", {}).get("observedGeneration") != status["observedGeneration"]:
            self.server.call("PUT", f"{self.path(kind, 'zk')}/status", {**found, "status": status})

    def _run(self, found: Manifest) -> None:
        template = found["spec"]["template"]["metadata"]
        labels = template["labels"] | {"controller-revision-hash": REVISION}
        metadata = {"name": "zk-0", "labels": labels, "annotations": template["annotations"]}
        pods = f"/api/v1/namespaces/{self.namespace}/pods"
        containers = [{"name": "zookeeper", "image": "none"}]
        pod = self.server.call(
            "POST", pods, {"metadata": metadata, "spec": {"containers": containers}}
        )
        ready = [{"type": "Ready", "status": "True"}]
        status = {"phase": "Running", "podIP": ADDRESS, "conditions": ready}
        self.server.call("PUT", f"{pods}/zk-0/status", {**pod, "status": status})
        ensemble = MemoryEnsemble(EnsembleConfig(0x100000000, (parse_member(LINE),)))
        ensemble.add(1, ADDRESS)
        self.zookeeper.ensembles.append(ensemble)

    def _found(self, kind: Kind, name: str = "zk") -> Manifest | None:
        status, answer = self.server.ask("GET", self.path(kind, name))
        return answer if status == 200 else None

    def conditions(self, kind: Kind) -> dict[str, tuple[str, str, str]]:
        found = self._found(kind)
        assert found is not None
        return {
            c["type"]: (c["status"], c["reason"], c["message"])
            for c in found["status"]["conditions"]
        }

    def warnings(self) -> list[str]:
        events = self.server.call("GET", self.path(EVENT))["items"]
        return [it["message"] for it in events if it["reason"] == "Denied"]


@pytest.fixture
def owned(api_server: ApiServer, namespace: str) -> Iterator[Owned]:
    """A namespace with nothing in it, and a policy that refuses nothing yet."""
    with CountingPool(str(api_server.ca)) as pool:
        it = Owned(api_server, namespace, pool)
        binding = {
            "metadata": {"name": NAME},
            "spec": {
                "policyName": NAME,
                "paramRef": {"name": "rules", "parameterNotFoundAction": "Allow"},
                "matchResources": {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
                },
                "validationActions": ["Deny"],
            },
        }
        api_server.call("POST", f"{ADMISSION}/validatingadmissionpolicies", POLICY)
        api_server.call("POST", f"{ADMISSION}/validatingadmissionpolicybindings", binding)
        yield it


def test_what_a_policy_refuses_is_told_once_and_made_once_it_may_be(owned: Owned) -> None:
    for refused in STORY:
        plural = refused.kind.plural
        owned.refuse(plural)
        owned.wish(refused.of)
        asked = owned.settle()
        told = owned.conditions(refused.of)
        assert told[refused.condition][:2] == ("False", "Denied"), told
        assert SAID.format(plural) in told[refused.condition][2], "as docs/conditions.md shows it"
        assert asked["refused"] == 1, "it is tried once a look, and nothing is written"
        warned = [said for said in owned.warnings() if f"no {plural} here" in said]
        assert len(warned) == 1
        found = owned.conditions(CLUSTER)
        assert {name: found[name][0] for name in refused.unharmed} == dict.fromkeys(
            refused.unharmed, "True"
        )
        denied = [name for name, (_, reason, _) in found.items() if reason == "Denied"]
        assert denied == ([refused.condition] if refused.of == CLUSTER else []), "others healed"
    owned.give_up()
    assert not +owned.settle(), "an idle cluster asks for nothing"
    assert owned.conditions(BACKUP)["Scheduled"][:2] == ("True", "AsWanted")
    assert owned.server.call("GET", owned.path(JOB))["items"]
    assert len(owned.warnings()) == len(STORY)
