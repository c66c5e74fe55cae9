"""What a manifest must say before it is sent: the same for the real API server and the twin."""

from __future__ import annotations

from functions.api.errors import Refused
from functions.api.manifest import Manifest


def check_apply(manifest: Manifest, subresource: str) -> None:
    """Refuse an apply that would create an object anew although it expects one to be there.

    The API server takes a resourceVersion as a precondition only while the object exists.
    """
    metadata = manifest["metadata"]
    if "resourceVersion" in metadata and "uid" not in metadata and not subresource:
        raise Refused(
            f"The {manifest['kind']} {metadata.get('name')} is to be applied for one "
            "resourceVersion: name its uid too, or the object is made anew when it is gone."
        )


def check_create(manifest: Manifest) -> None:
    """Refuse to create what has a version already."""
    if "resourceVersion" in manifest["metadata"]:
        raise Refused("resourceVersion should not be set on objects to be created")


def without_empty_status(manifest: Manifest) -> Manifest:
    """Leave an empty status out: the API server would make null of it, and refuse that."""
    if manifest.get("status") == {}:
        return {name: value for name, value in manifest.items() if name != "status"}
    return manifest
