"""A pod's volumes as folders of this machine, and keeping those up to date that can change."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from pathlib import Path

import aiohttp

from local.kube import ApiError, Object
from local.node.cluster import Cluster
from local.node.environment import expand
from local.node.errors import CannotMount, CannotStart
from local.node.payload import Files, TokenShelf, references, volume_files
from local.node.sandbox import Mount

_WRITTEN_KINDS = ("configMap", "secret", "downwardAPI", "projected")
_DATA = "..data"


class PodVolumes:
    """The volumes of one pod, under one folder."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self._folder = folder
        self._cluster = cluster
        self._tokens = TokenShelf()
        self._written: dict[str, Files] = {}
        self._seen: dict[tuple[str, str], str] = {}
        self._paths: dict[str, Path] = {}
        self._read_only: set[str] = set()

    async def prepare(self, pod: Object) -> None:
        """Make every volume available; raises CannotMount with all that is missing."""
        complaints = []
        for volume in pod["spec"].get("volumes") or []:
            try:
                self._paths[volume["name"]] = await self._prepare_one(pod, volume)
            except CannotMount as error:
                complaints.append(
                    f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}'
                )
        if complaints:
            raise CannotMount("; ".join(complaints))

    async def _prepare_one(self, pod: Object, volume: Object) -> Path:
        folder = self._folder / str(volume["name"])
        if "persistentVolumeClaim" in volume:
            source = volume["persistentVolumeClaim"]
            if source.get("readOnly"):
                self._read_only.add(volume["name"])
            return await self._claimed(pod, source["claimName"])
        if "ephemeral" in volume:
            # The controller manager makes a claim of this name for a generic ephemeral volume.
            return await self._claimed(pod, f"{pod['metadata']['name']}-{volume['name']}")
        if any(kind in volume for kind in _WRITTEN_KINDS):
            await self._write(pod, volume)
            return folder
        if "emptyDir" in volume or set(volume) == {"name"}:
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o777)
            return folder
        kind = next(key for key in volume if key != "name")
        raise CannotMount(
            f"volumes of kind {kind} are refused on this laptop; it has configMap, secret, "
            "emptyDir, downwardAPI, projected, ephemeral and persistentVolumeClaim"
        )

    async def _claimed(self, pod: Object, claim: str) -> Path:
        namespace = pod["metadata"]["namespace"]
        try:
            bound = await self._cluster.claim(namespace, claim)
            name = ((bound or {}).get("spec") or {}).get("volumeName")
            volume = await self._cluster.volume(name) if name else None
        except (ApiError, aiohttp.ClientError, TimeoutError) as error:
            raise CannotMount(str(error)) from error
        if volume is None:
            raise CannotMount(f'persistentvolumeclaim "{claim}" is not bound to a volume')
        spec = volume["spec"]
        path = (spec.get("hostPath") or spec.get("local") or {}).get("path")
        if not path or not Path(path).is_dir():
            raise CannotMount(f'persistentvolume "{name}" has no folder on this laptop ({path})')
        return Path(path)

    async def refresh(self, pod: Object) -> None:
        """Write again what has changed since; raises CannotMount and keeps the old content."""
        for volume in pod["spec"].get("volumes") or []:
            if any(kind in volume for kind in _WRITTEN_KINDS):
                await self._write(pod, volume)

    def is_outdated(self, pod: Object) -> bool:
        """True when a token is due, or a ConfigMap or Secret is no longer what was written."""
        return self._tokens.is_due() or self._versions(pod) != self._seen

    def _versions(self, pod: Object) -> dict[tuple[str, str], str]:
        """What the written volumes depend on: other objects, and the pod's own metadata."""
        namespace = pod["metadata"]["namespace"]
        own = [pod["metadata"].get(key) for key in ("labels", "annotations")]
        return {("Pod", ""): json.dumps(own, sort_keys=True)} | {
            reference: self._cluster.version(reference[0], namespace, reference[1])
            for volume in pod["spec"].get("volumes") or []
            for reference in references(volume)
        }

    def mark_seen(self, pod: Object) -> None:
        """Call before a refresh, so that a change during it is not missed."""
        self._seen = self._versions(pod)

    async def _write(self, pod: Object, volume: Object) -> None:
        files = await volume_files(pod, volume, self._cluster, self._tokens)
        name = volume["name"]
        if self._written.get(name) != files:
            write_atomically(self._folder / name, files)
            self._written[name] = files

    def mounts(self, container: Object, env: dict[str, str]) -> list[Mount]:
        """The container's volumeMounts; raises CannotStart for one that leads outside."""
        return [self._mount(entry, env) for entry in container.get("volumeMounts") or []]

    def _mount(self, entry: Object, env: dict[str, str]) -> Mount:
        name, root = entry["name"], self._paths[entry["name"]]
        sub = expand(entry.get("subPathExpr", ""), env) or entry.get("subPath", "")
        is_fixed = name in self._written or name in self._read_only
        source = _inside(root, sub, may_make=not is_fixed) if sub else root
        return Mount(source, entry["mountPath"], bool(entry.get("readOnly")) or is_fixed)

    @property
    def claims(self) -> dict[str, Path]:
        """The folders of the claims, by the volume's name in the pod."""
        return {
            name: path
            for name, path in self._paths.items()
            if not path.is_relative_to(self._folder)
        }

    def remove(self) -> None:
        """Remove what belongs to the pod alone; claims are left to the provisioner."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _inside(root: Path, sub: str, *, may_make: bool) -> Path:
    """The folder or file that a subPath names; raises CannotStart for one outside the volume.

    It may be a link, as each name of a ConfigMap is: the mount needs the file behind it. A link
    that a pod left in its volume must not lead another one to this machine's files.
    """
    source = root / sub
    leads_out = ".." in Path(sub).parts or sub.startswith("/")
    if leads_out or not source.resolve().is_relative_to(root.resolve()):
        raise CannotStart(
            "CreateContainerConfigError", f"subPath {sub!r} must stay inside the volume"
        )
    if not source.exists():
        if not may_make:
            message = f"subPath {sub!r} is not there, and the volume is mounted read-only"
            raise CannotStart("CreateContainerConfigError", message)
        source.mkdir(parents=True)
    return source.resolve()


def write_atomically(folder: Path, files: Files) -> None:
    """Swap in a whole new set of files: readers see the old set or the new one, never a mix.

    Each visible name links to `..data/<name>`, and `..data` is switched with one rename: the
    layout that programs which watch a ConfigMap volume know.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"..{uuid.uuid4().hex}"
    for name, file in files.items():
        target = fresh / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(file.mode)
    fresh.mkdir(exist_ok=True)
    data, switch = folder / _DATA, folder / "..data_tmp"
    old = data.readlink() if data.is_symlink() else None
    switch.unlink(missing_ok=True)
    switch.symlink_to(fresh.name)
    switch.rename(data)
    _link_names(folder, {name.split("/")[0] for name in files})
    if old is not None:
        shutil.rmtree(folder / old, ignore_errors=True)


def _link_names(folder: Path, names: set[str]) -> None:
    for entry in os.scandir(folder):
        if not entry.name.startswith("..") and entry.name not in names:
            Path(entry.path).unlink()
    for name in names:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"{_DATA}/{name}")
