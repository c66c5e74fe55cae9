"""The steps that bring the owned objects to what a spec asks, and the deletion of a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import InvalidSpec
from functions.api.kinds import CONFIG_MAP, NETWORK_POLICY, SECRET, SERVICE, STATEFUL_SET, Ref
from functions.api.manifest import Manifest, ref_of
from functions.manifests.access import password_hash, super_user_secret
from functions.manifests.budget import disruption_budget
from functions.manifests.encryption import Encryption, Phase
from functions.manifests.installation import Installation
from functions.manifests.login import Credentials
from functions.manifests.owned import owned_objects
from functions.planning.deletion import Remains, plan_deletion
from functions.planning.reconciliation import (
    Surroundings,
    finalizer_manifest,
    plan_reconcile,
    plan_refused,
)
from functions.planning.settled import unsettled
from functions.planning.steps import (
    Announce,
    ApplyObject,
    CreateObject,
    DeleteObject,
    LookAgain,
    Plan,
    ReplaceObject,
    WriteStatus,
)
from tests.unit.planned import (
    FINALIZER,
    NOW,
    after,
    changed,
    claim,
    claims,
    cluster,
    condition,
    kinds,
    message,
    pod,
    record,
    stateful_set,
    status,
    told,
)

INSTALLATION = Installation("functions:1")
STARTED = {"bootstrap": record("completed", volumes=3)}
SET = Ref(STATEFUL_SET, "apps", "zk")
POLICY = Ref(NETWORK_POLICY, "apps", "zk-servers")


def _seen(of: ZooKeeperCluster) -> dict[Ref, Manifest]:
    """Return every owned object as the API server stores it when all is well."""
    secret = super_user_secret(of, "secret")
    made = (secret, *owned_objects(of, INSTALLATION, Credentials(password_hash(secret))))
    numbered = {ref_of(item): item for item in made}
    return {ref: _stored(item, f"uid-{ref.name}") for ref, item in numbered.items()}


def _stored(item: Manifest, uid: str) -> Manifest:
    metadata = {**item["metadata"], "uid": uid, "resourceVersion": "3", "generation": 1}
    spec = {"spec": {**item["spec"], "replicas": 3}} if item["kind"] == "StatefulSet" else {}
    return {**item, **spec, "metadata": metadata}


def _plan(of: ZooKeeperCluster, seen: dict[Ref, Manifest]) -> Plan:
    return plan_reconcile(of, seen, Surroundings(INSTALLATION, "secret"), NOW)


def _edited(seen: dict[Ref, Manifest], ref: Ref, **spec: Any) -> dict[Ref, Manifest]:
    return {**seen, ref: {**seen[ref], "spec": {**seen[ref]["spec"], **spec}}}


def test_the_finalizer_and_the_secret_come_before_all_else_and_are_looked_at() -> None:
    new = changed(cluster(), finalizers=())
    first, second, third = _plan(new, {})
    assert isinstance(first, ApplyObject)
    assert first.manifest == finalizer_manifest(new, [FINALIZER])
    assert first.manifest["metadata"]["uid"] == "uid-of-zk"
    assert isinstance(second, CreateObject)
    assert second.manifest["kind"] == "Secret"
    assert third == LookAgain()


def test_everything_but_the_stateful_set_is_made_at_once() -> None:
    """Guards against G4, G7 and G15: one missing thing that holds up all others."""
    new = cluster()
    secret = Ref(SECRET, "apps", "zk-super-user")
    plan = _plan(new, {secret: _seen(new)[secret]})
    made = [step.manifest["kind"] for step in plan if isinstance(step, ApplyObject)]
    assert made == [
        "ServiceAccount", "RoleBinding", "ConfigMap", "NetworkPolicy", "Service", "Service"
    ]  # fmt: skip
    assert plan[-1] == LookAgain()


@pytest.mark.parametrize(
    ("known", "spec", "replicas"),
    [
        pytest.param({"bootstrap": record(volumes=0)}, {}, None, id="no-volume-is-recorded"),
        pytest.param({"bootstrap": record(volumes=3)}, {}, 3, id="the-volumes-are-recorded"),
        pytest.param({"bootstrap": record("adopted", 5)}, {}, 5, id="adopted"),
        pytest.param(STARTED, {"replicas": 7}, 3, id="never-more-than-the-record-has"),
        pytest.param(
            {"bootstrap": record(volumes=0)}, {"storage": {"ephemeral": True}}, 3, id="ephemeral"
        ),
    ],
)
def test_the_stateful_set_is_made_with_all_servers_of_the_record_or_not_at_all(
    known: dict[str, Any], spec: dict[str, Any], replicas: int | None
) -> None:
    """Guards against G6 and G13: replicas that are missing, or pods before their membership."""
    of = cluster(known, **spec)
    seen = {ref: item for ref, item in _seen(of).items() if ref != SET}
    made = [step for step in _plan(of, seen) if isinstance(step, ApplyObject)]
    if replicas is None:
        assert made == []
        assert condition(_plan(of, seen), "Reconciled") == ("False", "Creating")
        return
    first, second = made
    assert (first.manager, first.manifest["spec"]["replicas"]) == ("scale", replicas)
    assert (second.manager, second.takes_over) == ("reconcile-cluster", frozenset({"scale"}))
    assert "replicas" not in second.manifest["spec"]


def test_a_cluster_that_is_as_wanted_costs_no_step() -> None:
    """Guards against C18, C25, G3 and G24: objects that differ for ever, or are never updated."""
    of = cluster(STARTED)
    first = _plan(of, _seen(of))
    assert kinds(first) == [WriteStatus]
    assert condition(first, "Reconciled") == ("True", "AsWanted")
    assert _plan(after(of, first), _seen(of)) == ()


@pytest.mark.parametrize("ref", sorted(_seen(cluster(STARTED)), key=str), ids=lambda ref: ref.name)
def test_an_object_that_is_missing_is_made_again(ref: Ref) -> None:
    of = cluster(STARTED)
    plan = _plan(of, {other: item for other, item in _seen(of).items() if other != ref})
    made = [s.manifest for s in plan if isinstance(s, ApplyObject | CreateObject)]
    assert {ref_of(manifest) for manifest in made} == {ref}
    assert plan[-1] == LookAgain()


def test_an_edit_is_mended_by_compare_and_set() -> None:
    """Guards against C3, G10 and J1: changes that no update ever carries out."""
    of = cluster(STARTED)
    (step, *_) = _plan(of, _edited(_seen(of), SET, serviceName="other"))
    assert isinstance(step, ApplyObject)
    assert step.manifest["metadata"]["uid"] == "uid-zk"
    assert step.manifest["metadata"]["resourceVersion"] == "3"


def test_an_edited_port_is_mended_by_replacing_the_service_and_keeps_the_node_port() -> None:
    of = cluster(STARTED)
    ref = Ref(SERVICE, "apps", "zk-client")
    ours = {"name": "client", "port": 2181, "protocol": "TCP", "nodePort": 30001}
    theirs = {"name": "extra", "port": 9, "protocol": "TCP"}
    (step,) = _plan(of, _edited(_seen(of), ref, ports=[ours, theirs], clusterIP="10.96.0.9"))
    assert isinstance(step, ReplaceObject)
    assert step.manifest["spec"]["ports"] == [ours]
    assert step.manifest["spec"]["clusterIP"] == "10.96.0.9"


def test_a_policy_that_is_no_longer_wanted_is_removed_by_its_uid_and_once() -> None:
    seen = _seen(cluster(STARTED))
    of = cluster(STARTED, networkPolicy={"enabled": False})
    (step,) = _plan(of, seen)
    assert step == DeleteObject(POLICY, "uid-zk-servers")
    going = {**seen[POLICY]["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    assert kinds(_plan(of, {**seen, POLICY: {**seen[POLICY], "metadata": going}})) == [WriteStatus]
    without = {ref: item for ref, item in seen.items() if ref != POLICY}
    assert kinds(_plan(of, without)) == [WriteStatus]


def test_a_policy_that_somebody_opened_further_is_mended() -> None:
    """In other objects what others add is theirs."""
    of = cluster(STARTED)
    seen = _seen(of)
    more = [{"ports": [*seen[POLICY]["spec"]["ingress"][2]["ports"], {"port": 9}]}]
    rules = seen[POLICY]["spec"]["ingress"]
    (step, *_) = _plan(of, _edited(seen, POLICY, ingress=[*rules[:2], *more, *rules[3:]]))
    assert isinstance(step, ApplyObject)
    assert step.manifest["spec"]["ingress"] == rules


def test_an_object_that_is_being_deleted_is_waited_for() -> None:
    of = cluster(STARTED)
    seen = _seen(of)
    ref = Ref(CONFIG_MAP, "apps", "zk-config")
    going = {**seen[ref]["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    seen[ref] = {**seen[ref], "metadata": going, "data": {}}
    assert kinds(_plan(of, seen)) == [WriteStatus]


def test_a_name_that_somebody_elses_object_has_is_refused_and_said_once() -> None:
    of = cluster(STARTED)
    seen = _seen(of)
    ref = Ref(CONFIG_MAP, "apps", "zk-config")
    owner = [{"uid": "other", "controller": True}]
    seen[ref] = {**seen[ref], "metadata": {**seen[ref]["metadata"], "ownerReferences": owner}}
    plan = _plan(of, seen)
    assert condition(plan, "Reconciled") == ("False", "NameTaken")
    assert "ConfigMap zk-config" in message(plan, "Reconciled")
    assert "NameTaken" in told(plan)
    assert _plan(after(of, plan), seen) == ()


def test_a_paused_cluster_gets_no_object() -> None:
    plan = _plan(cluster(STARTED, paused=True), {})
    assert WriteStatus in kinds(plan)
    assert not {ApplyObject, CreateObject, DeleteObject} & set(kinds(plan))
    assert condition(plan, "Reconciled") == ("False", "Paused")


def test_the_observed_generation_follows_only_what_is_carried_out() -> None:
    of = changed(cluster({**STARTED, "observedGeneration": 1}), generation=2)
    assert status(plan_refused(of, InvalidSpec("spec.x is wrong."), NOW))["observedGeneration"] == 1
    assert status(_plan(of, _seen(of)))["observedGeneration"] == 2


def test_a_refused_spec_is_a_condition_and_one_event() -> None:
    """Guards against C14 and G17: bad input that panics, or passes."""
    of = cluster()
    plan = plan_refused(of, InvalidSpec("spec.x is wrong."), NOW)
    assert (condition(plan, "Reconciled"), message(plan, "Reconciled")) == (
        ("False", "InvalidSpec"),
        "spec.x is wrong.",
    )
    assert "InvalidSpec" in told(plan)
    assert plan_refused(after(of, plan), InvalidSpec("spec.x is wrong."), NOW) == ()


def test_status_names_where_the_cluster_is_reached() -> None:
    """Guards against J6: an endpoint that goes stale with a node."""
    of = cluster(STARTED, adminServer={"enabled": True})
    written = status(_plan(of, _seen(of)))
    assert written["service"] == "zk.apps.svc.cluster.local"
    assert written["endpoints"]["client"] == "zk-client.apps.svc.cluster.local:2181"
    assert written["endpoints"]["admin"] == "zk.apps.svc.cluster.local:8080"
    assert written["selector"] == "operator=zookeeper,instance=zk"


def _deleting(**spec: Any) -> ZooKeeperCluster:
    return changed(cluster(STARTED, **spec), deletion_timestamp="2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    "remains",
    [Remains(None, (), ()), Remains(stateful_set(), (pod("zk-0"),), claims())],
    ids=["nothing-left", "everything-left"],
)
def test_a_deletion_keeps_the_volumes_unless_told_otherwise(remains: Remains) -> None:
    (step,) = plan_deletion(_deleting(), remains, NOW)
    assert isinstance(step, ApplyObject)
    assert step.manifest["metadata"]["finalizers"] == []


@pytest.mark.parametrize(
    ("remains", "deleted"),
    [
        pytest.param(
            Remains(stateful_set(), (pod("zk-0"),), claims()), ["zk"], id="servers-go-first"
        ),
        pytest.param(
            Remains(stateful_set(is_deleting=True), (), claims()), [], id="they-are-going"
        ),
        pytest.param(
            Remains(stateful_set(controller_uid="other"), (), claims()), [], id="not-our-servers"
        ),
        pytest.param(Remains(None, (pod("zk-0"),), claims()), [], id="pods-are-waited-for"),
        pytest.param(
            Remains(None, (), (claim("data-zk-0"), claim("data-zk-1", is_deleting=True))),
            ["data-zk-0"],
            id="then-the-volumes",
        ),
    ],
)
def test_volumes_go_after_the_servers_and_the_wait_is_said(
    remains: Remains, deleted: list[str]
) -> None:
    plan = plan_deletion(_deleting(clearPersistence=True), remains, NOW)
    assert [step.ref.name for step in plan if isinstance(step, DeleteObject)] == deleted
    assert condition(plan, "Reconciled") == ("False", "Deleting")
    for left in [*(p.name for p in remains.pods), *(c.name for c in remains.claims)]:
        assert left in message(plan, "Reconciled")


def test_the_finalizer_goes_last_and_nothing_is_done_after_it() -> None:
    """Guards against C26 and G27: work on a cluster that is deleted."""
    going = _deleting(clearPersistence=True)
    (step,) = plan_deletion(going, Remains(None, (), ()), NOW)
    assert isinstance(step, ApplyObject)
    released = changed(going, finalizers=("somebody/else",))
    assert plan_deletion(released, Remains(stateful_set(), (), claims()), NOW) == ()


CONDITIONS = [
    {"type": kind, "status": "True", "observedGeneration": 1}
    for kind in ("Available", "QuorumHealthy", "Reconciled", "Scaled", "Updated")
]
SETTLED: dict[str, Any] = {
    **STARTED,
    "conditions": CONDITIONS,
    "servers": [{"name": f"zk-{n}", "ready": "true"} for n in range(3)],
    "members": [{"id": n, "role": "participant"} for n in (1, 2, 3)],
}
PODS = [pod(f"zk-{n}") for n in range(3)]


def _why(of: ZooKeeperCluster, pods: list[Any] = PODS, **more: Any) -> str:
    budget = disruption_budget(of, 3, 3)
    stored = {ref_of(budget): _stored(budget, "uid-of-budget")}
    return unsettled(of, pods, more.get("owned", {**_seen(of), **stored}), INSTALLATION)


def test_a_policy_that_is_no_longer_wanted_is_looked_at() -> None:
    of = cluster(SETTLED)
    without = cluster(SETTLED, networkPolicy={"enabled": False})
    budget = disruption_budget(of, 3, 3)
    seen = {**_seen(of), ref_of(budget): _stored(budget, "uid-of-budget")}
    assert _why(without, owned=seen) == "NetworkPolicy zk-servers is no longer wanted"
    assert _why(without, owned={ref: seen[ref] for ref in seen if ref != POLICY}) == ""


def _with_condition(kind: str, **more: Any) -> dict[str, Any]:
    found = [c if c["type"] != kind else {**c, **more} for c in CONDITIONS]
    return {**SETTLED, "conditions": found}


def test_a_cluster_whose_status_says_what_is_so_is_settled() -> None:
    """Guards against G8 and G9: changes that nobody looks at, and looks at nothing."""
    assert _why(cluster(SETTLED)) == ""


@pytest.mark.parametrize(
    ("known", "why"),
    [
        pytest.param({**SETTLED, "conditions": CONDITIONS[1:]}, "Available is missing", id="none"),
        pytest.param(
            _with_condition("Scaled", observedGeneration=0), "is older than the spec", id="old"
        ),
        pytest.param(
            _with_condition("Available", status="False", reason="NoQuorum"), "NoQuorum", id="false"
        ),
        pytest.param(
            {**SETTLED, "servers": SETTLED["servers"][1:]}, "what the pods say", id="pods"
        ),
        pytest.param(
            {**SETTLED, "members": [{"id": 2}]}, "another number of servers", id="members"
        ),
    ],
)
def test_what_is_not_settled_is_named(known: dict[str, Any], why: str) -> None:
    assert why in _why(cluster(known))


@pytest.mark.parametrize("reason", ["WouldLoseData", "Paused", "NameTaken", "InvalidSpec"])
def test_a_standing_warning_is_settled(reason: str) -> None:
    known = _with_condition("Scaled", status="False", reason=reason)
    assert _why(cluster(known)) == ""


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("Changing", "condition Secured is False: Changing"),
        ("CertificateUnusable", "condition Secured is False: CertificateUnusable"),
        ("CertificateExpires", ""),
        ("CertificateLacksNames", ""),
    ],
)
def test_a_change_of_the_encryption_is_looked_at_until_it_is_complete(
    reason: str, why: str
) -> None:
    secured = {"type": "Secured", "status": "False", "reason": reason, "observedGeneration": 1}
    assert _why(cluster({**SETTLED, "conditions": [*CONDITIONS, secured]})) == why


def test_a_login_that_is_not_demanded_yet_is_looked_at() -> None:
    """All servers know the users, so nothing else is unsettled."""
    known = {"type": "UsersKnown", "status": "False", "reason": "Changing", "observedGeneration": 1}
    status = {**SETTLED, "conditions": [*CONDITIONS, known]}
    assert _why(cluster(status)) == "condition UsersKnown is False: Changing"


def test_a_cluster_with_tls_is_settled_by_what_its_pods_were_made_with() -> None:
    of = cluster(SETTLED, tls={"client": {"secretName": "a"}, "quorum": {"secretName": "b"}})
    done = Encryption(Phase.REQUIRE, "b", 2281)
    budget = disruption_budget(of, 3, 3)
    made = owned_objects(of, INSTALLATION, Credentials("hash"), done, is_plaintext_closed=True)
    seen = {ref_of(it): _stored(it, f"uid-{it['metadata']['name']}") for it in (*made, budget)}
    pods = [pod(f"zk-{n}", encryption=done) for n in range(3)]
    assert _why(of, pods, owned=seen) == ""
    # A policy for clients without TLS while every server has TLS.
    assert "NetworkPolicy zk-servers" in _why(of, [*pods[:2], pod("zk-2")], owned=seen)


def test_nothing_is_changed_while_a_certificate_is_not_usable() -> None:
    of = cluster(STARTED, tls={"quorum": {"secretName": "missing"}}, replicas=5)
    plan = _plan(of, _seen(cluster(STARTED)))
    assert [kind for kind in kinds(plan) if kind is not Announce] == [WriteStatus]
    assert told(plan) == ["CertificateUnusable"]
    assert condition(plan, "Reconciled") == ("False", "CertificateUnusable")
    assert condition(plan, "Secured") == ("False", "CertificateUnusable")
    assert "missing is not there" in message(plan, "Reconciled")


def test_a_lost_budget_and_a_pod_of_an_older_revision_are_not_settled() -> None:
    of = cluster(SETTLED)
    assert "disruption budget" in _why(of, owned=_seen(of))
    assert "older revision" in _why(of, [*PODS[:2], pod("zk-2", revision="old")])


def test_a_deletion_a_lost_object_and_a_readiness_are_not_settled() -> None:
    of = cluster(SETTLED)
    seen = _seen(of)
    without = {ref: item for ref, item in seen.items() if ref.kind != CONFIG_MAP}
    ports = _edited(seen, Ref(SERVICE, "apps", "zk-client"), ports=[])
    assert "being deleted" in _why(changed(of, deletion_timestamp="2026-01-01T00:00:00Z"))
    assert "ConfigMap zk-config is not as wanted" in _why(of, owned=without)
    assert "Service zk-client is not as wanted" in _why(of, owned=ports)
    assert "StatefulSet is missing" in _why(of, owned={})
    assert "what the pods say" in _why(of, [*PODS[:2], pod("zk-2", is_ready=False)])
