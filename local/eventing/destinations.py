"""Turns a Destination (a reference, an address or both) into the URL to send to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from local.eventing.kinds import object_path
from local.kube import KubeClient


class Unresolved(Exception):
    """The destination has no address (yet); the text is what its status shows."""


async def resolve(client: KubeClient, destination: Mapping[str, Any], namespace: str) -> str:
    """Return the URL; `namespace` is used where the reference names none."""
    uri: str = destination.get("uri") or ""
    reference = destination.get("ref")
    if not reference:
        if not uri:
            raise Unresolved("destination missing Ref and URI, expected at least one")
        return uri
    # As Go's ResolveReference: "/x" replaces the path, "x" goes beside its last part.
    return urljoin(await _address(client, reference, namespace), uri)


async def _address(client: KubeClient, reference: Mapping[str, Any], namespace: str) -> str:
    kind, version, name = reference["kind"], reference["apiVersion"], reference["name"]
    where = reference.get("namespace") or namespace
    found = await client.get(object_path(version, kind, where, name))
    if found is None:
        raise Unresolved(f'failed to get object {where}/{name}: {kind} "{name}" not found')
    if (version, kind) == ("v1", "Service"):
        return f"http://{name}.{where}.svc.cluster.local"
    url = ((found.get("status") or {}).get("address") or {}).get("url")
    if not url:
        raise Unresolved(f"address not set for {kind} {where}/{name}")
    return str(url)
