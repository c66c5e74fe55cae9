"""The environment of a container, put together as a kubelet does it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from local.kube import Object
from local.node.errors import CannotStart
from local.node.fields import field_value, resource_value

_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.\-][A-Za-z0-9_.\-]*)\)")


class Lookup(Protocol):
    """Where ConfigMaps and Secrets are read from; None means there is none of that name."""

    async def config_map(self, namespace: str, name: str) -> Object | None: ...

    async def secret(self, namespace: str, name: str) -> Object | None: ...


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by known values; unknown names stay as written, `$$` is one `$`."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return known.get(match[1], match[0])

    return _REFERENCE.sub(value, text)


def texts(source: Object, *, encoded: bool) -> dict[str, str]:
    """The `data` of a ConfigMap, or of a Secret (`encoded`), as text."""
    data = source.get("data") or {}
    if not encoded:
        return dict(data)
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}


def service_variables(services: Iterable[Object], namespace: str, *, links: bool) -> dict[str, str]:
    """The `NAME_SERVICE_HOST` family: the API server's always, the namespace's with `links`."""
    variables: dict[str, str] = {}
    for service in services:
        metadata, spec = service["metadata"], service["spec"]
        is_api = (metadata["namespace"], metadata["name"]) == ("default", "kubernetes")
        if spec.get("clusterIP") in (None, "", "None"):
            continue
        if is_api or (links and metadata["namespace"] == namespace):
            variables |= _variables_of(metadata["name"], spec)
    return variables


def _variables_of(name: str, spec: Object) -> dict[str, str]:
    prefix = name.upper().replace("-", "_")
    host, ports = spec["clusterIP"], spec.get("ports") or []
    if not ports:
        return {}
    first = ports[0]
    found = {
        f"{prefix}_SERVICE_HOST": host,
        f"{prefix}_SERVICE_PORT": str(first["port"]),
        f"{prefix}_PORT": f"{first.get('protocol', 'TCP').lower()}://{host}:{first['port']}",
    }
    for port in ports:
        protocol = port.get("protocol", "TCP")
        if port.get("name"):
            suffix = port["name"].upper().replace("-", "_")
            found[f"{prefix}_SERVICE_PORT_{suffix}"] = str(port["port"])
        base = f"{prefix}_PORT_{port['port']}_{protocol}"
        found |= {
            base: f"{protocol.lower()}://{host}:{port['port']}",
            f"{base}_PROTO": protocol.lower(),
            f"{base}_PORT": str(port["port"]),
            f"{base}_ADDR": host,
        }
    return found


async def container_environment(
    pod: Object, container: Object, services: Mapping[str, str], lookup: Lookup
) -> dict[str, str]:
    """Services first, then `envFrom`, then `env`: the later one wins, as in a kubelet."""
    variables = dict(services)
    for source in container.get("envFrom") or []:
        variables |= await _from_source(pod["metadata"]["namespace"], source, lookup)
    for entry in container.get("env") or []:
        if "valueFrom" in entry:
            value = await _from_reference(pod, container, entry["valueFrom"], lookup)
            if value is not None:
                variables[entry["name"]] = value
        else:
            variables[entry["name"]] = expand(entry.get("value", ""), variables)
    return variables


async def _from_source(namespace: str, source: Object, lookup: Lookup) -> dict[str, str]:
    is_secret = "secretRef" in source
    reference = source["secretRef"] if is_secret else source["configMapRef"]
    data = await _data(namespace, reference, lookup, is_secret=is_secret)
    prefix = source.get("prefix", "")
    return {f"{prefix}{key}": value for key, value in (data or {}).items()}


async def _from_reference(
    pod: Object, container: Object, source: Object, lookup: Lookup
) -> str | None:
    """The value a `valueFrom` names; None for an optional key that is not there."""
    if "fieldRef" in source:
        return field_value(pod, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        return resource_value(pod, container, source["resourceFieldRef"])
    is_secret = "secretKeyRef" in source
    reference = source["secretKeyRef"] if is_secret else source["configMapKeyRef"]
    namespace = pod["metadata"]["namespace"]
    data = await _data(namespace, reference, lookup, is_secret=is_secret)
    if data is None:
        return None
    if reference["key"] not in data and not reference.get("optional"):
        kind = "Secret" if is_secret else "ConfigMap"
        raise CannotStart(
            "CreateContainerConfigError",
            f"couldn't find key {reference['key']} in {kind} {namespace}/{reference['name']}",
        )
    return data.get(reference["key"])


async def _data(
    namespace: str, reference: Object, lookup: Lookup, *, is_secret: bool
) -> dict[str, str] | None:
    read = lookup.secret if is_secret else lookup.config_map
    found = await read(namespace, reference["name"])
    if found is not None:
        return texts(found, encoded=is_secret)
    if reference.get("optional"):
        return None
    kind = "secret" if is_secret else "configmap"
    raise CannotStart("CreateContainerConfigError", f'{kind} "{reference["name"]}" not found')
