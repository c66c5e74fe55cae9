"""The objects a cluster owns, brought to what its spec asks: the slice of `reconcile-cluster`.

Invariant: nothing is made while the cluster is being deleted (seed defect C26), nothing of
somebody else's is taken over, and nothing is written that is as wanted already (C18, C25, G3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import Denied, FunctionError
from functions.api.kinds import CLUSTER, STATEFUL_SET, Ref
from functions.api.manifest import Manifest, ref_of
from functions.api.status import Condition
from functions.manifests import names
from functions.manifests.access import digest_in, password_hash
from functions.manifests.installation import Installation
from functions.manifests.login import Credentials, Login
from functions.manifests.owned import owned_objects
from functions.manifests.pod_programs import is_seed_helper
from functions.planning.advice import SPEC_SAFE, spec_safe
from functions.planning.bringing import MANAGER, brought, dropped
from functions.planning.denial import denied
from functions.planning.encryption import (
    CHANGING,
    NOTHING,
    SECURED,
    Decided,
    SeenTls,
    decide,
)
from functions.planning.endpoints import endpoints
from functions.planning.issuing import NOT_ISSUED, plan_issuing
from functions.planning.login import NOTHING as NO_USERS
from functions.planning.login import USERS_KNOWN, DecidedLogin, SeenUsers, decide_login
from functions.planning.membership import awaits_waking
from functions.planning.monitoring import NOWHERE, Monitoring, plan_monitoring
from functions.planning.seen import SeenPod, controller_uid
from functions.planning.status import (
    RECONCILED,
    Slice,
    Wanted,
    seen_condition,
    since,
    write_status,
)
from functions.planning.steps import (
    Announce,
    ApplyObject,
    LookAgain,
    Plan,
)
from functions.planning.super_user import plan_super_user, secret_ref
from functions.planning.upgrading import for_running_servers

FIELDS = ("service", "selector", "endpoints", "observedGeneration")
# What was said of these stands while a spec cannot be read.
KEPT = (SPEC_SAFE, SECURED, USERS_KNOWN)
# What a person asked for is no warning.
QUIET = ("Paused", "Deleting", "Creating", CHANGING, NOT_ISSUED)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a cluster's objects depend on beside its spec.

    `pods` are there only while TLS, users or a change of the super user's password need them.
    """

    installation: Installation
    fresh_password: str
    monitoring: Monitoring = NOWHERE
    tls: SeenTls = NOTHING
    users: SeenUsers = NO_USERS
    pods: tuple[SeenPod, ...] = ()


def plan_reconcile(
    cluster: ZooKeeperCluster,
    seen: Mapping[Ref, Manifest],
    surroundings: Surroundings,
    now: datetime,
) -> Plan:
    """Return the steps that bring every owned object to what the spec asks, then the status."""
    if foreign := _foreign(cluster, seen):
        return report(cluster, _name_taken(foreign), now)
    if cluster.spec.paused:
        told = "spec.paused: the owned objects are left as they are."
        return report(cluster, Wanted(RECONCILED, "False", "Paused", told), now)
    if first := (*_finalizer(cluster), *_secret(cluster, seen, surroundings)):
        return (*first, LookAgain())
    found = next((item for ref, item in seen.items() if ref.kind == STATEFUL_SET), None)
    decided = decide(cluster, found, surroundings.tls, now)
    digest = digest_in(cluster, seen[secret_ref(cluster)])
    login = decide_login(cluster, found, surroundings.users, digest)
    conditions = (decided.condition, login.condition)
    issuing = surroundings.tls.issuing
    issued = plan_issuing(cluster, issuing, MANAGER, is_changing=decided.is_under_way)
    if refusal := _refusal(decided, login):
        return (*issued, *report(cluster, refusal, now, *conditions))
    wanted = _wanted(cluster, seen, surroundings, decided, login.login)
    if made := (*dropped(cluster, seen), *brought(cluster, wanted, seen)):
        # What the API server made of them is looked at before status says that all is as wanted.
        is_new = any(ref_of(manifest) not in seen for manifest in wanted)
        return (*issued, *made, LookAgain()) if is_new else (*issued, *made)
    watched = plan_monitoring(cluster, surroundings.monitoring, MANAGER)
    reported = report(cluster, _reconciled(cluster, seen), now, *conditions)
    return (*issued, *watched, *_seed_helper_notice(cluster), *reported)


def _reconciled(cluster: ZooKeeperCluster, seen: Mapping[Ref, Manifest]) -> Wanted:
    if any(ref.kind == STATEFUL_SET for ref in seen):
        return Wanted(RECONCILED, "True", "AsWanted", "Every owned object is as wanted.")
    if awaits_waking(cluster):
        told = "Every owned object is as wanted; spec.stopped: the StatefulSet is made on waking."
        return Wanted(RECONCILED, "True", "AsWanted", told)
    told = "The StatefulSet is made once the first creation is on record (status.bootstrap)."
    return Wanted(RECONCILED, "False", "Creating", told)


def _refusal(decided: Decided, login: DecidedLogin) -> Wanted | None:
    """Return why no pod may be made, as the condition that stops all changes."""
    told = (decided.refused, decided.condition), (login.refused, login.condition)
    stopping = (Wanted(RECONCILED, "False", it.reason, why) for why, it in told if why and it)
    return next(stopping, None)


def _finalizer(cluster: ZooKeeperCluster) -> Plan:
    if names.FINALIZER in cluster.metadata.finalizers:
        return ()
    return (ApplyObject(finalizer_manifest(cluster, [names.FINALIZER]), MANAGER),)


