"""What is deployed belongs together: Procfile, Knative Services, Triggers, rights, modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from functions.api.kinds import KINDS

ROOT = Path(__file__).parents[2]
NAMESPACE = "zookeeper-functions"
# What is inside the package but is no function of its own.
LAYERS = {
    "api", "planning", "manifests", "adapters", "backups", "runtime", "pods", "persistence"
}  # fmt: skip


def _documents(*paths: str) -> list[dict[str, Any]]:
    texts = [(ROOT / path).read_text() for path in paths]
    return [document for text in texts for document in yaml.safe_load_all(text)]


def _procfile() -> dict[str, list[str]]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {name: command.split() for name, _, command in (line.partition(":") for line in lines)}


SERVICES = {d["metadata"]["name"]: d for d in _documents("config/base/functions.yaml")}
TRIGGERS = {d["metadata"]["name"]: d for d in _documents("sources/triggers.yaml")}


def test_procfile_services_and_modules_name_the_same_functions() -> None:
    modules = {
        path.stem.replace("_", "-")
        for path in (ROOT / "functions").glob("*.py")
        if not path.stem.startswith("__")
    }
    assert modules == set(_procfile()) == set(SERVICES)
    assert {
        p.name for p in (ROOT / "functions").iterdir() if (p / "__init__.py").exists()
    } == LAYERS


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_runs_its_line_of_the_procfile_under_its_own_account(name: str) -> None:
    spec = SERVICES[name]["spec"]["template"]["spec"]
    container = spec["containers"][0]
    assert [*container["command"], *container["args"]] == _procfile()[name]
    assert spec["serviceAccountName"] == name


@pytest.mark.parametrize("name", sorted(TRIGGERS))
def test_a_trigger_delivers_to_the_function_of_its_name(name: str) -> None:
    ref = TRIGGERS[name]["spec"]["subscriber"]["ref"]
    assert (ref["kind"], ref["name"], ref["namespace"]) == ("Service", name, NAMESPACE)


def test_every_function_but_the_dead_letters_has_a_trigger() -> None:
    assert set(TRIGGERS) == set(SERVICES) - {"dead-letter"}
    broker = _documents("sources/broker.yaml")[0]
    assert broker["spec"]["delivery"]["deadLetterSink"]["ref"]["name"] == "dead-letter"


def test_every_account_has_one_role_and_nothing_is_granted_with_a_star() -> None:
    rbac = _documents("config/base/rbac.yaml")
    accounts = {d["metadata"]["name"] for d in rbac if d["kind"] == "ServiceAccount"}
    bound = {d["subjects"][0]["name"] for d in rbac if d["kind"] == "ClusterRoleBinding"}
    assert accounts == bound == {*SERVICES, "zookeeper-events"}
    for role in (d for d in rbac if d["kind"] == "ClusterRole"):
        words = [w for rule in role["rules"] for key in rule for w in rule[key]]
        assert "*" not in words, role["metadata"]["name"]


def test_the_event_source_may_watch_exactly_what_it_watches() -> None:
    source = _documents("sources/api-server-source.yaml")[0]
    watched = {KINDS[r["apiVersion"], r["kind"]].plural for r in source["spec"]["resources"]}
    roles = {d["metadata"]["name"]: d for d in _documents("config/base/rbac.yaml")[::1]
             if d["kind"] == "ClusterRole"}  # fmt: skip
    rules = roles["zookeeper-functions-zookeeper-events"]["rules"]
    assert watched == {resource for rule in rules for resource in rule["resources"]}
    assert all(set(rule["verbs"]) == {"get", "list", "watch"} for rule in rules)


def test_each_object_a_cluster_owns_is_watched() -> None:
    from functions.api.cluster import ZooKeeperCluster
    from functions.manifests.owned import owned_refs

    cluster = ZooKeeperCluster.parse({"metadata": {"name": "zk"}, "spec": {}})
    source = _documents("sources/api-server-source.yaml")[0]
    watched = {resource["kind"] for resource in source["spec"]["resources"]}
    # Secrets are not watched; resync covers them (docs/concepts.md).
    assert {ref.kind.name for ref in owned_refs(cluster)} - {"Secret"} <= watched


def test_all_functions_are_told_of_the_one_broker() -> None:
    """resync compares pods with what reconcile-cluster makes of them, this address included."""
    told = {
        name: [e["value"] for e in container["env"] if e["name"] in ("K_SINK", "BROKER_URL")]
        for name, service in SERVICES.items()
        for container in service["spec"]["template"]["spec"]["containers"]
    }
    broker = _documents("sources/broker.yaml")[0]["metadata"]
    host = "http://broker-ingress.knative-eventing.svc.cluster.local"
    address = f"{host}/{broker['namespace']}/{broker['name']}"
    assert told["reconcile-cluster"] == told["resync"] == [address]
