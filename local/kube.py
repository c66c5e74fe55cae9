"""The platform's own asynchronous client of the Kubernetes API: plain REST, JSON in and out.

The node, the eventing and the serving part talk to the API server through this module only, so
each of them can be pointed at any cluster with a kubeconfig.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
import yaml

Object = dict[str, Any]

TIMEOUT_SECONDS = 30.0
WATCH_SECONDS = 300
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class ApiError(Exception):
    """The API server refused: `status` is the HTTP code, `reason` the machine-readable word."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class WatchExpired(Exception):
    """The resourceVersion a watch started from is too old (410): list again."""


class KubeClient:
    """One HTTP session with the API server that a kubeconfig names."""

    def __init__(
        self, server: str, *, token: str = "", ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self.server = server.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._ssl: ssl.SSLContext | bool = ssl_context if ssl_context is not None else True
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def from_kubeconfig(cls, path: Path) -> Self:
        """Read the current context of a kubeconfig that names a token and a CA file."""
        config = yaml.safe_load(path.read_text())
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        ca = cluster.get("certificate-authority")
        return cls(
            cluster["server"],
            token=user.get("token", ""),
            ssl_context=ssl.create_default_context(cafile=ca) if ca else None,
        )

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            connector=aiohttp.TCPConnector(ssl=self._ssl, limit=0),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """Send one request and return the answered object; raises ApiError."""
        assert self._session is not None, "use `async with`"
        url = f"{self.server}{path}" + (f"?{urlencode(query)}" if query else "")
        async with self._session.request(
            method,
            url,
            data=None if body is None else json.dumps(body),
            headers={"Content-Type": content_type},
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
        ) as response:
            text = await response.text()
            if response.status >= 400:
                raise _api_error(response.status, text)
            return json.loads(text) if text.startswith("{") else {"text": text}

    async def get(self, path: str) -> Object | None:
        """Return the object at `path`, or None when there is none."""
        try:
            return await self.call("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def list(self, path: str, query: Mapping[str, str] | None = None) -> Object:
        """Return the whole List object (items and its metadata.resourceVersion)."""
        return await self.call("GET", path, query=query)

    async def create(self, path: str, body: Object) -> Object:
        return await self.call("POST", path, body=body)

    async def merge(self, path: str, body: Object) -> Object:
        """JSON merge patch; put `metadata.resourceVersion` into `body` for compare-and-set."""
        return await self.call("PATCH", path, body=body, content_type=MERGE_PATCH)

    async def apply(self, path: str, body: Object, *, manager: str, force: bool = True) -> Object:
        """Server-side apply."""
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        return await self.call("PATCH", path, query=query, body=body, content_type=APPLY_PATCH)

    async def delete(self, path: str, body: Object | None = None) -> None:
        """Delete; an object that is already gone is success."""
        try:
            await self.call("DELETE", path, body=body)
        except ApiError as error:
            if error.status != 404:
                raise

    async def watch(
        self, path: str, resource_version: str, query: Mapping[str, str] | None = None
    ) -> AsyncIterator[tuple[str, Object]]:
        """Yield (ADDED|MODIFIED|DELETED|BOOKMARK, object) until the server ends the watch.

        Raises WatchExpired on 410 and ApiError on any other ERROR event.
        """
        assert self._session is not None, "use `async with`"
        full = {
            **(query or {}),
            "watch": "1",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(total=WATCH_SECONDS + 30, sock_connect=10)
        async with self._session.get(
            f"{self.server}{path}?{urlencode(full)}", timeout=timeout
        ) as response:
            if response.status >= 400:
                raise _watch_error(response.status, await response.text())
            async for line in _lines(response.content):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise _watch_error(status.get("code", 500), json.dumps(status))
                yield event["type"], event["object"]


class Mirror:
    """A live copy of one collection, kept by list and watch; `changed` is set on every change."""

    def __init__(
        self, client: KubeClient, path: str, query: Mapping[str, str] | None = None
    ) -> None:
        self._client = client
        self._path = path
        self._query = dict(query or {})
        self.objects: dict[tuple[str, str], Object] = {}
        self.changed = asyncio.Event()
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """List, then follow the watch; list again after any break. Never returns."""
        while True:
            try:
                await self._follow()
            except (aiohttp.ClientError, TimeoutError, WatchExpired, ApiError):
                await asyncio.sleep(0.5)

    async def _follow(self) -> None:
        listed = await self._client.list(self._path, self._query)
        self.objects = {_key(item): item for item in listed.get("items") or []}
        self.synced.set()
        self.changed.set()
        version = listed["metadata"]["resourceVersion"]
        while True:
            async for kind, item in self._client.watch(self._path, version, self._query):
                version = item["metadata"]["resourceVersion"]
                if kind == "BOOKMARK":
                    continue
                if kind == "DELETED":
                    self.objects.pop(_key(item), None)
                else:
                    self.objects[_key(item)] = item
                self.changed.set()


def _key(item: Object) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _named(entries: list[Object], name: str) -> Object:
    return next(entry for entry in entries if entry["name"] == name)


def _api_error(code: int, text: str) -> ApiError:
    try:
        status = json.loads(text)
    except ValueError:
        status = {}
    return ApiError(code, status.get("reason", ""), status.get("message", text[:500]))


def _watch_error(code: int, text: str) -> Exception:
    return WatchExpired(text[:200]) if code == 410 else _api_error(code, text)


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Split a watch stream into lines of any length (aiohttp's own reader limits them)."""
    rest = b""
    async for chunk in stream.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line:
                yield line
