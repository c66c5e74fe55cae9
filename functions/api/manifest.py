"""Manifests: Kubernetes objects as they go over the wire, and where each lives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.api.errors import Refused
from functions.api.kinds import KINDS, Ref

Manifest = dict[str, Any]
# What labels must be: of several values any one will do.
Selector = Mapping[str, str | tuple[str, ...]]


def ref_of(manifest: Manifest) -> Ref:
    """Return where `manifest` lives; raises Refused when it does not say so completely."""
    api_version, name = manifest.get("apiVersion", ""), manifest.get("kind", "")
    kind = KINDS.get((api_version, name))
    if kind is None:
        raise Refused(
            f"The kind {name or '(none)'} of {api_version or 'no apiVersion'} is not one that the "
            "functions know; add it to functions/api/kinds.py."
        )
    metadata = manifest.get("metadata") or {}
    if not metadata.get("name") and not metadata.get("generateName"):
        raise Refused(f"The {name} has no metadata.name; give it one.")
    if kind.namespaced and not metadata.get("namespace"):
        raise Refused(f"The {name} {metadata.get('name')} has no metadata.namespace; give it one.")
    return Ref(kind, metadata.get("namespace", ""), metadata.get("name", ""))
