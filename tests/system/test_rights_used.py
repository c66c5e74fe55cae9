"""Every right of every role is used: one run through all that the functions do, in a namespace that
takes only restricted pods, and then the API server's audit log against the roles."""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial

import pytest

from local import audit, rights
from local.platform.handle import Platform
from local.stores import place
from tests.system.backups import backup, give_keys, location, restore
from tests.system.clusters import FUNCTIONS_NAMESPACE, Cluster, now
from tests.system.disks import lose, until_lost
from tests.system.rest import Manifest

pytestmark = [pytest.mark.system, pytest.mark.soak]

# The kinds of the Prometheus operator and of cert-manager, without them.
OPTIONAL = ("-f", "tests/monitoring_crds.yaml", "-f", "tests/cert_manager_crd.yaml")
API_VERSIONS = {"Pod": "v1", "Job": "batch/v1"}
# Knative refuses an ApiServerSource whose account may not get, list and watch each of its kinds.
# Here it is the laptop's own eventing that watches. tests/unit/test_config_agrees.py has the kinds.
DEMANDED_BY_KNATIVE = "zookeeper-functions-zookeeper-events"


def test_nothing_is_granted_that_nobody_uses(cluster: Cluster) -> None:
    since = now()
    cluster.kubectl("apply", *OPTIONAL)
    give_keys(cluster)
    _comes_up_and_changes_size(cluster)
    _rolls(cluster)
    _loses_a_majority(cluster)
    _is_backed_up_and_restored(cluster)
    _is_left_to_dead_letter(cluster)
    # The servers' own binding goes with the cluster.
    roles = _roles(cluster.platform)
    cluster.kubectl("delete", "zkcluster", "zk", "--timeout=60s")
    cluster.kubectl("delete", *OPTIONAL, "--wait=false")
    assert "\n".join(_unused(cluster.platform, roles, since)) == ""


def _comes_up_and_changes_size(cluster: Cluster) -> None:
    # As on OpenShift, which gives each namespace a range of users that no image knows.
    user = {"runAsUser": 1000710000, "runAsGroup": 0, "fsGroup": 1000710000}
    cluster.apply(
        storage={"size": "1Gi", "onScaleDown": "Delete"},
        clearPersistence=True,
        pod={"securityContext": user},
    )
    cluster.until_settled()
    cluster.patch({"replicas": 3})
    cluster.until_settled(90)
    cluster.patch({"replicas": 1})
    cluster.until(lambda: not cluster.get("pvc", "data-zk-1"), "the volumes left behind to go")
    cluster.until_settled()
    other = [{"op": "add", "path": "/spec/ports/-", "value": {"name": "theirs", "port": 99}}]
    cluster.kubectl("patch", "service", "zk-client", "--type=json", "-p", json.dumps(other))
    cluster.until(lambda: len(cluster.get("service", "zk-client")["spec"]["ports"]) == 1, "mended")


def _rolls(cluster: Cluster) -> None:
    """With one voter a pod is deleted; with three it is evicted."""
    cluster.patch({"restartedAt": "2026-01-01T00:00:00Z"})
    cluster.until_settled(90)
    cluster.patch({"replicas": 3})
    cluster.until_settled(90)
    # The password of the super user is written once for it, and once afterwards.
    cluster.patch({"superUser": {"rotatedAt": "2026-01-02T00:00:00Z"}})
    cluster.until_settled(120)


def _loses_a_majority(cluster: Cluster) -> None:
    lose(cluster, "zk-0", "zk-1")
    until_lost(cluster)
    incident = cluster.status()["incident"]
    cluster.patch({"recovery": {"incident": incident, "continueFrom": "zk-2"}})
    cluster.until_settled(90)
    _drops_what_is_optional(cluster)
    _asks_for_a_certificate(cluster)


def _drops_what_is_optional(cluster: Cluster) -> None:
    labels = {"labels": {"release": "prometheus"}}
    cluster.patch({"metrics": {"serviceMonitor": labels, "prometheusRule": labels}})
    cluster.until_settled()
    off = {"enabled": False}
    metrics = {"serviceMonitor": off, "prometheusRule": off}
    cluster.patch({"disruptionBudget": off, "networkPolicy": off, "metrics": metrics})
    cluster.until(lambda: not cluster.get("poddisruptionbudget"), "no budget")
    cluster.until(lambda: not cluster.get("networkpolicy", "zk-servers"), "no policy")


def _asks_for_a_certificate(cluster: Cluster) -> None:
    """Nobody issues it, so no server ever changes."""
    tls = {"client": {"secretName": "certs"}, "issuerRef": {"name": "company"}}
    for issuer in ("company", "another"):
        cluster.patch({"tls": {**tls, "issuerRef": {"name": issuer}}})
        cluster.until(partial(_is_asked, cluster, issuer), f"{issuer} to be asked")
    cluster.patch({"tls": None})
    cluster.until(lambda: not _asked(cluster), "the certificate to go")
    cluster.until_settled()


def _is_asked(cluster: Cluster, issuer: str) -> bool:
    return bool(_asked(cluster)) and _asked(cluster)["spec"]["issuerRef"]["name"] == issuer


def _asked(cluster: Cluster) -> Manifest:
    return cluster.get("certificate", "zk-tls-client")


def _is_backed_up_and_restored(cluster: Cluster) -> None:
    target = location(place.S3)
    once = backup(cluster, "once", target)
    (record,) = once.until_over()["record"]
    minutely = {"mode": "schedule", "schedule": "* * * * *", "retention": {"keepLast": 1}}
    made = backup(cluster, "minutely", target, **minutely)
    first = made.until(made.records, "a first backup", 100)[0]["key"]
    made.until(lambda: [r for r in made.records() if r["key"] != first], "a second", 100)
    made.until(lambda: len(made.records()) == 1, "the end of the first")
    made.patch({"suspend": True})
    made.until(lambda: made.word == "suspend", "the end of the schedule")
    put = restore(cluster, "back", location(place.S3, key=record["key"]))
    assert put.until_over(180)["status"] == "restarted"
    cluster.kubectl("delete", "zkrestore", "back", "--timeout=60s")
    cluster.until_settled()


def _is_left_to_dead_letter(cluster: Cluster) -> None:
    """Events of every kind that names an object differently, as Knative hands them over."""
    subjects = {"ZooKeeperCluster": "zk", "Pod": "zk-0", "ZooKeeperBackup": "once",
                "Job": "backup-once", "ZooKeeperRestore": "back"}  # fmt: skip
    url = f"http://dead-letter.{FUNCTIONS_NAMESPACE}.svc.cluster.local/"
    for kind, name in subjects.items():
        event = {
            "specversion": "1.0", "id": "1", "source": "/tests", "namespace": cluster.namespace,
            "type": "dev.knative.apiserver.ref.update", "kind": kind, "name": name,
            "apiversion": API_VERSIONS.get(kind, "zookeeper.example.com/v1alpha1"),
        }  # fmt: skip
        headers = [word for key, value in event.items() for word in ("-H", f"ce-{key}: {value}")]
        cluster.platform.run("curl", "-sSf", "-m", "20", *headers, "-d", "", url)


def _roles(platform: Platform) -> list[Manifest]:
    shown = platform.kubectl("get", rights.KINDS, "-A", "-o", "json").stdout
    return list(json.loads(shown)["items"])


def _unused(platform: Platform, roles: list[Manifest], since: datetime) -> list[str]:
    found = rights.uses(roles, audit.calls(platform.state / "logs", since))
    return [
        f"{use.role} never needs: {right}"
        for use in found
        for right in use.unused
        if use.role != DEMANDED_BY_KNATIVE
    ]
