"""`spec.storage`: the volumes of the servers. Volume claims cannot change after creation."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from functions.api.rules import Rule, Spec, immutable
from functions.api.values import NONE_GIVEN, Bool, Quantity, StringMap, is_short

AccessMode = Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadOnlyMany", "ReadWriteMany"]

_FIXED = (
    "cannot change: Kubernetes fixes the volume claims of a StatefulSet when it is created. "
    "To move to other volumes, create a new cluster and restore a backup into it"
)
_SAME_CLAIM = (
    f"{is_short('self{0}.size')} && {is_short('oldSelf{0}.size')} && "
    "quantity(string(self{0}.size)).compareTo(quantity(string(oldSelf{0}.size))) == 0 && "
    "has(self{0}.storageClassName) == has(oldSelf{0}.storageClassName) && "
    "(!has(self{0}.storageClassName) || "
    "self{0}.storageClassName == oldSelf{0}.storageClassName) && "
    "self{0}.accessModes == oldSelf{0}.accessModes"
)


class Volume(Spec):
    """One volume claim of every server."""

    size: Quantity = "10Gi"
    """How large the volume is."""
    storage_class_name: Annotated[str, Field(max_length=253)] | None = None
    """The StorageClass. Default: the one Kubernetes calls default. Empty: no class."""
    access_modes: Annotated[tuple[AccessMode, ...], Field(min_length=1, max_length=4)] = (
        "ReadWriteOnce",
    )
    """How the volume may be mounted."""
    annotations: StringMap = NONE_GIVEN
    """Annotations for the volume claims."""


class LogVolume(Volume):
    """A volume of its own for the transaction log."""

    rules: ClassVar[tuple[Rule, ...]] = (
        immutable(
            _SAME_CLAIM.format(""), f"Size, class and access modes of spec.storage.log {_FIXED}."
        ),
    )


class Storage(Volume):
    """Where the servers keep their data."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!self.ephemeral || !has(self.log)",
            "spec.storage.log needs volumes that stay: remove it, or set spec.storage.ephemeral "
            "to false.",
            lambda it: not it.ephemeral or it.log is None,
        ),
        immutable(
            _SAME_CLAIM.format(""), f"Size, class and access modes of spec.storage {_FIXED}."
        ),
        immutable(
            "self.ephemeral == oldSelf.ephemeral && has(self.log) == has(oldSelf.log)",
            "spec.storage.ephemeral and the presence of spec.storage.log cannot change: the "
            "servers would start on other, empty disks. Create a new cluster and restore a backup "
            "into it.",
        ),
    )

    ephemeral: Bool = False
    """Keep the data on the node only (emptyDir): a pod that is replaced loses its disk, and an
    ensemble that loses most of its pods at once loses its data. For trials."""
    log: LogVolume | None = None
    """A second volume for the transaction log, for disks of its own."""
    on_scale_down: Literal["Retain", "Delete"] = "Retain"
    """What happens to the volumes of servers that were removed: kept, or deleted once the server is
    out of the member list and its pod is gone."""
