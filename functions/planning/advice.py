"""What a person should know about a spec that is followed all the same.

The sentences end up in the condition SpecSafe and in a Warning Event. Known hazards of ZooKeeper
versions are those of the project's own issue tracker (reference: ZOOKEEPER-4925, -4785, -4846).
"""

from __future__ import annotations

from dataclasses import dataclass

from functions.api.cluster import ZooKeeperCluster
from functions.manifests.budget import SAFE_VOTERS
from functions.planning.status import Wanted

SPEC_SAFE = "SpecSafe"
ADVISED = "3.9.5"

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing to know: a reason in one word and a sentence with what to do."""

    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Hazard:
    """A defect of some versions: in every one before `fixed_in` of its line, and in `only`."""

    issue: str
    effect: str
    fixed_in: tuple[Version, ...] = ()
    only: tuple[Version, ...] = ()

    def is_in(self, version: Version) -> bool:
        """Whether a version has it: the fix of its own minor line counts, else the oldest fix."""
        if version in self.only:
            return True
        if not self.fixed_in:
            return False
        own_line = [fix for fix in self.fixed_in if fix[:2] == version[:2]]
        return version < (own_line or [min(self.fixed_in)])[0]


HAZARDS = (
    Hazard(
        "ZOOKEEPER-4925",
        "acknowledged writes can be lost when a follower catches up",
        only=((3, 9, 3),),
    ),
    Hazard(
        "ZOOKEEPER-4785",
        "a race while a follower catches up can lose a transaction",
        fixed_in=((3, 8, 5), (3, 9, 2)),
    ),
    Hazard(
        "ZOOKEEPER-4846",
        "a server may be unable to load its own data again",
        fixed_in=((3, 8, 5), (3, 9, 4)),
    ),
)
# ServerCnxnFactory keeps one name for all who log in, in each tag before 3.9.3.
MIXED_UP_USERS = Hazard("ZOOKEEPER-4839", "servers mix up users", fixed_in=((3, 9, 3),))


def spec_safe(cluster: ZooKeeperCluster) -> Wanted:
    """Return the condition that tells every concern, or that there is none."""
    found = concerns(cluster)
    if not found:
        return Wanted(SPEC_SAFE, "True", "NoConcerns", "Nothing in the spec is known to be risky.")
    told = " ".join(concern.sentence for concern in found)
    return Wanted(SPEC_SAFE, "False", found[0].reason, told)


def concerns(cluster: ZooKeeperCluster) -> tuple[Concern, ...]:
    """Return what a person should know, the most serious first."""
    return (*_hazards(cluster), *_login(cluster), *_storage(cluster), *_voters(cluster))


def _hazards(cluster: ZooKeeperCluster) -> tuple[Concern, ...]:
    text, version = cluster.zookeeper_version(), _version(cluster)
    found = [f"{h.effect} ({h.issue})" for h in HAZARDS if version and h.is_in(version)]
    if not found:
        return ()
    told = f"ZooKeeper {text} has known defects: {'; '.join(found)}. Use {ADVISED} or newer."
    return (Concern("KnownDataLoss", told),)


def _version(cluster: ZooKeeperCluster) -> Version:
    """Return the version; empty where it is not told in full."""
    text = cluster.zookeeper_version() or ""
    return tuple(int(part) for part in text.split(".")) if text.count(".") == 2 else ()


def _login(cluster: ZooKeeperCluster) -> tuple[Concern, ...]:
    version = _version(cluster)
    if not cluster.spec.login.users or not version or not MIXED_UP_USERS.is_in(version):
        return ()
    told = (
        "spec.login: before ZooKeeper 3.9.3 who knows one user's password can come in under "
        f"another's name ({MIXED_UP_USERS.issue}). Use {ADVISED} or newer."
    )
    return (Concern("UsersMixedUp", told),)


def _storage(cluster: ZooKeeperCluster) -> tuple[Concern, ...]:
    if not cluster.spec.storage.ephemeral:
        return ()
    told = (
        "spec.storage.ephemeral: a pod that is replaced loses its disk, and an ensemble that loses "
        "most of its pods at once loses its data."
    )
    return (Concern("EphemeralStorage", told),)


def _voters(cluster: ZooKeeperCluster) -> tuple[Concern, ...]:
    count = cluster.spec.replicas
    if count < SAFE_VOTERS and cluster.spec.disruption_budget.enabled:
        told = (
            f"With {count} of at least {SAFE_VOTERS} voters no pod may be evicted: a drain waits."
        )
        return (Concern("DrainBlocked", told), *_even(count))
    return _even(count)


def _even(count: int) -> tuple[Concern, ...]:
    if count % 2 == 1:
        return ()
    told = (
        f"{count} voters tolerate no more failures than {count - 1} and are more likely to have "
        f"one: use {count - 1} or {count + 1}."
    )
    return (Concern("EvenVoters", told),)
