"""What cert-manager is asked for, and what is said while it has not answered."""

from __future__ import annotations

from typing import Any

import pytest

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest, ref_of
from functions.manifests.certificates import certificate_names, certificates
from functions.manifests.encryption import PLAIN
from functions.manifests.owned import with_fingerprint
from functions.planning.certificates import UNUSABLE
from functions.planning.encryption import CHANGING, SECURED, Decided, SeenTls, decide
from functions.planning.issuing import NOBODY, Issuing, plan_issuing, trouble
from functions.planning.status import Wanted
from functions.planning.steps import ApplyWhereServed, DeleteObject, Plan
from tests.certificates import authority, manifest
from tests.expected import TESTS, as_yaml, check_text
from tests.unit.planned import NOW, cluster

ISSUER = {"issuerRef": {"name": "company"}}
CLIENT, QUORUM = {"client": {"secretName": "certs"}}, {"quorum": {"secretName": "certs"}}
OTHER = {"quorum": {"secretName": "others"}}
SHARED = {"tls": {**ISSUER, **CLIENT, **QUORUM}}
OURS = authority().secret("*.zk.apps.svc.cluster.local", "zk-client.apps.svc.cluster.local")
SECRET = manifest("certs", "apps", OURS)
ELSEWHERE: dict[str, Any] = {"ownerReferences": [{"uid": "other", "controller": True}]}


def _stored(
    of: ZooKeeperCluster, ready: str = "True", message: str = "", **metadata: Any
) -> Issuing:
    """Return the cluster's Certificates as the API server has them."""
    known = {"uid": "uid-of-it", "resourceVersion": "3", **metadata}
    condition = {"type": "Ready", "status": ready, "message": message}
    seen = {
        ref_of(it): {
            **it, "metadata": {**it["metadata"], **known}, "status": {"conditions": [condition]}
        }
        for it in map(with_fingerprint, certificates(of))
    }  # fmt: skip
    return Issuing(is_served=True, seen=seen)


def _said(plan: Plan) -> list[str]:
    told = []
    for step in plan:
        if isinstance(step, ApplyWhereServed):
            told.append(f"apply {step.manifest['metadata']['name']}")
        else:
            assert isinstance(step, DeleteObject)
            told.append(f"delete {step.ref.name} {step.uid}")
    return told


def _plan(of: ZooKeeperCluster, issuing: Issuing, *, is_changing: bool = False) -> list[str]:
    return _said(plan_issuing(of, issuing, "reconcile-cluster", is_changing=is_changing))


@pytest.mark.parametrize(
    ("name", "tls"),
    [
        pytest.param("of-both", {**ISSUER, **CLIENT, **QUORUM}, id="one-secret-for-both"),
        pytest.param(
            "of-each",
            {"issuerRef": {"name": "a", "kind": "ClusterIssuer"}, **CLIENT, **OTHER},
            id="two-secrets",
        ),
        pytest.param(
            "of-the-quorum",
            {"issuerRef": {"name": "a", "kind": "StepIssuer", "group": "x.org"}, **QUORUM},
            id="the-quorum-alone",
        ),
    ],
)
def test_the_certificates_are_as_expected(name: str, tls: Manifest) -> None:
    shown = as_yaml(*certificates(cluster(tls=tls)))
    check_text(TESTS / "golden" / "manifests" / f"certificates-{name}.yaml", shown)


@pytest.mark.parametrize("tls", [{}, {**CLIENT, **QUORUM}], ids=["no-tls", "no-issuer"])
def test_nothing_is_asked_for_without_an_issuer(tls: Manifest) -> None:
    of = cluster(tls=tls)
    assert _plan(of, Issuing(is_served=True)) == []
    assert trouble(of, "certs", Issuing(is_served=True)) is None


def test_nothing_is_done_where_there_is_no_cert_manager() -> None:
    assert _plan(cluster(**SHARED), NOBODY) == []


def test_what_is_missing_is_made_and_what_is_as_wanted_left_alone() -> None:
    of = cluster(**SHARED)
    assert _plan(of, Issuing(is_served=True)) == ["apply zk-tls"]
    assert _plan(of, _stored(of)) == []


