"""The files that configMap, secret, downwardAPI and projected volumes consist of."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import aiohttp

from local.kube import ApiError, Object
from local.node.cluster import Token
from local.node.errors import CannotMount, CannotStart
from local.node.fields import field_value, resource_value

DEFAULT_MODE = 0o644
# A kubelet renews a token when 80 % of its life is over.
RENEW_AFTER = 0.8


@dataclass(frozen=True, slots=True)
class File:
    """One file of a volume."""

    content: bytes
    mode: int = DEFAULT_MODE


Files = dict[str, File]


class Source(Protocol):
    """Where the content comes from; see `cluster.Cluster`."""

    async def config_map(self, namespace: str, name: str) -> Object | None: ...

    async def secret(self, namespace: str, name: str) -> Object | None: ...

    async def token(self, pod: Object, audience: str | None, seconds: int) -> Token: ...


class TokenShelf:
    """The tokens of one pod, kept until they should be renewed."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str | None, int], tuple[Token, datetime]] = {}

    async def token(self, pod: Object, request: Object, source: Source) -> str:
        key = (request.get("audience"), int(request.get("expirationSeconds") or 3600))
        now = datetime.now(UTC)
        kept = self._kept.get(key)
        if kept is None or now >= kept[1]:
            token = await source.token(pod, *key)
            kept = token, now + (token.expires_at - now) * RENEW_AFTER
            self._kept[key] = kept
        return kept[0].text

    def next_renewal(self) -> datetime | None:
        return min((renewal for _, renewal in self._kept.values()), default=None)

    def is_due(self) -> bool:
        renewal = self.next_renewal()
        return renewal is not None and datetime.now(UTC) >= renewal - timedelta(seconds=1)


def references(volume: Object) -> set[tuple[str, str]]:
    """The ConfigMaps and Secrets (kind, name) whose changes a volume follows."""
    found = set()
    for part in [volume, *(volume.get("projected") or {}).get("sources", [])]:
        if "configMap" in part:
            found.add(("ConfigMap", part["configMap"]["name"]))
        if "secret" in part:
            found.add(("Secret", part["secret"].get("secretName") or part["secret"]["name"]))
    return found


async def volume_files(pod: Object, volume: Object, source: Source, shelf: TokenShelf) -> Files:
    """All files of a volume of one of the four kinds; raises CannotMount."""
    try:
        return await _files(pod, volume, source, shelf)
    except (ApiError, aiohttp.ClientError, TimeoutError, CannotStart) as error:
        raise CannotMount(str(error)) from error


async def _files(pod: Object, volume: Object, source: Source, shelf: TokenShelf) -> Files:
    if "projected" not in volume:
        return await _part(pod, volume, source, shelf)
    mode = volume["projected"].get("defaultMode", DEFAULT_MODE)
    files: Files = {}
    for part in volume["projected"].get("sources") or []:
        files |= await _part(pod, _with_mode(part, mode), source, shelf)
    return files


def _with_mode(part: Object, mode: int) -> Object:
    """A projected source has no defaultMode of its own: it takes the volume's."""
    return {kind: {"defaultMode": mode, **content} for kind, content in part.items()}


async def _part(pod: Object, part: Object, source: Source, shelf: TokenShelf) -> Files:
    namespace = pod["metadata"]["namespace"]
    if "configMap" in part:
        own = part["configMap"]
        return _from_object(
            "configmap", own["name"], own, await source.config_map(namespace, own["name"])
        )
    if "secret" in part:
        own = part["secret"]
        name = own.get("secretName") or own["name"]
        return _from_object("secret", name, own, await source.secret(namespace, name))
    if "downwardAPI" in part:
        return _from_downward(pod, part["downwardAPI"])
    if "serviceAccountToken" in part:
        own = part["serviceAccountToken"]
        token = await shelf.token(pod, own, source)
        return {own["path"]: File(token.encode(), own.get("defaultMode", DEFAULT_MODE))}
    raise CannotMount(f"a projected volume cannot have {', '.join(part)} on this laptop")


def _from_object(kind: str, name: str, own: Object, found: Object | None) -> Files:
    if found is None:
        if own.get("optional"):
            return {}
        raise CannotMount(f'{kind} "{name}" not found')
    contents = _contents(kind, found)
    mode = own.get("defaultMode", DEFAULT_MODE)
    if "items" not in own:
        return {key: File(content, mode) for key, content in contents.items()}
    files: Files = {}
    for item in own["items"]:
        if item["key"] in contents:
            files[item["path"]] = File(contents[item["key"]], item.get("mode", mode))
        elif not own.get("optional"):
            raise CannotMount(f'{kind} "{name}" has no key "{item["key"]}"')
    return files


def _contents(kind: str, found: Object) -> Mapping[str, bytes]:
    data = found.get("data") or {}
    if kind == "secret":
        return {key: base64.b64decode(value) for key, value in data.items()}
    binary = found.get("binaryData") or {}
    return {
        **{key: value.encode() for key, value in data.items()},
        **{key: base64.b64decode(value) for key, value in binary.items()},
    }


def _from_downward(pod: Object, own: Object) -> Files:
    mode = own.get("defaultMode", DEFAULT_MODE)
    files: Files = {}
    for item in own.get("items") or []:
        if "fieldRef" in item:
            text = field_value(pod, item["fieldRef"]["fieldPath"])
        else:
            text = resource_value(pod, None, item["resourceFieldRef"])
        files[item["path"]] = File(text.encode(), item.get("mode", mode))
    return files
