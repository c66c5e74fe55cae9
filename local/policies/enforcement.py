"""Keeps the kernel's table as policies, namespaces and pods want it.

Nothing is done while nothing changes that a policy can see. A pod's containers start only when the
table knows its address, so that none of its first packets is lost, nor one too many passes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable

from local.commands import CommandFailed, run
from local.kube import KubeClient, Mirror, Object
from local.policies.isolation import Direction, isolations
from local.policies.peers import World
from local.policies.pods import pod_of
from local.policies.table import table

SETTLE_SECONDS = 2.0
PAUSE_SECONDS = 0.5
POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"

log = logging.getLogger("policies")


class Enforcement:
    """The policies of one platform; `pods` tells which pods have which address just now."""

    def __init__(
        self, client: KubeClient, pods: Callable[[], Iterable[tuple[Object, str]]]
    ) -> None:
        self._policies = Mirror(client, POLICIES)
        self._namespaces = Mirror(client, "/api/v1/namespaces")
        self._pods = pods
        self.changed = asyncio.Event()
        for mirror in self.mirrors:
            mirror.changed = self.changed
        self._seen: World | None = None
        self._standing = table({}, {})
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def mirrors(self) -> tuple[Mirror, Mirror]:
        return self._policies, self._namespaces

    async def run(self) -> None:
        """Follow every change for ever; the mirrors are run by somebody else."""
        for mirror in self.mirrors:
            await mirror.synced.wait()
        # Whatever an earlier life of this program left behind.
        await self._replace(self._standing)
        while True:
            await self.changed.wait()
            self.changed.clear()
            waiting, self._waiting = self._waiting, []
            try:
                await self._look()
            except CommandFailed as refusal:
                log.warning("will try again: %s", refusal)
                self._seen = None
                await asyncio.sleep(PAUSE_SECONDS)
                self.changed.set()
            finally:
                _release(waiting)

    async def settle(self) -> None:
        """Wait until all that is known now is in the table; not for ever, a pod has to start."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self.changed.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(turn, SETTLE_SECONDS)

    async def _look(self) -> None:
        world = self._world()
        if world == self._seen:
            return
        self._seen = world
        wanted = table(isolations(Direction.ARRIVING, world), isolations(Direction.LEAVING, world))
        if wanted != self._standing:
            await self._replace(wanted)

    def _world(self) -> World:
        return World(
            policies=[
                (policy["metadata"]["namespace"], policy["spec"])
                for policy in self._policies.objects.values()
            ],
            namespaces={
                name: namespace["metadata"].get("labels") or {}
                for (_, name), namespace in self._namespaces.objects.items()
            },
            pods=[pod_of(manifest, address) for manifest, address in self._pods()],
        )

    async def _replace(self, wanted: str) -> None:
        await run("nft", "-f", "-", given=wanted)
        self._standing = wanted


def _release(waiting: Iterable[asyncio.Future[None]]) -> None:
    for turn in waiting:
        if not turn.done():
            turn.set_result(None)
