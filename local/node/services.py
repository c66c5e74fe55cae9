"""What all pods of the node's program share."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

from local.kube import Object
from local.node.cluster import Cluster
from local.node.errors import CannotStart
from local.node.events import EventRecorder, Happening
from local.node.images import Catalogue, Image, ImageName, image, parse_image_name
from local.node.network import PodNetworks
from local.node.pull import fetch, zookeeper_folder
from local.policies.enforcement import Enforcement


@dataclass(slots=True)
class Services:
    """One per program; the pods of all its nodes use the same."""

    cluster: Cluster
    events: EventRecorder
    networks: PodNetworks
    catalogue: Catalogue
    state: Path
    restart_delay: float
    node_addresses: dict[str, str]
    # None where nobody is to obey them.
    policies: Enforcement | None = None
    _pulls: dict[str, asyncio.Lock] = field(default_factory=dict)

    def pod_folder(self, uid: str) -> Path:
        return self.state / "pods" / uid

    async def image(self, pod: Object, container: Object) -> Image:
        """The image of a container, fetched if need be; raises CannotStart."""
        text = container["image"]
        name = parse_image_name(text)
        entry = self.catalogue.entry(name)
        if entry.get("pull") != "zookeeper":
            made = image(name, entry, None)
            self._say(
                pod, container, "Pulled", f'Container image "{text}" already present on machine'
            )
            return made
        return image(name, entry, await self._fetched(pod, container, name))

    async def _fetched(self, pod: Object, container: Object, name: ImageName) -> Path:
        text = container["image"]
        if zookeeper_folder(name.version).exists():
            self._say(
                pod, container, "Pulled", f'Container image "{text}" already present on machine'
            )
            return zookeeper_folder(name.version)
        if container.get("imagePullPolicy") == "Never":
            raise CannotStart(
                "ErrImageNeverPull",
                f'Container image "{text}" is not present with pull policy of Never',
            )
        self._say(pod, container, "Pulling", f'Pulling image "{text}"')
        begun = time.monotonic()
        async with self._pulls.setdefault(name.version, asyncio.Lock()):
            folder = await fetch(name.version)
        seconds = time.monotonic() - begun
        self._say(pod, container, "Pulled", f'Successfully pulled image "{text}" in {seconds:.1f}s')
        return folder

    def _say(self, pod: Object, container: Object, reason: str, message: str) -> None:
        self.events.record(pod, Happening(reason, message, container["name"]))
