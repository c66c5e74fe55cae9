"""A cluster that learns TLS and forgets it again, on the memory twin."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from functions.api.kinds import CONFIG_MAP, NETWORK_POLICY, POD, SECRET, Ref
from functions.manifests.encryption import PHASES, encryption_of
from tests.certificates import authority, manifest

DOMAIN = "zk.apps.svc.cluster.local"
NAMES = (f"*.{DOMAIN}", "zk-client.apps.svc.cluster.local")
AUTHORITY = authority()
BOTH = {"client": {"secretName": "certs"}, "quorum": {"secretName": "certs"}}


def _issue(simulation: Any) -> None:
    """Make the Secret, or put another certificate into it."""
    secret = manifest("certs", "apps", AUTHORITY.secret(*NAMES))
    simulation.kube.apply(secret, manager="cert-manager", force=True)


def _phases(simulation: Any) -> list[str]:
    pods = simulation.kube.list(POD, "apps")
    return [encryption_of(pod["metadata"]["annotations"]).phase.value for pod in pods]


def _uids(simulation: Any) -> set[str]:
    return {pod["metadata"]["uid"] for pod in simulation.kube.list(POD, "apps")}


def _zoo_cfg(simulation: Any) -> str:
    found = simulation.kube.get(Ref(CONFIG_MAP, "apps", "zk-config"))
    return str(found["data"]["zoo.cfg"])


def _settle_by_steps(simulation: Any) -> list[list[str]]:
    """Let all happen, and return the phases of the pods after each round."""
    seen = []
    for _ in range(80):
        written = simulation.round()
        changed = simulation.kubernetes()
        seen.append(_phases(simulation))
        if not written and not changed:
            return seen
    raise AssertionError("it never settles")


def _all_understand(phases: list[str]) -> bool:
    places = [[phase.value for phase in PHASES].index(phase) for phase in phases]
    return all(abs(one - other) <= 1 for one, other in itertools.combinations(places, 2))


@pytest.mark.thorough
def test_a_running_cluster_goes_to_tls_and_back_in_steps_that_understand_each_other(
    simulation: Any,
) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    assert simulation.condition("Secured") == ("", "")
    _issue(simulation)
    simulation.apply(replicas=3, tls=BOTH)
    there = _settle_by_steps(simulation)
    assert _phases(simulation) == ["require"] * 3
    assert simulation.condition("Secured") == ("True", "AsWanted")
    assert simulation.condition("Updated") == ("True", "AsWanted")
    assert "sslQuorum=true\nportUnification=false\n" in _zoo_cfg(simulation)
    assert simulation.cluster().status.endpoints.secure_client.endswith(":2281")

    simulation.apply(replicas=3)
    back = _settle_by_steps(simulation)
    assert _phases(simulation) == ["plain"] * 3
    assert simulation.condition("Secured") == ("", "")
    assert "ssl" not in _zoo_cfg(simulation)
    assert all(map(_all_understand, (*there, *back)))
    assert {"accept", "speak"} <= {phase for phases in there for phase in phases}
    assert simulation.round() == 0


def test_a_new_cluster_waits_for_its_secret_and_starts_with_tls(simulation: Any) -> None:
    simulation.apply(replicas=3, tls=BOTH)
    simulation.settle()
    assert simulation.pods() == []
    assert simulation.condition("Reconciled") == ("False", "CertificateUnusable")
    assert "CertificateUnusable" in simulation.events()
    _issue(simulation)
    simulation.settle()
    assert _phases(simulation) == ["require"] * 3
    assert simulation.condition("Secured") == ("True", "AsWanted")


def test_a_secret_that_is_lost_stops_changes_and_no_server(simulation: Any) -> None:
    _issue(simulation)
    simulation.apply(replicas=3, tls=BOTH)
    simulation.settle()
    before = _uids(simulation)
    ref = Ref(SECRET, "apps", "certs")
    simulation.kube.delete(ref, uid=simulation.kube.get(ref)["metadata"]["uid"])
    simulation.settle()
    assert simulation.condition("Secured") == ("False", "CertificateUnusable")
    assert simulation.condition("Available")[0] == "True"
    assert simulation.resync("unsettled")
    _issue(simulation)
    simulation.settle()
    assert simulation.condition("Reconciled") == ("True", "AsWanted")
    assert _uids(simulation) == before


@pytest.mark.parametrize(("version", "rolls"), [("3.9.5", False), ("3.8.4", True)])
def test_a_renewed_certificate_rolls_only_what_cannot_reload_it(
    simulation: Any, version: str, rolls: bool
) -> None:
    _issue(simulation)
    simulation.apply(replicas=3, version=version, tls=BOTH)
    simulation.settle()
    before = _uids(simulation)
    _issue(simulation)
    simulation.settle()
    assert before.isdisjoint(_uids(simulation)) is rolls
    assert simulation.condition("Secured") == ("True", "AsWanted")


def _plain_peers(simulation: Any) -> bool:
    """Whether the policy names who may connect without TLS."""
    found = simulation.kube.get(Ref(NETWORK_POLICY, "apps", "zk-servers"))
    rules = {rule["ports"][0]["port"]: rule for rule in found["spec"]["ingress"]}
    assert "from" not in rules[2281]
    return "from" in rules[2181]


def test_clients_keep_the_port_without_tls_until_they_have_moved(simulation: Any) -> None:
    _issue(simulation)
    simulation.apply(replicas=3)
    simulation.settle()
    client = BOTH["client"]
    simulation.apply(replicas=3, tls={"client": {**client, "plaintext": True}})
    simulation.settle()
    assert not _plain_peers(simulation)
    before = _uids(simulation)
    simulation.apply(replicas=3, tls={"client": client})
    simulation.settle()
    assert _plain_peers(simulation)
    assert _uids(simulation) == before
    assert not simulation.resync("unsettled")
