"""The cluster's object and the functions that act on it, for the model.

`look` makes real values of a state (a ZooKeeperCluster, what `scale` and `roll` see), asks the
product's own planners and returns their steps as small tuples. The condition texts are no part of
the model: a plan that only writes those is followed by the plan after it, so the functions of the
model notice less of a change than the real ones, whose status write would be refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from functions.api.cluster import ZooKeeperCluster
from functions.manifests.names import ordinal_of
from functions.planning import rolling, scale_slice
from functions.planning.ensemble import DiskReport, EnsembleConfig, SeenServers, ServerStats
from functions.planning.member_list import parse_member
from functions.planning.preparation import (
    Disk,
    Found,
    Join,
    Record,
    RecordState,
    StartAsIs,
    Wait,
    plan_preparation,
)
from functions.planning.seen import SeenClaim, SeenPod, SeenStatefulSet
from functions.planning.sizing import plan_scale
from functions.planning.steps import (
    ApplyObject,
    ApplyToGeneration,
    CreateObject,
    DeleteObject,
    EvictPod,
    Plan,
    Reconfigure,
    WriteStatus,
)
from tests.model.ensemble import EMPTY, NEW_POD, NO_POD, UP, Roles, Server, Zoo, bits
from tests.unit.planned import NOW, after, cluster, stateful_set

SERVES = ("leader", "follower", "observer")

Operation = tuple[str, str, str, int | None, int | None, int | None, str | None]


class Status(NamedTuple):
    """The cluster's object, as far as it decides anything; a volume is 0 where none is recorded."""

    wanted: tuple[int, int]
    record: str = ""
    size: int = 0
    volumes: tuple[int, ...] = ()
    members: Roles | None = None
    version: int = 0
    operation: Operation | None = None

    def renumbered(self, numbers: dict[int, int]) -> Status:
        """Return the same with versions of the member list by their new numbers; 0: an old one."""
        operation = self.operation
        if operation is not None and operation[4] is not None:
            operation = (*operation[:4], numbers.get(operation[4], 0), *operation[5:])
        return self._replace(version=numbers[self.version], operation=operation)


class View(NamedTuple):
    """Everything a function reads: the object, the StatefulSet, each pod, the committed list."""

    status: Status
    replicas: int
    pods: tuple[tuple[str, bool, int], ...]
    committed: tuple[int, Roles] | None
    disks: tuple[DiskReport | None, ...]


class SetStatus(NamedTuple):
    """Write `status.bootstrap` and `status.members`."""

    record: str
    size: int
    volumes: tuple[int, ...]
    members: Roles | None
    version: int


class SetOperation(NamedTuple):
    """Write `status.operation`."""

    operation: Operation | None


class MakeVolume(NamedTuple):
    n: int


class Run(NamedTuple):
    """Set the number of pods, if nobody has since the StatefulSet was read."""

    replicas: int


class Change(NamedTuple):
    """Take server n into the list with a role, or out of it."""

    n: int
    role: str
    version: int


class RemovePod(NamedTuple):
    n: int
    is_outdated: bool


class Prepared(NamedTuple):
    """What the preparation decided: WAIT, AS_IS, or a list to start from (FOUND: and a marker)."""

    what: str
    roles: Roles | None = None
    version: int = 0


WAIT, AS_IS, FOUND, JOIN = "wait", "start as it is", "found", "join"

Act = SetStatus | SetOperation | MakeVolume | Run | Change | RemovePod
Acts = tuple[Act, ...]


def view_of(status: Status, replicas: int, zoo: Zoo) -> View:
    servers, ensemble = zoo
    pods = tuple(
        (_mode(zoo, n), server.is_outdated, server.volume) for n, server in enumerate(servers)
    )
    committed = (ensemble.version, ensemble.roles) if ensemble.leader else None
    disks = tuple(
        _disk(server) if server.pod != NO_POD and not (committed and server.pod == UP) else None
        for server in servers
    )
    return View(status, replicas, pods, committed, disks)


def _disk(server: Server) -> DiskReport | None:
    """Return what the agent says; it runs once the pod is prepared."""
    if server.pod == NEW_POD:
        return None
    roles = server.roles or Roles(0, 0)
    return DiskReport(
        is_empty=server.epoch == EMPTY,
        zxid=None if server.epoch == EMPTY else server.last,
        epoch=max(server.epoch, 0),
        members=frozenset(n + 1 for n in bits(roles.voters | roles.observers)),
        voters=frozenset(n + 1 for n in bits(roles.voters)),
    )