def test_another_issuer_is_asked_by_compare_and_set() -> None:
    other = cluster(tls={**SHARED["tls"], "issuerRef": {"name": "other"}})
    seen = _stored(cluster(**SHARED))
    assert _plan(other, seen) == ["apply zk-tls"]
    (step,) = plan_issuing(other, seen, "reconcile-cluster", is_changing=True)
    assert isinstance(step, ApplyWhereServed)
    assert step.manifest["metadata"]["resourceVersion"] == "3"


@pytest.mark.parametrize(
    ("is_changing", "said"), [(True, []), (False, ["delete zk-tls uid-of-it"])]
)
def test_a_certificate_goes_only_when_no_server_is_started_with_its_secret_any_more(
    is_changing: bool, said: list[str]
) -> None:
    seen = _stored(cluster(**SHARED))
    assert _plan(cluster(), seen, is_changing=is_changing) == said


def test_somebody_elses_certificate_is_never_touched() -> None:
    of = cluster(**SHARED)
    seen = _stored(of, **ELSEWHERE)
    assert _plan(cluster(), seen) == []
    assert _plan(cluster(tls={**SHARED["tls"], "issuerRef": {"name": "other"}}), seen) == []


def test_no_two_clusters_have_a_certificate_of_one_name() -> None:
    """A name of ours may be what another cluster's is made of."""
    names: list[str] = []
    for name in ("zk", "zk-tls", "zk-tls-client", "zk-client"):
        metadata = {"name": name, "namespace": "apps"}
        names += certificate_names(ZooKeeperCluster.parse({"metadata": metadata, "spec": {}}))
    assert len(set(names)) == len(names)


def _decided(
    issuing: Issuing, *secrets: Manifest, spec: dict[str, Any] = SHARED
) -> tuple[str, str, str]:
    """Return the reason and the sentence of Secured, and why nothing may be made."""
    seen = SeenTls({it["metadata"]["name"]: it for it in secrets}, (), issuing)
    decided = decide(cluster(**spec), None, seen, NOW)
    assert decided.condition is not None
    return decided.condition.reason, decided.condition.message, decided.refused


NOT_YET = _stored(cluster(**SHARED), "False", "Issuing certificate as Secret does not exist")


@pytest.mark.parametrize(
    ("issuing", "reason", "told"),
    [
        pytest.param(
            NOBODY, "CertManagerMissing", "knows no certificates.cert-manager.io", id="not-there"
        ),
        pytest.param(
            Issuing(is_served=True), "CertificateNotIssued", "has not said anything", id="just-made"
        ),
        pytest.param(NOT_YET, "CertificateNotIssued", "Secret does not exist", id="on-its-way"),
        pytest.param(
            _stored(cluster(**SHARED), **ELSEWHERE),
            "CertificateNotIssued",
            "somebody else's",
            id="taken",
        ),
        pytest.param(
            _stored(cluster(**SHARED)), "CertificateUnusable", "is not there", id="lost-again"
        ),
    ],
)
def test_without_the_secret_nothing_is_made_and_it_is_said_why(
    issuing: Issuing, reason: str, told: str
) -> None:
    said, message, refused = _decided(issuing)
    assert said == reason
    assert told in message
    assert refused == message


@pytest.mark.parametrize(
    ("issuing", "reason"),
    [
        pytest.param(NOBODY, "CertManagerMissing", id="cert-manager-was-taken-away"),
        pytest.param(NOT_YET, "CertificateNotIssued", id="it-is-not-renewed"),
        pytest.param(_stored(cluster(**SHARED)), "AsWanted", id="it-is-there"),
    ],
)
def test_with_the_secret_servers_go_on_whatever_becomes_of_cert_manager(
    issuing: Issuing, reason: str
) -> None:
    said, _, refused = _decided(issuing, SECRET)
    assert (said, refused) == (reason, "")


@pytest.mark.parametrize(
    ("decided", "expected"),
    [
        pytest.param(Decided(PLAIN, None), False, id="no-tls"),
        pytest.param(Decided(PLAIN, Wanted(SECURED, "True", "AsWanted", "")), False, id="done"),
        pytest.param(Decided(PLAIN, Wanted(SECURED, "False", CHANGING, "")), True, id="rolling"),
        pytest.param(Decided(PLAIN, Wanted(SECURED, "False", UNUSABLE, "a"), "a"), True, id="no"),
    ],
)
def test_servers_may_be_started_with_an_old_secret_until_the_change_is_over(
    decided: Decided, expected: bool
) -> None:
    assert decided.is_under_way is expected
