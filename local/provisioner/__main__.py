"""`python -m local.provisioner`: make and remove the folders behind persistent volumes."""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from local.following import follow, run_part, until_it_succeeds
from local.kube import ApiError, KubeClient, Mirror, Object
from local.provisioner import memory, volumes

FIELD_MANAGER = "local:provisioner"
VOLUMES = "/api/v1/persistentvolumes"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
CONFLICT = 409

log = logging.getLogger("provisioner")


class Provisioner:
    """Brings the folders and volumes in line with the claims."""

    def __init__(self, client: KubeClient, folder: Path) -> None:
        self._client = client
        self._folder = folder
        self._claims = Mirror(client, "/api/v1/persistentvolumeclaims")
        self._volumes = Mirror(client, VOLUMES)
        self._classes = Mirror(client, CLASSES)

    async def run(self) -> None:
        await until_it_succeeds(self._publish)
        await follow([self._claims, self._volumes, self._classes], self._look)

    async def _publish(self) -> None:
        for wanted in (volumes.storage_class(), volumes.sized_class()):
            path = f"{CLASSES}/{wanted['metadata']['name']}"
            await self._client.apply(path, wanted, manager=FIELD_MANAGER)

    async def _look(self) -> None:
        classes = {name: found for (_, name), found in self._classes.objects.items()}
        for claim in list(self._claims.objects.values()):
            found_class = classes.get(claim["spec"].get("storageClassName") or "")
            if found_class is None:
                continue
            if volumes.is_wanted(claim, classes):
                await self._make(claim, found_class)
            elif size := volumes.grown_size(claim):
                await self._grow(claim, found_class, size)
        for found in list(self._volumes.objects.values()):
            if volumes.is_to_be_removed(found):
                await self._remove(found)

    async def _make(self, claim: Object, found: Object) -> None:
        wanted = volumes.volume(claim, found, self._folder)
        if ("", wanted["metadata"]["name"]) in self._volumes.objects:
            return
        folder = Path(wanted["spec"]["hostPath"]["path"])
        folder.mkdir(parents=True, exist_ok=True)
        if size := volumes.memory_bytes(claim, found):
            await memory.give(folder, size)
        try:
            await self._client.create(VOLUMES, wanted)
        except ApiError as error:
            if error.status != CONFLICT:
                raise
        else:
            log.info("made %s", wanted["metadata"]["name"])

    async def _grow(self, claim: Object, found: Object, size: str) -> None:
        """A folder has no size of its own, so growing is a matter of saying so; memory has one."""
        bound = self._volumes.objects.get(("", claim["spec"].get("volumeName", "")))
        if bound is None or not volumes.is_ours(bound):
            return
        if room := volumes.memory_bytes(claim, found):
            await memory.grow(self._folder / bound["metadata"]["name"], room)
        capacity = {"capacity": {"storage": size}}
        await self._client.merge(f"{VOLUMES}/{bound['metadata']['name']}", {"spec": capacity})
        metadata = claim["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/persistentvolumeclaims"
        await self._client.merge(f"{path}/{metadata['name']}/status", {"status": capacity})
        log.info("grew %s to %s", bound["metadata"]["name"], size)

    async def _remove(self, found: Object) -> None:
        folder = self._folder / found["metadata"]["name"]
        await memory.take_back(folder)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        await self._client.delete(f"{VOLUMES}/{found['metadata']['name']}")
        log.info("removed %s", found["metadata"]["name"])


async def provision(kubeconfig: Path, folder: Path) -> None:
    """Follow the claims until cancelled."""
    async with KubeClient.from_kubeconfig(kubeconfig) as client:
        await Provisioner(client, folder).run()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.provisioner", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    options = parser.parse_args(arguments)
    return run_part(provision(options.kubeconfig, options.state / "volumes"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