def finalizer_manifest(cluster: ZooKeeperCluster, finalizers: list[str]) -> Manifest:
    """Return the apply that makes our finalizers on the cluster exactly these.

    It carries the uid: an apply to an object that is gone would make it anew (tried).
    """
    return {
        "apiVersion": CLUSTER.api_version,
        "kind": CLUSTER.name,
        "metadata": {
            "name": cluster.metadata.name,
            "namespace": cluster.metadata.namespace,
            "uid": cluster.metadata.uid,
            "finalizers": finalizers,
        },
    }


def _secret(
    cluster: ZooKeeperCluster, seen: Mapping[Ref, Manifest], surroundings: Surroundings
) -> Plan:
    return plan_super_user(cluster, seen, surroundings.pods, surroundings.fresh_password)


def _wanted(
    cluster: ZooKeeperCluster,
    seen: Mapping[Ref, Manifest],
    surroundings: Surroundings,
    decided: Decided,
    login: Login,
) -> tuple[Manifest, ...]:
    known = Credentials(password_hash(seen[secret_ref(cluster)]), login)
    at = Ref(STATEFUL_SET, cluster.metadata.namespace, names.stateful_set_name(cluster))
    given = for_running_servers(
        cluster, surroundings.installation, known, decided.encryption, seen.get(at)
    )
    return owned_objects(
        cluster,
        given,
        known,
        decided.encryption,
        is_plaintext_closed=decided.is_plaintext_closed,
    )


def _foreign(cluster: ZooKeeperCluster, seen: Mapping[Ref, Manifest]) -> tuple[Ref, ...]:
    """Return the objects under our names that somebody else controls.

    The uid tells a re-created cluster apart, whose predecessor's objects garbage collection is
    still removing. What nobody controls (`kubectl delete --cascade=orphan`) is taken up.
    """
    return tuple(
        ref
        for ref, found in seen.items()
        if controller_uid(found) not in ("", cluster.metadata.uid)
    )


def _name_taken(foreign: tuple[Ref, ...]) -> Wanted:
    listed = ", ".join(f"{ref.kind.name} {ref.name}" for ref in foreign)
    return Wanted(
        RECONCILED,
        "False",
        "NameTaken",
        f"{listed}: controlled by another object. Remove it, or give this cluster another name.",
    )


def _seed_helper_notice(cluster: ZooKeeperCluster) -> Plan:
    if not is_seed_helper(cluster.spec.helper_image or "") or seen_condition(cluster, RECONCILED):
        return ()
    told = f"{cluster.spec.helper_image} is replaced by the functions' own image."
    return (Announce("Normal", "HelperImageReplaced", told),)


def plan_refused(cluster: ZooKeeperCluster, error: FunctionError, now: datetime) -> Plan:
    """Return the status that tells the user what of the spec cannot be followed.

    Everything else stays as it was said last: nothing can be told from a spec that makes no sense.
    """
    seen = cluster.status.manifest()
    fields = {key: seen.get(key) for key in FIELDS}
    kept = [_again(c) for c in cluster.status.conditions if c.type in KEPT]
    refused = Wanted(RECONCILED, "False", "InvalidSpec", str(error))
    if isinstance(error, Denied):
        refused = denied(RECONCILED, error)
    return _write(cluster, fields, (refused, *kept), now)


def _again(seen: Condition) -> Wanted:
    return Wanted(seen.type, seen.status, seen.reason, seen.message)


def report(
    cluster: ZooKeeperCluster, condition: Wanted, now: datetime, *more: Wanted | None
) -> Plan:
    """Return the slice of `reconcile-cluster`, with a Warning Event when it turns bad."""
    fields = {
        "service": names.service_domain(cluster),
        "selector": ",".join(f"{k}={v}" for k, v in names.selector(cluster).items()),
        "endpoints": endpoints(cluster),
        "observedGeneration": _observed(cluster, condition),
    }
    said = (it for it in more if it is not None)
    return _write(cluster, fields, (condition, spec_safe(cluster), *said), now)


def _write(
    cluster: ZooKeeperCluster, fields: Manifest, conditions: tuple[Wanted, ...], now: datetime
) -> Plan:
    part = Slice(MANAGER, fields, conditions, owned_types=frozenset({RECONCILED, *KEPT}))
    written = write_status(cluster, part, now)
    return (*_warnings(cluster, *conditions), *written) if written else ()


def _warnings(cluster: ZooKeeperCluster, *conditions: Wanted) -> Plan:
    """Warn of what turned bad, once: two conditions may have the same sentence."""
    bad = {
        (wanted.reason, wanted.message): since(cluster, wanted.type)
        for wanted in conditions
        if wanted.status == "False" and wanted.reason not in QUIET and _is_news(cluster, wanted)
    }
    return tuple(Announce("Warning", *said, turned) for said, turned in bad.items())


def _is_news(cluster: ZooKeeperCluster, wanted: Wanted) -> bool:
    """Whether it was not so before, or for another reason: `Creating` is no warning."""
    seen = seen_condition(cluster, wanted.type)
    return seen is None or (seen.status, seen.reason) != (wanted.status, wanted.reason)


def _observed(cluster: ZooKeeperCluster, condition: Wanted) -> int | None:
    """Return the generation that the objects follow: the present one only once they do."""
    if condition.status == "True":
        return cluster.metadata.generation
    return cluster.status.observed_generation
