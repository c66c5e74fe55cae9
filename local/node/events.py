"""Kubernetes Events about pods, sent in the background; a repeated one is counted, not added."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp

from local.kube import ApiError, KubeClient, Object
from local.node.status import timestamp

_LONGEST_MESSAGE = 1024


@dataclass(frozen=True, slots=True)
class Happening:
    """What is to be told about a pod; `container` is empty for the pod as a whole."""

    reason: str
    message: str
    container: str = ""
    warning: bool = False


class EventRecorder:
    """Sends events one after the other and never holds anybody up."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._waiting: asyncio.Queue[tuple[Object, Happening, datetime]] = asyncio.Queue()
        self._counts: dict[str, tuple[int, str]] = {}

    def record(self, pod: Object, happening: Happening) -> None:
        self._waiting.put_nowait((pod, happening, datetime.now(UTC)))

    async def run(self) -> None:
        """Send what is recorded. An event that cannot be sent is dropped. Never returns."""
        while True:
            pod, happening, moment = await self._waiting.get()
            with contextlib.suppress(ApiError, aiohttp.ClientError, TimeoutError):
                await self._send(pod, happening, timestamp(moment))

    async def _send(self, pod: Object, happening: Happening, moment: str) -> None:
        metadata = pod["metadata"]
        name = event_name(metadata["name"], metadata["uid"], happening)
        path = f"/api/v1/namespaces/{metadata['namespace']}/events"
        count, first = self._counts.get(name, (0, moment))
        self._counts[name] = (count + 1, first)
        if count:
            repeated = {"count": count + 1, "lastTimestamp": moment}
            with contextlib.suppress(ApiError):
                await self._client.merge(f"{path}/{name}", repeated)
                return
        await self._client.create(path, _event(pod, happening, name, moment))


def event_name(pod: str, uid: str, happening: Happening) -> str:
    said = f"{uid}/{happening.container}/{happening.reason}/{happening.message}"
    return f"{pod[:200]}.{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def _event(pod: Object, happening: Happening, name: str, moment: str) -> Object:
    metadata = pod["metadata"]
    reference = {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "resourceVersion": metadata["resourceVersion"],
    }
    if happening.container:
        reference["fieldPath"] = f"spec.containers{{{happening.container}}}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": metadata["namespace"], "name": name},
        "involvedObject": reference,
        "type": "Warning" if happening.warning else "Normal",
        "reason": happening.reason,
        "message": happening.message[:_LONGEST_MESSAGE],
        "source": {"component": "kubelet", "host": pod["spec"].get("nodeName", "")},
        "reportingComponent": "kubelet",
        "reportingInstance": pod["spec"].get("nodeName", ""),
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }
