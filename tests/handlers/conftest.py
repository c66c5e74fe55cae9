"""A world in memory with what the functions' neighbours do: controllers, nodes and servers.

The StatefulSet controller and the kubelet are played by the few lines below, on the memory twin;
the preparation of a server is decided by the product's own planner, so that what a disk may do is
tested together with what is on record.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

import functions.backup
import functions.dead_letter
import functions.observe
import functions.reconcile_cluster
import functions.restore
import functions.resync
import functions.roll
import functions.scale  # noqa: F401 - importing a function deploys it
from functions.adapters.memory import (
    Faults,
    MemoryAdminServers,
    MemoryJobPrograms,
    MemoryKube,
)
from functions.adapters.memory.kube import OPTIONAL
from functions.adapters.memory.zookeeper import MemoryEnsemble, MemoryServer, MemoryZooKeeper
from functions.api.backup import ZooKeeperBackup
from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import (
    BACKUP,
    CLUSTER,
    CRON_JOB,
    EVENT,
    KINDS,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    RESTORE,
    SECRET,
    STATEFUL_SET,
    Kind,
    Ref,
)
from functions.api.kinds import POD_DISRUPTION_BUDGET as BUDGET
from functions.api.manifest import Manifest, ref_of
from functions.api.quarantine import quarantine_port
from functions.api.restore import ZooKeeperRestore
from functions.manifests.access import passwords
from functions.manifests.digests import super_user_digest
from functions.manifests.encryption import encryption_of
from functions.manifests.fingerprint import fingerprint
from functions.manifests.server_config import client_address, server_line
from functions.planning.ensemble import EnsembleConfig
from functions.planning.member_list import parse_member
from functions.planning.preparation import (
    Disk,
    Found,
    Preparation,
    StartAsIs,
    Wait,
    plan_preparation,
)
from functions.planning.restoring import Apply, Hold, Keep, Revert, Verdict
from functions.planning.status import timestamp
from functions.pods.record import parse_record, parse_verdict
from functions.runtime.events import PING_EVENT, Event, reference_event
from functions.runtime.function import FUNCTIONS, Answer, deliver
from functions.runtime.settings import Settings
from functions.runtime.world import Kube, World
from tests.handlers.granted import GrantedKube
from tests.handlers.job_controller import JobController

NAMESPACE = "apps"
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
OTHER_FUNCTIONS = {BACKUP: "backup", RESTORE: "restore"}
CLUSTER_FUNCTIONS = ("reconcile-cluster", "scale", "roll", "observe")


@dataclass
class Passwords:
    """Gives a new password each time, or always the `only` one."""

    only: str = ""
    given: int = 0

    def __call__(self) -> str:
        self.given += 1
        return self.only or f"password-{self.given}"


@dataclass(repr=False)
class Simulation:
    """One namespace with clusters, their pods, disks and servers."""

    kube: MemoryKube
    zookeeper: MemoryZooKeeper
    faults: Faults
    programs: MemoryJobPrograms
    admin_servers: MemoryAdminServers
    sent: list[Ref] = field(default_factory=list)
    traceparents: list[str] = field(default_factory=list)
    disks: dict[str, Disk] = field(default_factory=dict)
    markers: list[str] = field(default_factory=list)
    zxids: dict[str, int] = field(default_factory=dict)
    disk_at: dict[str, str] = field(default_factory=dict)
    let_in: set[str | None] = field(default_factory=set)
    broken_pods: set[str] = field(default_factory=set)
    clock: datetime = NEW_YEAR
    passwords: Passwords = field(default_factory=Passwords)
    ensembles: dict[str, MemoryEnsemble] = field(default_factory=dict)
    first_passwords: dict[str, str] = field(default_factory=dict)
    jobs: JobController = field(default_factory=JobController)

    def world(self, function: str = "") -> World:
        """Return what a function works with, as far as its rights go; no name: all there is."""
        kube: Kube = self.kube
        if function:
            kube = GrantedKube(kube, function)
        return World(
            kube=kube,
            zookeeper=self.zookeeper,
            programs=self.programs,
            admin_servers=self.admin_servers,
            now=self._now,
            emit=self._emit,
            fresh_password=self.passwords,
            # One after the other: no thread is started, and every call has its number.
            settings=Settings(conflict_pause=0.0, servers_at_once=1),
        )

    def _now(self) -> datetime:
        self.clock += timedelta(seconds=1)
        return self.clock

    def _emit(self, attributes: Any, data: Any) -> None:
        del data
        kind = KINDS[attributes["apiversion"], attributes["kind"]]
        self.sent.append(Ref(kind, attributes["namespace"], attributes["name"]))
        self.traceparents.append(attributes.get("traceparent", ""))

    def fork(self) -> Simulation:
        """Return another world that is the same so far, sharing what never changes."""
        stored = self.kube._store.snapshot()
        kept = (*stored, *stored.values(), *self.kube.writes, *KINDS.values())
        return copy.deepcopy(self, {id(item): item for item in kept})

    def is_as(self, other: Simulation) -> bool:
        """Whether this fork of `other` (or the other way round) holds the very same objects."""
        return self.kube._store.snapshot() == other.kube._store.snapshot()

    # What a user does.

    def apply(self, name: str = "zk", namespace: str = NAMESPACE, **spec: Any) -> None:
        manifest = {
            "apiVersion": CLUSTER.api_version,
            "kind": CLUSTER.name,
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }
        self.kube.apply(manifest, manager="kubectl", force=True)

    def delete(self, name: str = "zk") -> None:
        ref = Ref(CLUSTER, NAMESPACE, name)
        found = self.kube.get(ref)
        assert found is not None
        self.kube.delete(ref, uid=found["metadata"]["uid"])

    def apply_backup(self, name: str = "nightly", namespace: str = NAMESPACE, **spec: Any) -> None:
        """Apply a backup of the cluster zk to a bucket of S3."""
        given = {"source": {"name": "zk"}, "target": {"s3": {"bucket": "b"}}, **spec}
        manifest = {
            "apiVersion": BACKUP.api_version,
            "kind": BACKUP.name,
            "metadata": {"name": name, "namespace": namespace},
            "spec": given,
        }
        self.kube.apply(manifest, manager="kubectl", force=True)

    def apply_restore(self, name: str = "back", namespace: str = NAMESPACE, **spec: Any) -> None:
        """Apply a restore of the cluster zk from a bucket of S3."""
        source = {"s3": {"bucket": "b", "key": "apps/nightly/once/x"}}
        manifest = {
            "apiVersion": RESTORE.api_version,
            "kind": RESTORE.name,
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"rolloutRestart": True, "source": source, "target": {"name": "zk"}, **spec},
        }
        self.kube.apply(manifest, manager="kubectl", force=True)

    def restore(self, name: str = "back") -> ZooKeeperRestore:
        found = self.kube.get(Ref(RESTORE, NAMESPACE, name))
        assert found is not None, f"there is no restore {name}"
        return ZooKeeperRestore.parse(found)

    def backup(self, name: str = "nightly") -> ZooKeeperBackup:
        found = self.kube.get(Ref(BACKUP, NAMESPACE, name))
        assert found is not None, f"there is no backup {name}"
        return ZooKeeperBackup.parse(found)

    def cluster(self, name: str = "zk", namespace: str = NAMESPACE) -> ZooKeeperCluster:
        found = self.kube.get(Ref(CLUSTER, namespace, name))
        assert found is not None, f"there is no cluster {name}"
        return ZooKeeperCluster.parse(found)

    def condition(self, kind: str, name: str = "zk") -> tuple[str, str]:
        found = (c for c in self.cluster(name).status.conditions if c.type == kind)
        return next(((c.status, c.reason) for c in found), ("", ""))

    def events(self) -> list[str]:
        return [event["reason"] for event in self.kube.stored(EVENT)]

    def pods(self) -> list[str]:
        return [pod["metadata"]["name"] for pod in self.kube.list(POD, NAMESPACE)]

    def objects_left(self) -> list[str]:
        """Return every object there is beside the Events."""
        kinds = [k for k in KINDS.values() if k not in {EVENT, *OPTIONAL}]
        return [
            f"{found['kind']} {found['metadata']['name']}"
            for kind in kinds
            for found in self.kube.stored(kind)
        ]

    # What Knative does.

    def resync(self, scope: str) -> list[Ref]:
        """Let a PingSource tick; return the clusters that get an event."""
        self.sent.clear()
        event = Event({"type": PING_EVENT, "id": "1", "source": "/ping"}, {"scope": scope})
        world = partial(self.world, "resync")
        assert deliver(FUNCTIONS["resync"], event, world).status == 204
        return sorted(self.sent, key=str)

    def deliver(self, function: str, ref: Ref | None = None) -> Answer:
        attributes, data = reference_event(ref or Ref(CLUSTER, NAMESPACE, "zk"))
        event = Event({**attributes, "id": "1"}, data)
        return deliver(FUNCTIONS[function], event, partial(self.world, function))

    def round(self, functions: Iterable[str] = CLUSTER_FUNCTIONS) -> int:
        """Deliver one event about every cluster to each function; return how much was written."""
        before = len(self.kube.writes)
        for cluster in self.kube.stored(CLUSTER):
            ref = Ref(CLUSTER, cluster["metadata"]["namespace"], cluster["metadata"]["name"])
            for function in functions:
                assert self.deliver(function, ref).status in (204, 409, 503)
        for kind, function in OTHER_FUNCTIONS.items():
            for found in self.kube.stored(kind):
                assert self.deliver(function, ref_of(found)).status in (204, 409, 503)
        return len(self.kube.writes) - before

    def settle(self, functions: tuple[str, ...] = CLUSTER_FUNCTIONS) -> None:
        """Deliver events and let Kubernetes work until nothing changes any more."""
        for _ in range(60):
            written = self.round(functions)
            changed = self.kubernetes()
            if not written and not changed:
                return
        raise AssertionError("it never settles")

    # What Kubernetes and the nodes do.

    def kubernetes(self) -> bool:
        """Run the controllers and the nodes once; return whether they changed anything."""
        before = len(self.kube.stored(POD))
        self.kube.collect_garbage()
        changed = [len(self.kube.stored(POD)) != before]
        changed += [self._run_set(found) for found in self.kube.stored(STATEFUL_SET)]
        changed += [self._observe_generation(found) for found in self.kube.stored(BUDGET)]
        changed += [self._drop_orphan(pod) for pod in self._server_pods()]
        self._stop_servers_without_pod()
        changed += [self._run_pod(pod) for pod in self._server_pods()]
        self._look_at_volumes()
        changed.append(self.jobs.run(self.kube, self.time()))
        return any(changed)

    def time(self) -> str:
        """Return what the clock of Kubernetes says."""
        return timestamp(self.clock)

    def _server_pods(self) -> list[Manifest]:
        found = self.kube.stored(POD)
        return [p for p in found if p["metadata"]["ownerReferences"][0]["kind"] != "Job"]

    def fire(self, name: str = "backup-nightly") -> bool:
        """Let a CronJob's time come, an hour after everything that was before."""
        self.clock += timedelta(hours=1)
        minute = int(self.clock.timestamp() // 60)
        return self.jobs.fire(self.kube, Ref(CRON_JOB, NAMESPACE, name), minute, self.time())

    def _run_set(self, found: Manifest) -> bool:
        metadata, wanted = found["metadata"], found["spec"]["replicas"]
        changed = self._observe_generation(found)
        for ordinal in range(wanted):
            changed |= self._make_pod(found, ordinal)
        for pod in self.kube.list(POD, metadata["namespace"], _selector(found)):
            if int(pod["metadata"]["name"].rpartition("-")[2]) >= wanted:
                self.remove_pod(pod["metadata"]["name"], metadata["namespace"])
                changed = True
        return changed

    def _stop_servers_without_pod(self) -> None:
        running = {self._address(pod) for pod in self.kube.stored(POD)}
        for ensemble in self.zookeeper.ensembles:
            for server in ensemble.servers.values():
                server.is_up = server.is_up and server.host in running

    def _observe_generation(self, found: Manifest) -> bool:
        generation = found["metadata"]["generation"]
        if found.get("status", {}).get("observedGeneration") == generation:
            return False
        status: Manifest = {"observedGeneration": generation}
        if found["kind"] == STATEFUL_SET.name:
            status["updateRevision"] = fingerprint(found["spec"]["template"])
        self.kube.mirror({**found, "status": status})
        return True

    def _make_pod(self, found: Manifest, ordinal: int) -> bool:
        metadata, template = found["metadata"], found["spec"]["template"]
        name = f"{metadata['name']}-{ordinal}"
        if self._exists(POD, metadata["namespace"], name):
            return False
        for claim in found["spec"].get("volumeClaimTemplates", []):
            self._make_claim(claim, f"{claim['metadata']['name']}-{name}", found)
        owner = {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": True,
        }
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": metadata["namespace"],
                "labels": {
                    **template["metadata"]["labels"],
                    "controller-revision-hash": fingerprint(template),
                },
                "annotations": template["metadata"].get("annotations", {}),
                "ownerReferences": [owner],
            },
            "spec": template["spec"],
        }
        self.kube.put(pod, manager="sts")
        return True

    def _make_claim(self, template: Manifest, name: str, found: Manifest) -> None:
        namespace = found["metadata"]["namespace"]
        if not self._exists(PERSISTENT_VOLUME_CLAIM, namespace, name):
            metadata = {"name": name, "namespace": namespace, "labels": _selector(found)}
            self.kube.put({**template, "metadata": metadata}, manager="sts")

    def _exists(self, kind: Kind, namespace: str, name: str) -> bool:
        return self.kube.stored_at(Ref(kind, namespace, name)) is not None

    def _drop_orphan(self, pod: Manifest) -> bool:
        owner = pod["metadata"]["ownerReferences"][0]
        found = self.kube.stored_at(Ref(STATEFUL_SET, pod["metadata"]["namespace"], owner["name"]))
        if found is not None and found["metadata"]["uid"] == owner["uid"]:
            return False
        self.remove_pod(pod["metadata"]["name"], pod["metadata"]["namespace"])
        return True

    def remove_pod(self, name: str, namespace: str = NAMESPACE) -> None:
        ref = Ref(POD, namespace, name)
        pod = self.kube.get(ref)
        assert pod is not None
        self._stop_server(pod.get("status", {}).get("podIP", ""))
        self.kube.delete(ref, uid=pod["metadata"]["uid"])
        self.kube.writes.pop()

    def lose_disk(self, name: str, namespace: str = NAMESPACE) -> None:
        """Take a stopped server's volume away; its claim is made anew with another uid."""
        ref = Ref(PERSISTENT_VOLUME_CLAIM, namespace, f"data-{name}")
        claim = self.kube.get(ref)
        assert claim is not None
        self.kube.delete(ref, uid=claim["metadata"]["uid"])
        self.kube.writes.pop()

    def lose(self, *names: str, namespace: str = NAMESPACE) -> None:
        """Lose servers together with their volumes; empty ones take their place."""
        for name in names:
            self.remove_pod(name, namespace)
            if self._exists(PERSISTENT_VOLUME_CLAIM, namespace, f"data-{name}"):
                self.lose_disk(name, namespace)

    def _stop_server(self, address: str) -> None:
        for ensemble in self.zookeeper.ensembles:
            for server in ensemble.servers.values():
                if server.host == address:
                    server.is_up = False

    def _run_pod(self, pod: Manifest) -> bool:
        """Be the kubelet: prepare the server, start it, and report readiness."""
        name = pod["metadata"]["name"]
        if name in self.broken_pods and self._server_of(pod) is None:
            return self._say(pod, address="", ready=False)
        server = self._server_of(pod)
        if server is None:
            if isinstance(decided := self._prepare(pod), Wait):
                return False
            self._start(pod, decided)
            server = self._server_of(pod)
        assert server is not None
        ensemble, number = server
        ready = bool(ensemble.mode_of(number))
        if ready:
            uid = self._disk_of(pod)
            self.disks[uid] = replace(self.disks[uid], is_empty=False)
        return self._say(pod, self._address(pod), ready)

    def _server_of(self, pod: Manifest) -> tuple[MemoryEnsemble, int] | None:
        address = self._address(pod)
        for ensemble in self.zookeeper.ensembles:
            for server in ensemble.servers.values():
                if server.host == address and server.is_up:
                    return ensemble, server.id
        return None

    def _address(self, pod: Manifest) -> str:
        """Return an address of its own for every pod that ever was, made from its uid."""
        number = UUID(pod["metadata"]["uid"]).int
        return f"10.244.{1 + number // 250}.{number % 250}"

    def _disk_of(self, pod: Manifest) -> str:
        metadata = pod["metadata"]
        ref = Ref(PERSISTENT_VOLUME_CLAIM, metadata["namespace"], f"data-{metadata['name']}")
        claim = self.kube.stored_at(ref)
        return str(claim["metadata"]["uid"] if claim is not None else metadata["uid"])

    def _prepare(self, pod: Manifest) -> Preparation:
        metadata = pod["metadata"]
        env = {e["name"]: e.get("value") for e in pod["spec"]["initContainers"][0]["env"]}
        number = int(metadata["name"].rpartition("-")[2]) + 1
        disk = self.disks.setdefault(self._disk_of(pod), Disk(is_empty=True, members={}))
        found = self.kube.stored_at(Ref(CLUSTER, metadata["namespace"], str(env["CLUSTER"])))
        name = f"data-{metadata['name']}" if env["CLAIM"] else metadata["name"]
        record = parse_record(found)
        self.let_in |= set(record.recovery.values()) if record is not None else set()
        if told := self._swap(self._disk_of(pod), parse_verdict(found)):
            return Wait(told)
        disk = self.disks[self._disk_of(pod)]
        return plan_preparation(number, disk, record, (name, self._disk_of(pod)))

    def _swap(self, uid: str, verdict: Verdict) -> str:
        """Let a volume's data change its place as restores say; return what it waits for."""
        volumes = self.jobs.volumes
        while True:
            held, is_empty = volumes.of(uid), self.disks[uid].is_empty
            decided = volumes.decide(uid, is_empty, verdict)
            if isinstance(decided, Keep) and is_empty and not held.armed:
                # The leader fills it, with the data that everybody has.
                volumes.change(uid, replace(held, history=verdict.restored))
            if isinstance(decided, Keep | Hold):
                return decided.reason if isinstance(decided, Hold) else ""
            self._note_zxids()
            newest = ((max([0, *self.zxids.values()]) >> 32) + 1) << 32
            is_empty, history, zxid = True, "", 0
            if isinstance(decided, Apply):
                own = (self.disks[uid].is_empty, held.history, self.zxids.get(uid, 0))
                is_empty, history = decided.uid not in held.staged, decided.uid
                zxid = 0 if is_empty else newest
                held = replace(held, is_applied=True, armed=decided.uid, own=own)
            elif isinstance(decided, Revert):
                is_empty, history, zxid = held.own
                held = replace(held, is_applied=False)
            volumes.change(uid, replace(held, history=history))
            self.disks[uid] = replace(self.disks[uid], is_empty=is_empty)
            self._put_zxid(uid, zxid)

    def _put_zxid(self, uid: str, zxid: int) -> None:
        self.zxids[uid] = zxid
        for ensemble in self.zookeeper.ensembles:
            for server in ensemble.servers.values():
                if self.disk_at.get(server.host) == uid:
                    server.zxid = zxid

    def _choose_port(self, ensemble: MemoryEnsemble, metadata: Manifest) -> None:
        """Let the first server that starts say where they serve, as its own list does."""
        if any(server.is_up for server in ensemble.servers.values()):
            return
        name, namespace = metadata["name"].rpartition("-")[0], metadata["namespace"]
        verdict = parse_verdict(self.kube.stored_at(Ref(CLUSTER, namespace, name)))
        spec = self.cluster(name, namespace).spec
        port = quarantine_port(spec) if verdict.is_closed else spec.config.client_port
        ensemble.leader, listed = 0, ensemble.config.members
        quorum = {m.id: m.address.partition(";")[0] for m in listed}
        inside = client_address(self.cluster(name, namespace), is_plaintext_closed=True)
        is_inside = encryption_of(metadata["annotations"]).is_plaintext_closed
        client = inside if is_inside else f"0.0.0.0:{port}"
        moved = (replace(m, address=f"{quorum[m.id]};{client}") for m in listed)
        ensemble.config = EnsembleConfig(ensemble.config.version, tuple(moved))

    def _look_at_volumes(self) -> None:
        """Note whoever meets data of another history, and clients that are let in too early."""
        volumes = self.jobs.volumes
        volumes.claims = {
            (c["metadata"]["namespace"], c["metadata"]["name"]): c["metadata"]["uid"]
            for c in self.kube.stored(PERSISTENT_VOLUME_CLAIM)
        }
        for key, ensemble in self.ensembles.items():
            up = [s for s in ensemble.servers.values() if s.is_up and ensemble.mode_of(s.id)]
            told = {volumes.of(self.disk_at[server.host]).history for server in up}
            if len(told) > 1:
                volumes.mixes.append(f"{key} serves {sorted(told)}")
            namespace, _, name = key.partition("/")
            found = self.kube.stored_at(Ref(CLUSTER, namespace, name)) or {}
            restored = found.get("status", {}).get("restored", "")
            port = self.cluster(name, namespace).spec.config.client_port if found else 0
            if early := [s.id for s in up if s.port == port and told != {restored}]:
                volumes.mixes.append(f"clients of {key} meet {told} at {early}")

    def _start(self, pod: Manifest, decided: Preparation) -> None:
        metadata, uid = pod["metadata"], self._disk_of(pod)
        number = int(metadata["name"].rpartition("-")[2]) + 1
        if not isinstance(decided, StartAsIs):
            assert not isinstance(decided, Wait)
            lines = {n: f"{role}" for n, role in decided.roles.items()}
            self.disks[uid] = replace(self.disks[uid], members=lines)
        if isinstance(decided, Found):
            self.markers.append(uid)
            # Its first act is a snapshot of nothing.
            self.disks[uid] = replace(self.disks[uid], is_empty=False)
        ensemble = self._ensemble(pod, self.disks[uid].members)
        self._note_zxids()
        votes, address = not self.disks[uid].is_empty, self._address(pod)
        self.disk_at[address] = uid
        self._choose_port(ensemble, metadata)
        added = ensemble.add(number, address, has_data=votes, zxid=self.zxids.get(uid, 0))
        ports = {m.id: int(m.address.rpartition(":")[2]) for m in ensemble.config.members}
        added.port = ports.get(number, min(ports.values()))
        self._bind_clients(pod, added)
        known = self._password(pod)
        # A test that gives the ensemble another password means all servers but later rotations.
        added.password = known if known != self.first_passwords[self._key(metadata)] else ""
        added.restored = self.jobs.volumes.of(uid).history

    def _bind_clients(self, pod: Manifest, server: MemoryServer) -> None:
        """Let the pod say where its server listens; its own list says the same from then on."""
        metadata = pod["metadata"]
        encryption = encryption_of(metadata["annotations"])
        cluster = metadata["name"].rpartition("-")[0]
        verdict = parse_verdict(self.kube.get(Ref(CLUSTER, metadata["namespace"], cluster)))
        server.secure_port = 0 if verdict.is_closed else encryption.client_port
        env = {e["name"]: e.get("value", "") for e in pod["spec"]["initContainers"][0]["env"]}
        server.is_inside = "INSIDE_ADDRESS" in env
        is_closed = server.is_inside or verdict.is_closed
        if server.is_inside or server.port == int(env["QUARANTINE_PORT"]):
            server.port = int(env["QUARANTINE_PORT" if is_closed else "CLIENT_PORT"])

    def _note_zxids(self) -> None:
        """Note what each volume holds before another server takes its last one's place."""
        for ensemble in self.zookeeper.ensembles:
            for server in ensemble.servers.values():
                self.zxids[self.disk_at[server.host]] = server.zxid

    def _password(self, pod: Manifest) -> str:
        """Return the super user's password whose digest the pod's server is started with."""
        env = {e["name"]: e for c in pod["spec"]["containers"] for e in c["env"]}
        given = env["SUPER_DIGEST"]["valueFrom"]["secretKeyRef"]
        secret = self.kube.stored_at(Ref(SECRET, pod["metadata"]["namespace"], given["name"]))
        assert secret is not None
        digest = base64.b64decode(secret["data"][given["key"]]).decode()
        return next(word for word in passwords(secret) if super_user_digest(word) == digest)

    def _key(self, metadata: Manifest) -> str:
        return f"{metadata['namespace']}/{metadata['name'].rpartition('-')[0]}"

    def _ensemble(self, pod: Manifest, members: dict[int, str]) -> MemoryEnsemble:
        metadata = pod["metadata"]
        key = self._key(metadata)
        if key in self.ensembles:
            return self.ensembles[key]
        cluster = self.cluster(metadata["name"].rpartition("-")[0], metadata["namespace"])
        is_closed = encryption_of(metadata["annotations"]).is_plaintext_closed
        lines = (server_line(cluster, n - 1, is_plaintext_closed=is_closed) for n in members)
        listed = tuple(sorted(map(parse_member, lines), key=lambda member: member.id))
        made = MemoryEnsemble(EnsembleConfig(0x100000000, listed), self._password(pod))
        self.first_passwords[key] = made.password
        self.zookeeper.ensembles.append(made)
        self.ensembles[key] = made
        return made

    def _say(self, pod: Manifest, address: str, ready: bool) -> bool:
        status: Manifest = {
            "phase": "Running" if address else "Pending",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        }
        if address:
            status["podIP"] = address
        else:
            waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
            status["containerStatuses"] = [{"name": "zookeeper", "state": {"waiting": waiting}}]
        if pod.get("status") == status:
            return False
        self.kube.put({**pod, "status": status}, manager="kubelet")
        return True


def _selector(found: Manifest) -> dict[str, str]:
    labels: dict[str, str] = found["spec"]["selector"]["matchLabels"]
    return labels


@pytest.fixture
def simulation() -> Simulation:
    return new_simulation()


@pytest.fixture(scope="session")
def serving() -> Simulation:
    """A cluster that serves, to be forked."""
    simulation = new_simulation()
    simulation.apply("small", "default", replicas=3)
    simulation.settle()
    return simulation


def new_simulation() -> Simulation:
    """Return a world with nothing in it."""
    faults = Faults()
    return Simulation(
        kube=MemoryKube(now=lambda: NEW_YEAR, faults=faults),
        zookeeper=MemoryZooKeeper(faults=faults),
        faults=faults,
        programs=MemoryJobPrograms(faults),
        admin_servers=MemoryAdminServers(faults),
    )
