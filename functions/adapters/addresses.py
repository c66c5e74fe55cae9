"""From a manifest to the address of the object it describes; shared by the adapters."""

from __future__ import annotations

from functions.api.manifest import Manifest, ref_of

__all__ = ["Manifest", "ref_of"]
