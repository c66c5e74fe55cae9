"""The node's program: follows the pods that are bound to its nodes and keeps each of them.

Containers end with this program (bubblewrap's --die-with-parent), so after a restart nothing is
adopted: networks left behind are removed, and every pod that is not over is started anew, as after
a reboot of the machine. Restart counts go on; logs and emptyDir volumes are kept.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from local.kube import KubeClient, Mirror, Object
from local.node.cluster import Cluster
from local.node.events import EventRecorder
from local.node.images import Catalogue
from local.node.network import NetworkFailure, PodNetworks
from local.node.nodes import Place, keepers
from local.node.pod import PodKeeper
from local.node.services import Services
from local.policies.enforcement import Enforcement

REFRESH_SECONDS = 5.0
RETRY_SECONDS = 1.0
STOP_SECONDS = 1.2

log = logging.getLogger("node")


async def _for_ever(work: Callable[[], Awaitable[None]]) -> None:
    """Begin again after a defect: the pods must not end because one piece of work did."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("beginning again")
        await asyncio.sleep(RETRY_SECONDS)


class Agent:
    """All nodes of this program."""

    def __init__(
        self,
        client: KubeClient,
        places: list[Place],
        state: Path,
        *,
        restart_delay: float,
        has_policies: bool,
    ) -> None:
        self._client = client
        self.places = places
        self.services = Services(
            cluster=Cluster(client),
            events=EventRecorder(client),
            networks=PodNetworks(),
            catalogue=Catalogue(state),
            state=state,
            restart_delay=restart_delay,
            node_addresses={place.name: place.address for place in places},
            policies=Enforcement(client, self._addresses) if has_policies else None,
        )
        self._pods = Mirror(client, "/api/v1/pods")
        self.keepers: dict[str, PodKeeper] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # Pods that have ended here for good. A finalizer can keep the object for a while longer,
        # as that of a Job does until the pod is counted.
        self._ended: set[str] = set()

    async def run(self) -> None:
        """Never returns; being cancelled ends every container."""
        await self._begin()
        services = self.services
        wanted = [keeper.run for keeper in keepers(self._client, self.places)]
        wanted += [mirror.run for mirror in (self._pods, *services.cluster.mirrors.values())]
        wanted += [services.cluster.services.run, services.events.run]
        wanted += [self._follow_pods, self._refresh_volumes]
        if policies := self.services.policies:
            wanted += [policies.run, *(mirror.run for mirror in policies.mirrors)]
        try:
            async with asyncio.TaskGroup() as group:
                for work in wanted:
                    group.create_task(_for_ever(work))
        finally:
            await self._stop_all()

    async def _stop_all(self) -> None:
        """Let every container end by itself, as far as that takes no longer than a moment."""
        running = [
            record.running
            for keeper in self.keepers.values()
            for record in keeper.records
            if record.running is not None and not record.running.has_ended
        ]
        for container in running:
            container.send(signal.SIGTERM)
        if running:
            waits = [asyncio.create_task(container.process.wait()) for container in running]
            await asyncio.wait(waits, timeout=STOP_SECONDS)

    async def _begin(self) -> None:
        """Remove what an earlier life left, and take the nodes' addresses."""
        while True:
            try:
                await self.services.networks.clean()
                for place in self.places:
                    await self.services.networks.add_node_address(place.address)
            except NetworkFailure as failure:
                log.warning("the network is not ready: %s", failure)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _follow_pods(self) -> None:
        await self._pods.synced.wait()
        await self.services.cluster.services.synced.wait()
        self._remove_old_folders()
        while True:
            self._pods.changed.clear()
            self._look()
            await self._pods.changed.wait()

    def _remove_old_folders(self) -> None:
        """Remove what is left of pods that went away while this program did not run."""
        known = {pod["metadata"]["uid"] for pod in self._pods.objects.values()}
        for folder in (self.services.state / "pods").glob("*"):
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)

    def _look(self) -> None:
        """Compare the pods there are with those that are kept."""
        mine = {
            pod["metadata"]["uid"]: pod
            for pod in self._pods.objects.values()
            if pod["spec"].get("nodeName") in self.services.node_addresses
        }
        for uid, pod in mine.items():
            if uid in self.keepers:
                self._update(self.keepers[uid], pod)
            elif uid not in self._ended:
                self._adopt(uid, pod)
        self._ended &= mine.keys()
        for uid, keeper in self.keepers.items():
            if uid not in mine:
                keeper.vanished()
        if self.services.policies is not None:
            self.services.policies.changed.set()

    def _addresses(self) -> list[tuple[Object, str]]:
        """Return the pods that have a network of their own, each with its address."""
        return [(keeper.pod, keeper.address) for keeper in self.keepers.values() if keeper.address]

    def _update(self, keeper: PodKeeper, pod: Object) -> None:
        if pod["metadata"]["resourceVersion"] != keeper.pod["metadata"]["resourceVersion"]:
            keeper.update(pod)

    def _adopt(self, uid: str, pod: Object) -> None:
        keeper = PodKeeper(pod, self.services)
        self.keepers[uid] = keeper
        keeper.update(pod)
        self._tasks[uid] = asyncio.create_task(self._keep(uid, keeper))

    async def _keep(self, uid: str, keeper: PodKeeper) -> None:
        try:
            await keeper.run()
            self._ended.add(uid)
        except Exception:
            # A defect of this program must not take the other pods along.
            log.exception("pod %s/%s", *keeper.key)
        finally:
            self.keepers.pop(uid, None)
            self._tasks.pop(uid, None)
            self._pods.changed.set()

    async def _refresh_volumes(self) -> None:
        """Follow ConfigMaps and Secrets at once, and look at tokens every few seconds."""
        mirrors = self.services.cluster.mirrors.values()
        while True:
            waits = [asyncio.create_task(mirror.changed.wait()) for mirror in mirrors]
            await asyncio.wait(waits, timeout=REFRESH_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            for mirror in mirrors:
                mirror.changed.clear()
            for keeper in list(self.keepers.values()):
                await keeper.refresh_volumes()
