"""One pod's life on a node: volumes, network, containers, status, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.kube import Object
from local.node.container import ContainerKeeper
from local.node.errors import CannotMount, PodGone
from local.node.events import Happening
from local.node.network import NetworkFailure
from local.node.records import Kind, Record, Terminated, Waiting, records_of
from local.node.reporter import StatusReporter
from local.node.services import Services
from local.node.status import Surroundings, phase, pod_status
from local.node.surroundings import PodPlace
from local.node.volumes import PodVolumes

RETRY_SECONDS = 0.5
FORCED_GRACE = 1.0
OVER = ("Succeeded", "Failed")


class PodKeeper:
    """Everything this program does for one pod, by its uid."""

    def __init__(self, pod: Object, services: Services) -> None:
        self.pod = pod
        self._services = services
        self.records: list[Record] = records_of(pod)
        self.keepers: dict[str, ContainerKeeper] = {}
        self.folder = services.pod_folder(self.uid)
        self.volumes = PodVolumes(self.folder / "volumes", services.cluster)
        self._around = Surroundings(services.node_addresses[pod["spec"]["nodeName"]])
        self._network: tuple[Path, str] | None = None
        self._stop_asked = asyncio.Event()
        self._is_absent = False
        self._reporter = StatusReporter(services.cluster.client, pod["metadata"])
        self.is_over = False

    @property
    def uid(self) -> str:
        return str(self.pod["metadata"]["uid"])

    @property
    def key(self) -> tuple[str, str]:
        return self.pod["metadata"]["namespace"], self.pod["metadata"]["name"]

    def update(self, pod: Object) -> None:
        """Take over a newer version of the object."""
        self.pod = pod
        if pod["metadata"].get("deletionTimestamp"):
            self._stop_asked.set()
        else:
            self._reporter.compare(pod)

    def vanished(self) -> None:
        """The object is gone from the API server without us: end at once."""
        self._is_absent = True
        self._stop_asked.set()

    async def run(self) -> None:
        """From the start to the removal of everything; returns when the pod is no more."""
        sender = asyncio.create_task(self._report())
        life = asyncio.create_task(self._live())
        stop = asyncio.create_task(self._stop_asked.wait())
        try:
            await asyncio.wait({life, stop}, return_when=asyncio.FIRST_COMPLETED)
            if life.done():
                life.result()
            await stop
        finally:
            life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await life
        await self._stop_containers(self._grace())
        await self._clean_up()
        self._around = _with(self._around, is_over=True)
        sender.cancel()
        if not self._is_absent:
            await self._reporter.say_goodbye(self._status)

    def _grace(self) -> float:
        metadata = self.pod["metadata"]
        if self._is_absent:
            return FORCED_GRACE
        return float(metadata.get("deletionGracePeriodSeconds") or FORCED_GRACE)

    # -- living ------------------------------------------------------------------------------

    async def _live(self) -> None:
        if (self.pod.get("status") or {}).get("phase") in OVER:
            return  # Ended in an earlier life of this program: only its removal is left.
        now = datetime.now(UTC)
        self._around = _with(self._around, started_at=begun(self.pod) or now)
        self._changed()
        if phase(self.pod, self.records, self._around) in OVER:
            return  # It ended with an earlier life of this program, and nothing is run twice.
        deadline = asyncio.timeout(self._seconds_left(now))
        try:
            async with deadline:
                place = await self._prepare()
                await self._run_containers(place)
        except TimeoutError:
            if not deadline.expired():
                raise
            message = "Pod was active on the node longer than the specified deadline"
            self._around = _with(self._around, failure=("DeadlineExceeded", message))
            self._tell("DeadlineExceeded", message, warning=True)
        await self._stop_containers(self.pod["spec"].get("terminationGracePeriodSeconds", 30))
        await self._detach()
        self._changed()

    def _seconds_left(self, now: datetime) -> float | None:
        """How long the pod may still run; a node that starts again does not begin to count anew."""
        limit = self.pod["spec"].get("activeDeadlineSeconds")
        if limit is None:
            return None
        return float(limit) - (now - (begun(self.pod) or now)).total_seconds()

    async def _prepare(self) -> PodPlace:
        await self._mount_volumes()
        network = await self._attach()
        if self._services.policies is not None:
            await self._services.policies.settle()
        address = network[1] if network else self._around.host_address
        self._around = _with(self._around, pod_address=address, has_network=True)
        self._changed()
        return PodPlace(self.folder, network[0] if network else None, address, self.volumes)

    async def _mount_volumes(self) -> None:
        while True:
            try:
                self.volumes.mark_seen(self.pod)
                await self.volumes.prepare(self.pod)
            except CannotMount as error:
                self._tell("FailedMount", str(error), warning=True)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _attach(self) -> tuple[Path, str] | None:
        """A pod on the host network has no network of its own."""
        if self.pod["spec"].get("hostNetwork"):
            return None
        while True:
            try:
                self._network = await self._services.networks.attach(self.uid)
            except NetworkFailure as error:
                self._tell("FailedCreatePodSandBox", str(error), warning=True)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return self._network

    async def _run_containers(self, place: PodPlace) -> None:
        """Init containers in order, then all others; returns when all main ones are done."""
        for record in self.records:
            self.keepers[record.name] = ContainerKeeper(
                lambda: self.pod, record, place, self._services, self._changed
            )
        async with asyncio.TaskGroup() as group:
            sidecars = []
            for record in (r for r in self.records if r.kind is not Kind.MAIN):
                keeper = self.keepers[record.name]
                if record.kind is Kind.SIDECAR:
                    sidecars.append(group.create_task(keeper.keep()))
                    await keeper.has_started.wait()
                else:
                    await keeper.keep()
                    if not record.has_succeeded:
                        break
            else:
                await self._run_mains()
            for task in sidecars:
                task.cancel()

    async def _run_mains(self) -> None:
        mains = [r for r in self.records if r.kind is Kind.MAIN and not r.has_ended]
        for record in mains:
            if isinstance(record.state, Waiting):
                record.state = Waiting("ContainerCreating")
        self._changed()
        async with asyncio.TaskGroup() as group:
            for record in mains:
                group.create_task(self.keepers[record.name].keep())

    # -- ending ------------------------------------------------------------------------------

    async def _stop_containers(self, grace: float) -> None:
        """The main containers together, then the sidecars in reverse order."""
        self._mark_waiting_ones()
        deadline = asyncio.get_running_loop().time() + grace
        mains = [k for k in self.keepers.values() if k.record.kind is not Kind.SIDECAR]
        sidecars = [k for k in self.keepers.values() if k.record.kind is Kind.SIDECAR]
        await asyncio.gather(*(self._stop_one(keeper, deadline) for keeper in mains))
        for keeper in reversed(sidecars):
            await self._stop_one(keeper, deadline)

    async def _stop_one(self, keeper: ContainerKeeper, deadline: float) -> None:
        left = max(deadline - asyncio.get_running_loop().time(), FORCED_GRACE)
        await keeper.stop(left, f"Stopping container {keeper.record.name}")
        await keeper.settle()

    def _mark_waiting_ones(self) -> None:
        """A container between two runs is shown as it ended last."""
        for record in self.records:
            if isinstance(record.state, Waiting) and record.last:
                record.state = record.last

    async def _clean_up(self) -> None:
        await self._detach()
        self.is_over = True
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    async def _detach(self) -> None:
        if self._network:
            network, self._network = self._network, None
            await self._services.networks.detach(self.uid, network[1])

    # -- telling -----------------------------------------------------------------------------

    async def _report(self) -> None:
        try:
            await self._reporter.run(self._status)
        except PodGone:
            self.vanished()

    def _changed(self) -> None:
        self._reporter.changed.set()

    def _tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        self._services.events.record(self.pod, Happening(reason, message, warning=warning))

    def _status(self) -> Object | None:
        """What there is to tell; nothing before the pod has begun here."""
        if not self._around.started_at:
            return None
        return pod_status(self.pod, self.records, self._around, datetime.now(UTC))

    # -- asking ------------------------------------------------------------------------------

    @property
    def network(self) -> Path | None:
        """The file of the pod's network; None on the host network or without one."""
        return self._network[0] if self._network else None

    @property
    def address(self) -> str:
        """The pod's own address; empty without a network of its own."""
        return self._network[1] if self._network else ""

    def record(self, name: str) -> Record | None:
        return next((record for record in self.records if record.name == name), None)

    def log_path(self, record: Record, *, previous: bool) -> Path:
        """The log of the run that is shown, or of the one before it."""
        run = record.restart_count
        between_runs = isinstance(record.state, Waiting | Terminated) and record.last is not None
        if previous and not between_runs:
            run -= 1
        return self.folder / record.name / f"{run}.log"

    async def refresh_volumes(self) -> None:
        """Write volumes again whose ConfigMap, Secret or token is no longer current."""
        if not self.keepers or not self.volumes.is_outdated(self.pod):
            return
        self.volumes.mark_seen(self.pod)
        try:
            await self.volumes.refresh(self.pod)
        except CannotMount as error:
            self._tell("FailedMount", str(error), warning=True)


def begun(pod: Object) -> datetime | None:
    """When the pod started on this node according to its own status."""
    since = (pod.get("status") or {}).get("startTime")
    return datetime.fromisoformat(since.replace("Z", "+00:00")) if since else None


def _with(around: Surroundings, **changes: Any) -> Surroundings:
    return replace(around, **changes)
