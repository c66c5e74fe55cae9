"""From a container's specification to its sandbox: image, user, files, mounts, command."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.kube import Object
from local.node import etc_files
from local.node.environment import container_environment, expand, service_variables
from local.node.errors import CannotStart
from local.node.images import Image
from local.node.records import Record
from local.node.sandbox import Mount, Sandbox
from local.node.services import Services
from local.node.volumes import PodVolumes

TERMINATION_LOG = "/dev/termination-log"
LONGEST_MESSAGE = 4096


@dataclass(frozen=True, slots=True)
class PodPlace:
    """Where a pod is on this machine."""

    folder: Path
    network: Path | None
    address: str
    volumes: PodVolumes

    def container_folder(self, name: str) -> Path:
        return self.folder / "containers" / name

    def log(self, name: str, run: int) -> Path:
        return self.folder / name / f"{run}.log"


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that is needed to start a container once."""

    sandbox: Sandbox
    env: dict[str, str]
    image: Image
    container_id: str


async def prepare(pod: Object, record: Record, place: PodPlace, services: Services) -> Prepared:
    """Put together what a container needs; raises CannotStart."""
    container = record.spec
    image = await services.image(pod, container)
    seen = _with_address(pod, place.address)
    own = await container_environment(
        seen, container, _service_env(pod, services), services.cluster
    )
    name = etc_files.hostname(pod)
    env = {"HOSTNAME": name, **image.env, **own}
    uid, gid = user_of(pod, container, image)
    env.setdefault("HOME", "/root" if uid == 0 else "/tmp")
    if container.get("tty"):
        env.setdefault("TERM", "xterm")
    sandbox = Sandbox(
        command=command_of(container, image, own),
        network=place.network,
        hostname=name,
        uid=uid,
        gid=gid,
        workdir=container.get("workingDir") or image.workdir,
        mounts=tuple(_mounts(pod, record, image, place, own)),
        directories=image.directories,
        read_only_root=bool(_security(pod, container, "readOnlyRootFilesystem")),
    )
    return Prepared(sandbox, env, image, f"local://{uuid.uuid4().hex}")


def _with_address(pod: Object, address: str) -> Object:
    """The pod as its containers see it: its address is known here before it is in any status."""
    status = {**(pod.get("status") or {}), "podIP": address, "podIPs": [{"ip": address}]}
    return {**pod, "status": status}


def _service_env(pod: Object, services: Services) -> dict[str, str]:
    links = pod["spec"].get("enableServiceLinks", True)
    known = services.cluster.services.objects.values()
    return service_variables(known, pod["metadata"]["namespace"], links=links)


def command_of(container: Object, image: Image, env: dict[str, str]) -> tuple[str, ...]:
    """`command` replaces the image's entrypoint and drops its command; `args` only the latter."""
    command = [expand(part, env) for part in container.get("command") or []]
    args = [expand(part, env) for part in container.get("args") or []]
    if command:
        return (*command, *args)
    full = (*image.entrypoint, *(args or image.command))
    if not full:
        raise CannotStart("CreateContainerError", f"image {image.name} has no command: set one")
    return full


def user_of(pod: Object, container: Object, image: Image) -> tuple[int, int]:
    """The user and group a container runs as; raises CannotStart where root is forbidden."""
    wanted = _security(pod, container, "runAsUser")
    uid = int(wanted) if wanted is not None else _image_user(image)
    if uid == 0 and _security(pod, container, "runAsNonRoot"):
        raise CannotStart(
            "CreateContainerConfigError",
            "container has runAsNonRoot and image will run as root "
            f"(pod: {pod['metadata']['name']}, container: {container['name']})",
        )
    group = _security(pod, container, "runAsGroup")
    return uid, int(group) if group is not None else (0 if wanted is not None else uid)


def _image_user(image: Image) -> int:
    return int(image.user) if image.user.isdigit() else image.users.get(image.user, 0)


def _security(pod: Object, container: Object, key: str) -> Any:
    """A securityContext's value: the container's own wins over the pod's."""
    own = (container.get("securityContext") or {}).get(key)
    return own if own is not None else (pod["spec"].get("securityContext") or {}).get(key)


def _mounts(
    pod: Object, record: Record, image: Image, place: PodPlace, env: dict[str, str]
) -> list[Mount]:
    folder = place.container_folder(record.name)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "hosts": etc_files.hosts(pod, place.address),
        "resolv.conf": etc_files.resolv_conf(pod),
        "hostname": f"{etc_files.hostname(pod)}\n",
        "nsswitch.conf": etc_files.NSSWITCH,
        "passwd": etc_files.passwd(image.users),
        "group": etc_files.group(image.users),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    told = folder / "termination-log"
    told.write_text("")
    return [
        *image.mounts,
        *(Mount(folder / name, f"/etc/{name}") for name in texts),
        Mount(told, record.spec.get("terminationMessagePath") or TERMINATION_LOG),
        *place.volumes.mounts(record.spec, env),
    ]


def termination_message(record: Record, place: PodPlace, *, failed: bool, log_end: str) -> str:
    """What the container left in its termination file, or for failures the end of its log.

    A kubelet takes the last bytes of a file that is too long, not the first.
    """
    path = place.container_folder(record.name) / "termination-log"
    told = path.read_bytes()[-LONGEST_MESSAGE:] if path.exists() else b""
    said = told.decode(errors="replace")
    policy = record.spec.get("terminationMessagePolicy", "File")
    return log_end if failed and not said and policy == "FallbackToLogsOnError" else said
