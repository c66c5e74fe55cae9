"""What `restore` looks at, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest
from functions.manifests.claims import claim_templates
from functions.manifests.names import claim_name
from functions.planning.ensemble import DiskReport, SeenServers
from functions.planning.jobs import SeenJob, seen_jobs
from functions.planning.progress import Progress
from functions.planning.restores.hold import has_stopped
from functions.planning.scale_slice import NOBODY
from functions.planning.seen import SeenClaim, SeenPod, SeenStatefulSet


@dataclass(frozen=True, slots=True)
class Seen:
    """The world around one restore.

    `missing` is why there is no cluster. `serving` are the servers at the clients' port, `closed`
    those at the quarantine port; `disks` what volumes hold while nobody leads. `jobs` are the
    restore's own, by name, `loose_pods` those that outlive their Jobs, `progress` how far the
    programs are together. `backups` are the Jobs that copy this cluster's data just now, and
    `ahead` is the restore that goes first.
    """

    cluster: ZooKeeperCluster | None = None
    missing: str = ""
    stateful_set: SeenStatefulSet | None = None
    pods: tuple[SeenPod, ...] = ()
    claims: tuple[SeenClaim, ...] = ()
    serving: SeenServers = NOBODY
    closed: SeenServers = NOBODY
    disks: Mapping[int, DiskReport] = field(default_factory=dict)
    jobs: Mapping[str, SeenJob] = field(default_factory=dict)
    loose_pods: tuple[str, ...] = ()
    progress: Progress | None = None
    backups: tuple[str, ...] = ()
    ahead: str = ""

    @property
    def has_stopped(self) -> bool:
        """Whether no server runs, and none is about to: the controller knows that it shall not."""
        return has_stopped(self.stateful_set, self.pods)

    @property
    def epoch(self) -> int:
        """The highest epoch that any server knows of."""
        served = [it.zxid >> 32 for it in self.serving.stats.values()]
        return max([*served, *(report.epoch for report in self.disks.values())], default=0)

    def claims_of(self, cluster: ZooKeeperCluster, number: int) -> tuple[SeenClaim, ...]:
        """Return the claims of one server's volumes, or none while one of them is missing."""
        found = {claim.name: claim for claim in self.claims if not claim.is_deleting}
        templates = [template["metadata"]["name"] for template in claim_templates(cluster)]
        wanted = [claim_name(cluster, number - 1, template) for template in templates]
        return tuple(found[name] for name in wanted) if found.keys() >= set(wanted) else ()


def has_pods(job: SeenJob) -> bool:
    """Whether a pod of the Job has not ended yet: a program in it may still write."""
    return any(not run.has_failed and run.result is None for run in job.runs)


def has_ended(pod: Manifest) -> bool:
    """Whether a pod of a Job has ended: nothing in it writes any more."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def backups_of(cluster: ZooKeeperCluster, jobs: Sequence[Manifest]) -> tuple[str, ...]:
    """Return the names of those backup Jobs that have not ended and copy this cluster's data."""
    reading = [job for job in jobs if ("CLUSTER", cluster.metadata.name) in _told(job)]
    return tuple(job.name for job in seen_jobs(reading, ()) if job.state == "active")


def _told(job: Manifest) -> set[tuple[str, str | None]]:
    """Return the variables that the Job's program is told."""
    return {
        (variable["name"], variable.get("value"))
        for container in job["spec"]["template"]["spec"]["containers"]
        for variable in container.get("env", ())
    }
