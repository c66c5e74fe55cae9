"""Follows Knative Services and keeps a Deployment and a Service for each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from local.kube import ApiError, KubeClient, Mirror
from local.serving import procfile, workload
from local.serving.rules import service_error
from local.serving.status import service_status

log = logging.getLogger(__name__)

Object = dict[str, Any]
Key = tuple[str, str]

MANAGER = "local-serving"
RETRY_SECONDS = 1.0
SETTLED_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Applied:
    """What was applied last for one service, and the Deployment's generation after it."""

    wanted: Object
    generation: int


class Control:
    """The reconcile loop; one pass looks at all Knative Services."""

    def __init__(self, client: KubeClient, procfile_path: Path) -> None:
        self._client = client
        self._procfile = procfile_path
        self._changed = asyncio.Event()
        selector = {"labelSelector": workload.SERVICE_LABEL}
        self._services = Mirror(client, "/apis/serving.knative.dev/v1/services")
        self._deployments = Mirror(client, "/apis/apps/v1/deployments", selector)
        self._names = Mirror(client, "/api/v1/services", selector)
        self._applied: dict[str, Applied] = {}

    async def run(self) -> None:
        """Reconcile until cancelled."""
        async with asyncio.TaskGroup() as group:
            mirrors = (self._services, self._deployments, self._names)
            for mirror in mirrors:
                mirror.changed = self._changed
                group.create_task(mirror.run())
            for mirror in mirrors:
                await mirror.synced.wait()
            log.info("following Knative Services")
            while True:
                self._changed.clear()
                wait = SETTLED_SECONDS if await self._reconcile() else RETRY_SECONDS
                try:
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
                except TimeoutError:
                    continue

    async def _reconcile(self) -> bool:
        """Look at every service; False when one of them has to be tried again."""
        done = True
        for key, service in list(self._services.objects.items()):
            try:
                await self._one(key, service)
            except (ApiError, aiohttp.ClientError, TimeoutError, procfile.BadProcfile) as error:
                log.warning("%s/%s: %s; it is tried again", *key, error)
                done = False
            except Exception:
                log.exception("%s/%s: a bug, or an object that admission did not see", *key)
        return done

    async def _one(self, key: Key, service: Object) -> None:
        if service["metadata"].get("deletionTimestamp"):
            return
        refused = service_error(service) or await self._keep(key, service)
        deployment = self._deployments.objects.get(key)
        status = service_status(service, deployment, refused)
        if status == service.get("status"):
            return
        namespace, name = key
        path = f"/apis/serving.knative.dev/v1/namespaces/{namespace}/services/{name}/status"
        try:
            await self._client.call("PUT", path, body={**service, "status": status})
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    async def _keep(self, key: Key, service: Object) -> str | None:
        """Apply what is missing or was changed; return why that cannot be done."""
        namespace, name = key
        command = procfile.read(self._procfile).get(name)
        wanted = workload.deployment(service, command)
        uid = service["metadata"]["uid"]
        if self._is_applied(key, uid, wanted):
            return None
        paths = {
            "Deployment": f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
            "Service": f"/api/v1/namespaces/{namespace}/services/{name}",
        }
        for kind, path in paths.items():
            if not _is_free(await self._client.get(path), uid):
                return f'There is an existing {kind} "{name}" that we do not own.'
        log.info("%s/%s: applying revision %s", *key, workload.revision_name(service))
        await self._client.apply(paths["Service"], workload.service(service), manager=MANAGER)
        stored = await self._client.apply(paths["Deployment"], wanted, manager=MANAGER)
        self._applied[uid] = Applied(wanted, stored["metadata"]["generation"])
        return None

    def _is_applied(self, key: Key, uid: str, wanted: Object) -> bool:
        """Tell whether both objects are there as they were applied last."""
        before, seen = self._applied.get(uid), self._deployments.objects.get(key)
        if before is None or before.wanted != wanted or seen is None:
            return False
        return key in self._names.objects and seen["metadata"]["generation"] <= before.generation


def _is_free(existing: Mapping[str, Any] | None, uid: str) -> bool:
    """Tell whether the name is free or already ours."""
    if existing is None:
        return True
    owners = existing["metadata"].get("ownerReferences") or []
    return any(owner["uid"] == uid and owner.get("controller") for owner in owners)
