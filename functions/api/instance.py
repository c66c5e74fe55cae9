"""Which ensemble a backup is taken from, and which one a restore goes to."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from functions.api.rules import Rule, Spec
from functions.api.values import NONE_GIVEN, AbsolutePath, Labels, Port

# What the seed system's README writes: the same folder, relative to the volume.
RELATIVE_DATA_DIR = "/version-2"


class Instance(Spec):
    """The StatefulSet of a ZooKeeperCluster, by its name or by labels."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.name) || (has(self.labelSelector) && size(self.labelSelector) > 0)",
            "Say which ensemble: give the name of its StatefulSet (the ZooKeeperCluster's), or "
            "labels in labelSelector.",
            lambda it: it.name is not None or bool(it.label_selector),
        ),
    )

    name: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """The StatefulSet's name, which is the ZooKeeperCluster's. It wins over labelSelector."""
    label_selector: Labels = NONE_GIVEN
    """Labels of the StatefulSet; exactly one must carry them all."""
    host: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """For a backup: the host of an AdminServer that is asked for the leader. Default: the
    healthiest server is chosen from what is observed."""
    port: Port = 8080
    """The AdminServer's port."""
    data_dir: AbsolutePath = "/data/version-2"
    """The data directory as the server sees it. /version-2, relative to the volume, means the
    same."""