def _mode(zoo: Zoo, n: int) -> str:
    server, ensemble = zoo[0][n], zoo[1]
    if server.pod != UP:
        return "" if server.pod == NO_POD else "down"
    if ensemble.leader >> n & 1:
        return "leader"
    if not ensemble.connected >> n & 1:
        return "looking"
    return "observer" if ensemble.roles.observers >> n & 1 else "follower"


@dataclass(frozen=True)
class Functions:
    """What decides: the product's planners, or a mutant of one of them."""

    scale: Callable[[View], Acts]
    roll: Callable[[View], Acts]
    prepare: Callable[[int, Server, Status | None], Prepared]


@cache
def scale(view: View) -> Acts:
    seen = scale_slice.Seen(
        stateful_set=_stateful_set(view),
        claims=tuple(_claim(n, volume) for n, (_, _, volume) in enumerate(view.pods) if volume > 0),
        pods=_pods(view),
        servers=_servers(view),
        budget=None,
        disks={n + 1: report for n, report in enumerate(view.disks) if report is not None},
    )
    return _acts(view.status, lambda seen_cluster: plan_scale(seen_cluster, seen, NOW))


@cache
def roll(view: View) -> Acts:
    seen = rolling.Seen(_stateful_set(view), _pods(view), _servers(view))
    return _acts(view.status, lambda seen_cluster: rolling.plan_roll(seen_cluster, seen, NOW))


def prepare(n: int, server: Server, status: Status | None) -> Prepared:
    """Ask the pod-side planner; without `status` the API server does not answer."""
    return _prepared(n, server.epoch < 0, server.roles, server.volume, status)


@cache
def _prepared(
    n: int, is_empty: bool, roles: Roles | None, volume: int, status: Status | None
) -> Prepared:
    own = {} if roles is None else dict.fromkeys(_entries(roles), "")
    name = f"data-zk-{n}"
    decided = plan_preparation(
        n + 1, Disk(is_empty, own), _record(status), (name, f"{name}-{volume}")
    )
    match decided:
        case Found(roles=listed):
            return Prepared(FOUND, roles_of(listed))
        case Join(roles=listed, version=version):
            return Prepared(JOIN, roles_of(listed), version)
        case StartAsIs():
            return Prepared(AS_IS)
        case Wait():
            return Prepared(WAIT)


PRODUCT = Functions(scale, roll, prepare)


def _record(status: Status | None) -> Record | None:
    if status is None or not status.record:
        return None
    first = Roles((1 << status.size) - 1, 0)
    volumes = {f"data-zk-{n}": f"data-zk-{n}-{uid}" for n, uid in enumerate(status.volumes) if uid}
    roles = _entries(status.members or first)
    return Record(RecordState(status.record), roles, volumes, version=status.version)


def _entries(roles: Roles) -> dict[int, str]:
    return {n + 1: "participant" for n in bits(roles.voters)} | {
        n + 1: "observer" for n in bits(roles.observers)
    }


def roles_of(entries: dict[int, str]) -> Roles:
    voters = sum(1 << n - 1 for n, role in entries.items() if role == "participant")
    return Roles(voters, sum(1 << n - 1 for n, role in entries.items() if role == "observer"))


@cache
def cluster_of(status: Status) -> ZooKeeperCluster:
    told: dict[str, Any] = {}
    if status.record:
        told["bootstrap"] = _bootstrap(status)
    if status.members is not None:
        told["members"] = [
            {"id": n, "name": f"zk-{n - 1}", "role": role, "configVersion": status.version}
            for n, role in sorted(_entries(status.members).items())
        ]
    if status.operation is not None:
        names = ("type", "step", "target", "serverId", "configVersion", "replicas", "podUid")
        given = zip(names, status.operation, strict=True)
        told["operation"] = {name: value for name, value in given if value is not None}
    voters, observers = status.wanted
    budget = {"enabled": False}
    return cluster(told, replicas=voters, observers=observers, disruptionBudget=budget)


