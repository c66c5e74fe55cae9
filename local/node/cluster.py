"""What the node reads from the API server for its pods: ConfigMaps, Secrets, volumes, tokens."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

import aiohttp

from local.kube import KubeClient, Mirror, Object

FRESH_SECONDS = 2.0
_PLURALS = {"ConfigMap": "configmaps", "Secret": "secrets"}


@dataclass(frozen=True, slots=True)
class Token:
    """A bound service account token and when it stops to be valid."""

    text: str
    expires_at: datetime


class Cluster:
    """Reads are fresh; the mirrors say when a ConfigMap or Secret has changed, and stand in."""

    def __init__(self, client: KubeClient) -> None:
        self.client = client
        self.services = Mirror(client, "/api/v1/services")
        self.mirrors = {
            kind: Mirror(client, f"/api/v1/{plural}") for kind, plural in _PLURALS.items()
        }

    async def config_map(self, namespace: str, name: str) -> Object | None:
        return await self._current("ConfigMap", namespace, name)

    async def secret(self, namespace: str, name: str) -> Object | None:
        return await self._current("Secret", namespace, name)

    async def _current(self, kind: str, namespace: str, name: str) -> Object | None:
        """Read it afresh; while the API server is away the mirror's copy has to do.

        As with a kubelet, a container can thereby be started again without the API server.
        """
        path = f"/api/v1/namespaces/{namespace}/{_PLURALS[kind]}/{name}"
        try:
            return await asyncio.wait_for(self.client.get(path), FRESH_SECONDS)
        except (aiohttp.ClientError, TimeoutError):
            known = self.mirrors[kind].objects.get((namespace, name))
            if known is None:
                raise
            return known

    def version(self, kind: str, namespace: str, name: str) -> str:
        """The resourceVersion last seen of a ConfigMap or Secret; empty when there is none."""
        found = self.mirrors[kind].objects.get((namespace, name))
        return str(found["metadata"]["resourceVersion"]) if found else ""

    async def claim(self, namespace: str, name: str) -> Object | None:
        path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}"
        return await self.client.get(path)

    async def volume(self, name: str) -> Object | None:
        return await self.client.get(f"/api/v1/persistentvolumes/{name}")

    async def token(self, pod: Object, audience: str | None, seconds: int) -> Token:
        """Ask for a token that is bound to the pod: it ends to be valid when the pod is gone."""
        metadata = pod["metadata"]
        account = pod["spec"].get("serviceAccountName", "default")
        answer = await self.client.create(
            f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{account}/token",
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {
                    **({"audiences": [audience]} if audience else {}),
                    "expirationSeconds": seconds,
                    "boundObjectRef": {
                        "apiVersion": "v1",
                        "kind": "Pod",
                        "name": metadata["name"],
                        "uid": metadata["uid"],
                    },
                },
            },
        )
        until = answer["status"]["expirationTimestamp"].replace("Z", "+00:00")
        return Token(answer["status"]["token"], datetime.fromisoformat(until))
