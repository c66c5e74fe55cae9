"""The node's program: follows the pods that are bound to its nodes and keeps each of them.

Containers end with this program (bubblewrap's --die-with-parent), so after a restart nothing is
adopted: networks left behind are removed, every pod that is not over is started anew with its
restart counts going on, as after a reboot of the machine.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from pathlib import Path

from local.kube import KubeClient, Mirror, Object
from local.node.cluster import Cluster
from local.node.events import EventRecorder
from local.node.images import Catalogue
from local.node.network import NetworkFailure, PodNetworks
from local.node.nodes import Place, keepers
from local.node.pod import PodKeeper
from local.node.services import Services

REFRESH_SECONDS = 5.0
RETRY_SECONDS = 1.0

log = logging.getLogger("node")


class Agent:
    """All nodes of this program."""

    def __init__(
        self, client: KubeClient, places: list[Place], state: Path, restart_delay: float
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
        )
        self._pods = Mirror(client, "/api/v1/pods")
        self.keepers: dict[str, PodKeeper] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Never returns; being cancelled ends every container."""
        await self._begin()
        async with asyncio.TaskGroup() as group:
            for keeper in keepers(self._client, self.places):
                group.create_task(keeper.run())
            group.create_task(self.services.cluster.follow())
            group.create_task(self.services.events.run())
            group.create_task(self._pods.run())
            group.create_task(self._follow_pods())
            group.create_task(self._refresh_volumes())

    async def _begin(self) -> None:
        """Remove what an earlier life left, and take the nodes' addresses."""
        shutil.rmtree(self.services.state / "pods", ignore_errors=True)
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
        while True:
            self._pods.changed.clear()
            self._look()
            await self._pods.changed.wait()

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
            else:
                self._adopt(uid, pod)
        for uid, keeper in self.keepers.items():
            if uid not in mine:
                keeper.vanished()

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
