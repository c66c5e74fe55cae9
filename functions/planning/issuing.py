"""The Certificates that cert-manager is asked for, and what keeps it from issuing them.

Invariant: a Certificate stays for as long as servers still change what they speak, since with it
cert-manager may take away the Secret that they are started with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import CERTIFICATE, Ref
from functions.api.manifest import Manifest, ref_of
from functions.manifests.certificates import certificate_names, certificates
from functions.manifests.owned import with_fingerprint
from functions.planning.optional import bring, is_ours
from functions.planning.steps import Plan

NO_CERT_MANAGER = "CertManagerMissing"
NOT_ISSUED = "CertificateNotIssued"


@dataclass(frozen=True, slots=True)
class Issuing:
    """Whether the API server knows Certificates, and which of the cluster's there are."""

    is_served: bool = False
    seen: Mapping[Ref, Manifest] = field(default_factory=dict)


# Where there is no cert-manager.
NOBODY = Issuing()


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a Secret is not, or not newly, written: a reason in one word and a sentence."""

    reason: str
    sentence: str


def certificate_refs(cluster: ZooKeeperCluster) -> tuple[Ref, ...]:
    namespace = cluster.metadata.namespace
    return tuple(Ref(CERTIFICATE, namespace, name) for name in certificate_names(cluster))


def plan_issuing(
    cluster: ZooKeeperCluster, issuing: Issuing, manager: str, *, is_changing: bool
) -> Plan:
    """Return the steps that bring the Certificates to what the spec asks."""
    if not issuing.is_served:
        return ()
    wanted = {ref_of(manifest): with_fingerprint(manifest) for manifest in certificates(cluster)}
    return tuple(
        step
        for ref in certificate_refs(cluster)
        if ref in wanted or not is_changing
        for step in bring(cluster, ref, wanted.get(ref), issuing.seen.get(ref), manager)
    )


def trouble(cluster: ZooKeeperCluster, secret: str, issuing: Issuing) -> Trouble | None:
    """Return why cert-manager does not keep a Secret; None when it does, or is not asked to."""
    asked = {it["spec"]["secretName"]: ref_of(it) for it in certificates(cluster)}
    if secret not in asked:
        return None
    if not issuing.is_served:
        return Trouble(
            NO_CERT_MANAGER,
            f"Nobody writes the Secret {secret}: spec.tls.issuerRef asks cert-manager for it, and "
            "the API server knows no certificates.cert-manager.io. Install cert-manager, or take "
            "issuerRef out and make the Secret yourself.",
        )
    name, found = asked[secret].name, issuing.seen.get(asked[secret])
    if found is not None and not is_ours(cluster, found):
        told = f"The Certificate {name} is somebody else's: remove it, or take issuerRef out."
        return Trouble(NOT_ISSUED, told)
    ready = _ready(found)
    if ready.get("status") == "True":
        return None
    said = ready.get("message") or "it has not said anything of it yet."
    told = f"cert-manager has not issued the Certificate {name} for the Secret {secret}: {said}"
    return Trouble(NOT_ISSUED, told)


def _ready(certificate: Manifest | None) -> Mapping[str, str]:
    conditions = (certificate or {}).get("status", {}).get("conditions", ())
    return next((it for it in conditions if it["type"] == "Ready"), {})
