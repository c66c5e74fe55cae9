"""Tells the API server how a pod is: each new status, and in the end that the pod is no more."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable

import aiohttp

from local.kube import ApiError, KubeClient, Object
from local.node.errors import PodGone

STRATEGIC_MERGE = "application/strategic-merge-patch+json"
RETRY_SECONDS = 0.5

log = logging.getLogger("node")


class StatusReporter:
    """One pod's status. Nothing is sent that the API server was told already, and a status that
    cannot be sent while the API server is away is sent when it is back."""

    def __init__(self, client: KubeClient, metadata: Object) -> None:
        self._client = client
        self._uid = metadata["uid"]
        self._name = f"{metadata['namespace']}/{metadata['name']}"
        self._path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        self._sent = ""
        self._conditions: dict[str, str] = {}
        self.changed = asyncio.Event()

    def compare(self, pod: Object) -> None:
        """Look at the object as it is stored: what others wrote over our status is sent anew.

        The controller of nodes calls every pod of a node not ready that was silent for too long, as
        on a busy machine, and leaves it to the node to take that back.
        """
        stored = _statuses(pod.get("status") or {})
        if any(stored.get(kind) != status for kind, status in self._conditions.items()):
            self._sent = ""
        self.changed.set()

    async def run(self, status: Callable[[], Object | None]) -> None:
        """Send whenever something changed; raises PodGone when the pod is no more."""
        while True:
            await self.changed.wait()
            self.changed.clear()
            try:
                await self._send(status())
            except (ApiError, aiohttp.ClientError, TimeoutError) as error:
                log.warning("status of pod %s not sent: %s", self._name, error)
                self.changed.set()
                await asyncio.sleep(RETRY_SECONDS)

    async def say_goodbye(self, status: Callable[[], Object | None]) -> None:
        """Send the last status and take the object away, however long the API server is away."""
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self._uid}}
        while True:
            try:
                await self._send(status())
                await self._client.delete(self._path, body)
            except PodGone:
                return
            except ApiError as error:
                if error.status == 409:
                    return
                log.warning("pod %s not removed: %s", self._name, error)
                await asyncio.sleep(RETRY_SECONDS)
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _send(self, status: Object | None) -> None:
        if status is None:
            return
        text = json.dumps(without_times(status), sort_keys=True)
        if text == self._sent:
            return
        body = {"metadata": {"uid": self._uid}, "status": replacing_addresses(status)}
        try:
            await self._client.call(
                "PATCH", f"{self._path}/status", body=body, content_type=STRATEGIC_MERGE
            )
        except ApiError as error:
            if error.status in (404, 409):
                raise PodGone(str(error)) from error
            raise
        self._sent = text
        self._conditions = _statuses(status)


def _statuses(status: Object) -> dict[str, str]:
    return {found["type"]: found["status"] for found in status.get("conditions") or ()}


def replacing_addresses(status: Object) -> Object:
    """A strategic merge would keep old addresses beside the new ones."""
    changed = dict(status)
    for key in ("podIPs", "hostIPs"):
        if key in status:
            changed[key] = [{"$patch": "replace"}, *status[key]]
    return changed


def without_times(status: Object) -> Object:
    """A status compared without the times that are made anew each time it is computed."""
    conditions = [
        {key: value for key, value in condition.items() if key != "lastTransitionTime"}
        for condition in status["conditions"]
    ]
    return {**status, "conditions": conditions}