def _bootstrap(status: Status) -> dict[str, Any]:
    return {
        "state": status.record,
        "members": [{"id": n + 1, "name": f"zk-{n}"} for n in range(status.size)],
        "volumes": [
            {"name": f"data-zk-{n}", "uid": f"data-zk-{n}-{volume}"}
            for n, volume in enumerate(status.volumes)
            if volume
        ],
    }


def _stateful_set(view: View) -> SeenStatefulSet:
    return stateful_set(view.replicas, update_revision="new")


def _claim(n: int, volume: int) -> SeenClaim:
    return SeenClaim(f"data-zk-{n}", f"data-zk-{n}-{volume}", is_deleting=False)


def _pods(view: View) -> tuple[SeenPod, ...]:
    return tuple(
        SeenPod(
            name=f"zk-{n}",
            uid=f"{n}-{is_outdated}",
            address=f"host-{n + 1}",
            is_ready=mode in SERVES,
            is_deleting=False,
            trouble="",
            revision="old" if is_outdated else "new",
        )
        for n, (mode, is_outdated, _) in enumerate(view.pods)
        if mode
    )


def _servers(view: View) -> SeenServers:
    stats = {
        n + 1: ServerStats("" if mode == "looking" else mode, 1 << 32, "3.9.5", 0)
        for n, (mode, _, _) in enumerate(view.pods)
        if mode in SERVES or mode == "looking"
    }
    config = None
    if view.committed is not None:
        version, roles = view.committed
        lines = [f"server.{n}=zk-{n}:2888:3888:{role};2181" for n, role in _entries(roles).items()]
        config = EnsembleConfig(version, tuple(parse_member(line) for line in sorted(lines)))
    return SeenServers(stats, {n: f"host-{n}" for n in range(1, len(view.pods) + 1)}, config)


def _acts(status: Status, plan: Callable[[ZooKeeperCluster], Plan]) -> Acts:
    """Return what a plan does; conditions are taken as told until something else is to be done."""
    seen = cluster_of(status)
    for _ in range(6):
        steps = plan(seen)
        if acts := tuple(act for step in steps if (act := _act(seen, step)) is not None):
            return acts
        if not any(isinstance(step, WriteStatus) for step in steps):
            return ()
        seen = after(seen, steps)
    raise AssertionError(f"conditions are written for ever: {status}")


def _act(seen: ZooKeeperCluster, step: Any) -> Act | None:
    match step:
        case WriteStatus(manifest=manifest, manager="zookeeper-operation"):
            return SetOperation(_operation(manifest["status"]))
        case WriteStatus(manager="scale"):
            wanted, had = _slice(after(seen, (step,))), _slice(seen)
            return wanted if wanted != had else None
        case CreateObject(manifest=manifest):
            return MakeVolume(int(manifest["metadata"]["name"].rpartition("-")[2]))
        case ApplyObject(manifest=manifest) | ApplyToGeneration(manifest=manifest):
            return Run(manifest["spec"]["replicas"])
        case Reconfigure(joining=joining, leaving=leaving, from_config=version):
            member = parse_member(joining) if joining else None
            number = member.id if member is not None else int(leaving)
            return Change(number - 1, member.role if member is not None else "", version)
        case DeleteObject(ref=ref, uid=uid) | EvictPod(ref=ref, uid=uid):
            n = ordinal_of(seen, ref.name)
            assert n is not None
            return RemovePod(n, uid.endswith("True"))
        case _:
            return None


def _operation(status: Any) -> Operation | None:
    told = status.get("operation")
    if told is None:
        return None
    names = ("type", "step", "target", "serverId", "configVersion", "replicas", "podUid")
    kind, step, target, *rest = (told.get(name) for name in names)
    return (kind, step, target, *rest)


def _slice(seen: ZooKeeperCluster) -> SetStatus:
    record, members = seen.status.bootstrap, seen.status.members
    roles = roles_of({member.id: member.role for member in members}) if members else None
    version = max((member.config_version or 0 for member in members), default=0)
    if record is None:
        return SetStatus("", 0, (), roles, version)
    volumes = {v.name: int(v.uid.rpartition("-")[2]) for v in record.volumes}
    recorded = tuple(volumes.get(f"data-zk-{n}", 0) for n in range(len(record.members)))
    return SetStatus(record.state, len(record.members), recorded, roles, version)
