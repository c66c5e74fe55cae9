"""A cluster that learns TLS and forgets it again, on the memory twin."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from functions.api.kinds import CERTIFICATE, CONFIG_MAP, NETWORK_POLICY, POD, SECRET, Ref
from functions.manifests.encryption import PHASES, encryption_of
from functions.planning.member_list import line_of
from tests.certificates import authority, manifest
from tests.handlers.laws import check_invariants

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
    assert simulation.cluster().status.endpoints.client.endswith(":2181")
    before = _uids(simulation)
    simulation.apply(replicas=3, tls={"client": client})
    simulation.settle()
    assert _plain_peers(simulation)
    assert not _open_servers(simulation)
    assert _uids(simulation).isdisjoint(before), "whoever was connected without TLS is out"
    assert simulation.condition("Secured") == ("True", "AsWanted")
    assert not simulation.resync("unsettled")
    simulation.apply(replicas=3, tls={"client": {**client, "plaintext": True}})
    simulation.settle()
    assert _open_servers(simulation) == _listed_open(simulation) == [1, 2, 3]


def _ensemble(simulation: Any) -> Any:
    return simulation.ensembles["apps/zk"]


def _open_servers(simulation: Any) -> list[int]:
    """Return the servers that take clients without TLS."""
    running = (server for server in _ensemble(simulation).servers.values() if server.is_up)
    return sorted(server.id for server in running if not server.is_inside)


def _listed_open(simulation: Any) -> list[int]:
    """Return the members of which the list says so."""
    members = _ensemble(simulation).config.members
    return [member.id for member in members if ";127.0.0.1:" not in member.address]


def test_a_new_cluster_with_tls_never_takes_a_client_without(simulation: Any) -> None:
    _issue(simulation)
    simulation.apply(replicas=3, tls={"client": BOTH["client"]})
    for _ in range(40):
        written = simulation.round()
        changed = simulation.kubernetes()
        if simulation.ensembles:
            assert (_open_servers(simulation), _listed_open(simulation)) == ([], [])
        if not written and not changed:
            break
    assert simulation.condition("Available")[0] == "True"
    assert simulation.condition("Secured") == ("True", "AsWanted")
    assert "2281 alone." in _message(simulation, "Secured")
    endpoints = simulation.cluster().status.endpoints
    assert endpoints.client == endpoints.secure_client
    assert endpoints.client.endswith(":2281")
    assert simulation.zookeeper.changes == []


def _message(simulation: Any, kind: str) -> str:
    conditions = simulation.cluster().status.conditions
    return str(next(c.message for c in conditions if c.type == kind))


@pytest.mark.thorough
@pytest.mark.parametrize("auth", ["none", "need"])
def test_servers_that_take_clients_by_tls_alone_grow_and_shrink(simulation: Any, auth: str) -> None:
    _issue(simulation)
    tls = {"client": {**BOTH["client"], "clientAuth": auth}}
    simulation.apply(replicas=3, tls=tls)
    simulation.settle()
    simulation.apply(replicas=4, observers=1, tls=tls)
    simulation.settle()
    assert len(_ensemble(simulation).config.members) == 5
    simulation.apply(replicas=2, tls=tls)
    simulation.settle()
    assert [member.id for member in _ensemble(simulation).config.members] == [1, 2]
    assert (_open_servers(simulation), _listed_open(simulation)) == ([], [])
    assert simulation.condition("Scaled") == ("True", "AsWanted")


@pytest.mark.thorough
@pytest.mark.parametrize("then", [None, {"client": {**BOTH["client"], "plaintext": True}}])
def test_a_size_that_changes_together_with_tls_waits_for_somebody_to_ask(
    simulation: Any, then: Any
) -> None:
    """Once spec.tls is gone nobody knows whom to trust: the first one that is rolled is asked."""
    _issue(simulation)
    simulation.apply(replicas=3, tls={"client": BOTH["client"]})
    simulation.settle()
    simulation.apply(replicas=2, **({"tls": then} if then else {}))
    simulation.settle()
    members = _ensemble(simulation).config.members
    assert [member.id for member in members] == [1, 2]
    assert _open_servers(simulation) == _listed_open(simulation) == [1, 2]
    assert simulation.condition("Updated") == ("True", "AsWanted")


@pytest.mark.thorough
def test_a_list_that_says_otherwise_than_the_servers_is_corrected(simulation: Any) -> None:
    _issue(simulation)
    simulation.apply(replicas=3, tls={"client": BOTH["client"]})
    simulation.settle()
    ensemble = _ensemble(simulation)
    opened = [
        line_of(member).replace("127.0.0.1:2189", "0.0.0.0:2181")
        for member in ensemble.config.members
    ]
    ensemble.change(",".join(opened[:2]), "", ensemble.config.version)
    assert _open_servers(simulation) == [1, 2]
    simulation.settle()
    assert (_open_servers(simulation), _listed_open(simulation)) == ([], [])
    assert len(simulation.zookeeper.changes) == 1
    assert simulation.condition("Scaled") == ("True", "AsWanted")


@pytest.mark.thorough
def test_without_the_secret_nobody_is_trusted_with_the_password(simulation: Any) -> None:
    _issue(simulation)
    tls = {"client": BOTH["client"]}
    simulation.apply(replicas=3, tls=tls)
    simulation.settle()
    ref = Ref(SECRET, "apps", "certs")
    simulation.kube.delete(ref, uid=simulation.kube.get(ref)["metadata"]["uid"])
    simulation.apply(replicas=2, tls=tls)
    for _ in range(5):
        simulation.round()
        simulation.kubernetes()
    assert len(_ensemble(simulation).config.members) == 3
    simulation.faults.reset()
    answer = simulation.deliver("scale")
    assert answer.status == 503
    # Nothing was asked of the servers, so nobody is asked whether it took effect either.
    assert simulation.faults.calls < 30
    _issue(simulation)
    simulation.settle()
    assert len(_ensemble(simulation).config.members) == 2


def _restored(simulation: Any) -> set[str]:
    return {server.restored for server in _ensemble(simulation).servers.values() if server.is_up}


@pytest.mark.thorough
@pytest.mark.parametrize("plaintext", [False, True])
def test_a_restore_lets_nobody_in_before_it_is_over(simulation: Any, plaintext: bool) -> None:
    """Servers that take clients by TLS alone start without that port, and are rolled once."""
    _issue(simulation)
    tls = {"client": {**BOTH["client"], "plaintext": plaintext}}
    simulation.apply(replicas=3, tls=tls)
    simulation.settle()
    simulation.apply_restore()
    for _ in range(60):
        written = simulation.round()
        changed = simulation.kubernetes()
        check_invariants(simulation)
        held = simulation.cluster().status.operation
        if held is not None and held.step in ("Start", "Open"):
            up = [it for it in _ensemble(simulation).servers.values() if it.is_up]
            assert not [server for server in up if server.secure_port]
        if not written and not changed:
            break
    made = simulation.restore()
    assert (made.status.status, made.status.step) == ("restarted", "Done")
    assert _restored(simulation) == {made.metadata.uid}
    expected = [1, 2, 3] if plaintext else []
    assert _open_servers(simulation) == _listed_open(simulation) == expected
    assert {server.secure_port for server in _ensemble(simulation).servers.values()} == {2281}
    for kind in ("Available", "QuorumHealthy", "Scaled", "Updated", "Secured"):
        assert simulation.condition(kind)[0] == "True", kind


@pytest.mark.thorough
def test_a_size_that_changes_during_a_restore_waits_for_the_roll_after_it(simulation: Any) -> None:
    _issue(simulation)
    tls = {"client": BOTH["client"]}
    simulation.apply(replicas=3, tls=tls)
    simulation.settle()
    simulation.apply_restore()
    for _ in range(60):
        simulation.round()
        held = simulation.cluster().status.operation
        if held is not None and held.step == "Start":
            break
        simulation.kubernetes()
    simulation.apply(replicas=2, tls=tls)
    simulation.settle()
    assert [member.id for member in _ensemble(simulation).config.members] == [1, 2]
    assert simulation.restore().status.status == "restarted"
    assert simulation.condition("Updated") == ("True", "AsWanted")


ISSUED = {**BOTH, "issuerRef": {"name": "company"}}
ASKED = Ref(CERTIFICATE, "apps", "zk-tls")


def _say_ready(simulation: Any, status: str) -> None:
    """Be cert-manager: say whether the Certificate is issued."""
    conditions = [{"type": "Ready", "status": status, "message": "the issuer is not ready"}]
    simulation.kube.put({**simulation.kube.get(ASKED), "status": {"conditions": conditions}})


def test_cert_manager_is_asked_as_soon_as_it_is_there_and_what_it_says_is_told(
    simulation: Any,
) -> None:
    simulation.apply(replicas=3, tls=ISSUED)
    simulation.settle()
    assert simulation.condition("Secured") == ("False", "CertManagerMissing")
    assert simulation.condition("Reconciled") == ("False", "CertManagerMissing")
    simulation.kube.unserved = frozenset()
    simulation.kube.forget_kinds()
    simulation.settle()
    assert simulation.kube.get(ASKED)["spec"]["secretName"] == "certs"
    assert simulation.condition("Secured") == ("False", "CertificateNotIssued")
    assert simulation.resync("unsettled")
    assert simulation.pods() == []
    _issue(simulation)
    _say_ready(simulation, "True")
    simulation.settle()
    assert _phases(simulation) == ["require"] * 3
    assert simulation.condition("Secured") == ("True", "AsWanted")
    assert simulation.round() == 0
    _say_ready(simulation, "False")
    simulation.settle()
    assert simulation.condition("Secured") == ("False", "CertificateNotIssued")
    assert simulation.condition("Reconciled") == ("True", "AsWanted")


def test_the_certificate_goes_when_no_server_needs_its_secret_any_more(simulation: Any) -> None:
    simulation.kube.unserved = frozenset()
    _issue(simulation)
    simulation.apply(replicas=3, tls=ISSUED)
    simulation.settle()
    simulation.apply(replicas=3)
    simulation.round()
    assert _phases(simulation) == ["require"] * 3
    assert simulation.kube.get(ASKED) is not None
    simulation.settle()
    assert _phases(simulation) == ["plain"] * 3
    assert simulation.kube.get(ASKED) is None
