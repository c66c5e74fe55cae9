"""Whether a cluster needs to be looked at again: what `resync` sends events for.

Settled means that status follows the spec and says what the pods and the StatefulSet say, and
that every owned object is there as wanted (DESIGN 11.16). A standing warning is settled too: what
it waits for makes an event of its own when it happens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import POD_DISRUPTION_BUDGET, SECRET, SERVICE, STATEFUL_SET, Ref
from functions.api.manifest import Manifest, ref_of
from functions.manifests.encryption import Encryption, encryption_of
from functions.manifests.installation import Installation
from functions.manifests.login import Credentials, login_of
from functions.manifests.names import budget_name, stateful_set_name
from functions.manifests.owned import owned_objects, owned_refs, unwanted_refs
from functions.manifests.pod import SUPER_USER_ANNOTATION
from functions.planning.drift import has_just_our_ports, is_as_wanted
from functions.planning.encryption import (
    EXPIRES,
    LACKS_NAMES,
    SECURED,
    closes_plaintext,
    wanted_phase,
)
from functions.planning.login import USERS_KNOWN
from functions.planning.membership import awaits_waking, is_stopped, server_count
from functions.planning.observation import IS_STOPPED, NO_POD
from functions.planning.protection import protect, seen_budget
from functions.planning.seen import SeenPod, SeenStatefulSet, seen_stateful_set
from functions.planning.upgrading import for_running_servers

# With one of these reasons a condition is as good as it gets until something else happens.
STANDING = frozenset(
    {"WouldLoseData", "Paused", "Stopped", "NameTaken", "InvalidSpec", EXPIRES, LACKS_NAMES}
)
CONDITIONS = frozenset({"Available", "QuorumHealthy", "Reconciled", "Scaled", "Updated"})
# Said only where the spec asks for what they are about.
OPTIONAL = frozenset({SECURED, USERS_KNOWN})


def unsettled(
    cluster: ZooKeeperCluster,
    pods: Sequence[SeenPod],
    owned: Mapping[Ref, Manifest],
    installation: Installation,
) -> str:
    """Return why the cluster should be looked at, or an empty string when it is settled."""
    if cluster.metadata.deletion_timestamp is not None:
        return "it is being deleted"
    if reason := _conditions(cluster):
        return reason
    if {pod.name: pod.is_ready for pod in pods} != _servers(cluster):
        return "status.servers does not say what the pods say"
    if cluster.spec.paused:
        return ""  # Whatever it is, nobody may touch it.
    return _objects(cluster, pods, owned, installation) or _budget(cluster, owned, len(pods))


def _budget(cluster: ZooKeeperCluster, owned: Mapping[Ref, Manifest], pods: int) -> str:
    found = owned.get(Ref(POD_DISRUPTION_BUDGET, cluster.metadata.namespace, budget_name(cluster)))
    seen = seen_budget(found) if found is not None else None
    return "the disruption budget is not as wanted" if protect(cluster, seen, pods) else ""


def _conditions(cluster: ZooKeeperCluster) -> str:
    seen = {c.type: c for c in cluster.status.conditions if c.type in CONDITIONS | OPTIONAL}
    if missing := sorted(CONDITIONS - set(seen)):
        return f"condition {missing[0]} is missing"
    for kind, condition in sorted(seen.items()):
        if condition.observed_generation != cluster.metadata.generation:
            return f"condition {kind} is older than the spec"
        if condition.status != "True" and condition.reason not in STANDING:
            return f"condition {kind} is {condition.status}: {condition.reason}"
    return ""


def _servers(cluster: ZooKeeperCluster) -> dict[str, bool]:
    """Return pod name to readiness as status has it; a server without a pod is not among them."""
    return {
        server.name: server.ready == "true"
        for server in cluster.status.servers
        if server.message not in (NO_POD, IS_STOPPED)
    }


def _objects(
    cluster: ZooKeeperCluster,
    pods: Sequence[SeenPod],
    owned: Mapping[Ref, Manifest],
    installation: Installation,
) -> str:
    found = owned.get(Ref(STATEFUL_SET, cluster.metadata.namespace, stateful_set_name(cluster)))
    if found is None and not awaits_waking(cluster):
        return "the StatefulSet is missing"
    if found is not None and (reason := _servers_of(cluster, pods, seen_stateful_set(found))):
        return reason
    for ref in unwanted_refs(cluster):
        if ref in owned:
            return f"{ref.kind.name} {ref.name} is no longer wanted"
    # Secrets are not read here: the hash that the pods were made with stands for it.
    template = found["spec"]["template"]["metadata"].get("annotations", {}) if found else {}
    encryption = encryption_of(template) if found else Encryption(wanted_phase(cluster))
    is_closed = closes_plaintext(cluster, pods)
    known = Credentials(template.get(SUPER_USER_ANNOTATION, ""), login_of(template))
    given = for_running_servers(cluster, installation, known, encryption, found)
    wanted = owned_objects(cluster, given, known, encryption, is_plaintext_closed=is_closed)
    for manifest in wanted:
        if found is None and manifest["kind"] == STATEFUL_SET.name:
            continue
        seen = owned.get(ref_of(manifest))
        if not is_as_wanted(manifest, seen) or not _has_ports(manifest, seen):
            return f"{manifest['kind']} {manifest['metadata']['name']} is not as wanted"
    return ""


def _servers_of(cluster: ZooKeeperCluster, pods: Sequence[SeenPod], found: SeenStatefulSet) -> str:
    if found.replicas != (0 if is_stopped(cluster) else server_count(cluster)):
        return "the StatefulSet has another number of servers than the member list"
    if any(pod.revision != found.update_revision for pod in pods):
        return "a pod is of an older revision"
    return ""


def _has_ports(wanted: Manifest, found: Manifest | None) -> bool:
    is_service = wanted["kind"] == SERVICE.name and found is not None
    return not is_service or has_just_our_ports(wanted, found or {})


def looked_at(cluster: ZooKeeperCluster) -> tuple[Ref, ...]:
    """Return the owned objects that are looked at: all but the Secret."""
    budget = Ref(POD_DISRUPTION_BUDGET, cluster.metadata.namespace, budget_name(cluster))
    return (*(ref for ref in owned_refs(cluster) if ref.kind != SECRET), budget)
