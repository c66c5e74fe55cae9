"""Each function under its own ServiceAccount, with just the rights it needs, and never refused."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from local import audit
from local.platform.handle import Platform
from local.platform.state import State
from tests.system.clusters import FUNCTIONS, FUNCTIONS_NAMESPACE, Cluster, now

pytestmark = pytest.mark.system

STARTING_SECONDS = 10.0
READS = frozenset({"get", "list", "watch"})
# Everybody may ask what they may do; Kubernetes grants that to all.
QUESTIONS = frozenset({"authorization.k8s.io", "authentication.k8s.io"})

# All that each function may change, in every namespace: (verb, resource).
MAY_CHANGE: dict[str, set[tuple[str, str]]] = {
    "observe": {("patch", "zookeeperclusters/status"), ("create", "events")},
    "scale": {
        ("patch", "zookeeperclusters/status"),
        ("delete", "pods"),
        *((verb, "persistentvolumeclaims") for verb in ("create", "delete")),
        ("patch", "statefulsets"),
        *((verb, "poddisruptionbudgets") for verb in ("create", "patch", "delete")),
        ("create", "events"),
    },
    "roll": {
        ("patch", "zookeeperclusters/status"),
        ("delete", "pods"),
        ("create", "pods/eviction"),
        ("create", "events"),
    },
    "reconcile-cluster": {
        ("patch", "zookeeperclusters"),
        ("patch", "zookeeperclusters/status"),
        *((verb, r) for verb in ("create", "patch") for r in ("serviceaccounts", "configmaps")),
        *((verb, r) for verb in ("create", "patch") for r in ("services", "rolebindings")),
        ("update", "services"),
        *((verb, "networkpolicies") for verb in ("create", "patch", "delete")),
        *((verb, "secrets") for verb in ("create", "update")),
        *((verb, "servicemonitors") for verb in ("create", "patch", "delete")),
        *((verb, "prometheusrules") for verb in ("create", "patch", "delete")),
        *((verb, "certificates") for verb in ("create", "patch", "delete")),
        *((verb, "statefulsets") for verb in ("create", "patch", "delete")),
        ("delete", "persistentvolumeclaims"),
        ("bind", "clusterroles"),
        ("create", "events"),
    },
    "backup": {
        ("patch", "zookeeperbackups/status"),
        *((verb, "jobs") for verb in ("create", "delete")),
        *((verb, "cronjobs") for verb in ("create", "patch")),
        ("create", "events"),
    },
    "restore": {
        ("patch", "zookeeperrestores"),
        ("patch", "zookeeperrestores/status"),
        ("patch", "zookeeperclusters/status"),
        *((verb, "jobs") for verb in ("create", "delete")),
        ("create", "events"),
    },
    "resync": set(),
    "dead-letter": {("create", "events")},
}


@pytest.fixture(scope="module")
def single(product: Platform, shared_namespace: str) -> Cluster:
    cluster = Cluster(product, shared_namespace)
    cluster.apply()
    cluster.until_settled()
    return cluster


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_change_just_what_it_owns(
    product: Platform, namespace: str, function: str
) -> None:
    rules = _rules(product, namespace, function)
    found = {
        (verb, resource)
        for rule in rules
        if not QUESTIONS & set(rule["apiGroups"])
        for verb in rule["verbs"]
        for resource in rule["resources"]
        if verb not in READS
    }
    assert found == MAY_CHANGE[function]
    assert "*" not in json.dumps(rules), "no right is given for everything"


def test_reconcile_cluster_may_give_the_servers_role_only(
    product: Platform, namespace: str
) -> None:
    bound = [r for r in _rules(product, namespace, "reconcile-cluster") if "bind" in r["verbs"]]
    assert [rule["resourceNames"] for rule in bound] == [["zookeeper-functions-server"]]


def test_what_a_function_may_not_do_is_refused(single: Cluster) -> None:
    as_observe = f"--as={audit.SERVICE_ACCOUNT}{FUNCTIONS_NAMESPACE}:observe"
    as_resync = f"--as={audit.SERVICE_ACCOUNT}{FUNCTIONS_NAMESPACE}:resync"
    for words in (
        ("delete", "pod", "zk-0", as_observe),
        ("scale", "statefulset", "zk", "--replicas=0", as_observe),
        ("patch", "zkcluster", "zk", "--type=merge", "-p", '{"spec":{"replicas":2}}', as_observe),
        ("get", "secret", "zk-super-user", as_observe),
        ("delete", "zkcluster", "zk", as_resync),
        ("get", "secret", "zk-super-user", as_resync),
        ("patch", "zkcluster", "zk", "--subresource=status", "--type=merge", "-p", "{}", as_resync),
    ):
        refused = single.kubectl(*words, check=False)
        assert (words, refused.returncode) == (words, 1)
        assert "forbidden" in refused.stderr.lower()
    single.until_settled()


def test_each_function_acts_as_itself_and_writes_its_slice_only(cluster: Cluster) -> None:
    since = now()
    cluster.apply(clearPersistence=True)
    cluster.until_settled()
    cluster.kubectl("delete", "zkcluster", "zk", "--timeout=60s")
    calls = cluster.calls(since)
    movers = {"reconcile-cluster", "observe", "scale", "roll"}
    # A cluster wakes those that may mention it, too; they look, and nothing is theirs to write.
    lookers = {"backup", "restore"}
    assert {c.user.rpartition(":")[2] for c in calls} - lookers == movers
    assert not _written(c for c in calls if c.user.rpartition(":")[2] in lookers)
    for name in movers:
        written = _written(c for c in calls if c.user.endswith(f":{name}"))
        assert written
        assert written <= MAY_CHANGE[name]
    accounts = _accounts(cluster.platform)
    assert accounts == {name: name for name in FUNCTIONS}


def test_every_condition_and_status_field_has_one_writer(single: Cluster) -> None:
    shown = single.kubectl("get", "zkcluster", "zk", "--show-managed-fields", "-o", "json").stdout
    fields: dict[str, set[str]] = {}
    for entry in json.loads(shown)["metadata"]["managedFields"]:
        for name in entry["fieldsV1"].get("f:status", {}):
            if name != "f:conditions":
                fields.setdefault(name, set()).add(entry["manager"])
        for name in entry["fieldsV1"].get("f:status", {}).get("f:conditions", {}):
            fields.setdefault(name, set()).add(entry["manager"])
    assert {name: len(writers) for name, writers in fields.items()} == dict.fromkeys(fields, 1)
    assert {m for writers in fields.values() for m in writers} == {
        "reconcile-cluster",
        "observe",
        "scale",
        "roll",
    }


def test_no_function_was_denied_anything_by_its_roles(product: Platform) -> None:
    """Of all tests so far; while it starts the API server denies what it will allow (tried)."""
    account = f"{audit.SERVICE_ACCOUNT}{FUNCTIONS_NAMESPACE}:"
    found = audit.calls(product.state / "logs")
    ours = [call for call in found if call.user.startswith(account)]
    assert len({call.user for call in ours}) >= len(FUNCTIONS) - 1
    up = State(product.state).parts()["kube-apiserver"]["since"]
    denied = [call for call in ours if call.is_denied]
    assert [str(c) for c in denied if abs(c.at.timestamp() - up) > STARTING_SECONDS] == []


def _rules(platform: Platform, namespace: str, function: str) -> list[dict[str, Any]]:
    """Return what the API server says the function's account may do."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    who = f"--as={audit.SERVICE_ACCOUNT}{FUNCTIONS_NAMESPACE}:{function}"
    groups = ("--as-group=system:authenticated", "--as-group=system:serviceaccounts")
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    words = ("create", "--raw", path, "-f", "-", who, *groups)
    said = platform.kubectl(*words, input=json.dumps(review)).stdout
    found: list[dict[str, Any]] = json.loads(said)["status"]["resourceRules"]
    return found


def _written(calls: Iterable[audit.Call]) -> set[tuple[str, str]]:
    return {
        (call.verb, "/".join(part for part in (call.resource, call.subresource) if part))
        for call in calls
        if call.is_write
    }


def _accounts(platform: Platform) -> dict[str, str]:
    """Return function to the ServiceAccount its pod runs under."""
    pods = platform.kubectl("-n", FUNCTIONS_NAMESPACE, "get", "pods", "-o", "json").stdout
    return {
        next(name for name in FUNCTIONS if pod["metadata"]["name"].startswith(f"{name}-")): pod[
            "spec"
        ]["serviceAccountName"]
        for pod in json.loads(pods)["items"]
    }
