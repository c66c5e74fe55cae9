"""ZooKeeperRestore: one backup put into one ensemble, in place of what it holds."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from functions.api.cluster import Image
from functions.api.instance import Instance
from functions.api.kinds import RESTORE, Kind
from functions.api.location import SourceLocation
from functions.api.resource import CustomResource
from functions.api.rules import Rule, Spec, Status, immutable
from functions.api.status import Condition, Time
from functions.api.values import Bool, Int, list_map


class RestoreSpec(Spec):
    """Which backup goes where."""

    rules: ClassVar[tuple[Rule, ...]] = (
        immutable(
            "self.source == oldSelf.source && self.target == oldSelf.target",
            "spec.source and spec.target cannot change: create another ZooKeeperRestore.",
        ),
        immutable(
            "!oldSelf.rolloutRestart || self.rolloutRestart",
            "spec.rolloutRestart cannot be taken back: delete the ZooKeeperRestore to stop it "
            "where it still can be.",
        ),
    )

    image: Image | None = None
    """The image of the copying program. Default: the functions' own."""
    rollout_restart: Bool = False
    """true: put the backup in place: all servers stop, swap their data and start. false: bring it
    to every volume and prove it there; setting this to true later puts it in place, and what was
    written since then is dropped."""
    source: SourceLocation
    """The backup."""
    target: Instance
    """The ensemble."""


class RestoreStatus(Status):
    """How far the restore is."""

    status: Literal["pending", "running", "completed", "failed", "restarted"] | None = None
    """pending, running, completed (staged, not in place), failed, or restarted (in place)."""
    message: Annotated[str, Field(max_length=32768)] | None = None
    """What is going on, or went wrong and what to do."""
    step: str | None = None
    """The step it is at: Validate, Stage, Wait, Arm, Stop, Start, Verify, Open, CleanUp and Done;
    on the way back StopBack and StartBack."""
    since: Time | None = None
    """When the step began."""
    progress: str | None = None
    """How far the copying is, as bytes done of bytes."""
    cluster: str | None = None
    """The ZooKeeperCluster it goes to."""
    zxid: str | None = None
    """The last transaction of the backup, in hexadecimal."""
    nodes: Annotated[Int, Field(json_schema_extra={"format": "int64"})] | None = None
    """How many nodes the backup has; about, when it was made under load."""
    epoch: Annotated[Int, Field(json_schema_extra={"format": "int64"})] | None = None
    """The highest epoch the servers had before they stopped: the restored ones go above it."""
    warnings: Annotated[
        tuple[str, ...], Field(json_schema_extra={"x-kubernetes-list-type": "atomic"})
    ] = ()
    """What to know about the backup."""
    observed_generation: Annotated[Int, Field(json_schema_extra={"format": "int64"})] | None = None
    """The generation of the spec that was followed."""
    conditions: Annotated[tuple[Condition, ...], Field(json_schema_extra=list_map("type"))] = ()
    """How the restore is."""


class ZooKeeperRestore(CustomResource):
    """A backup put into a ZooKeeper ensemble."""

    spec: RestoreSpec
    """Which backup goes where."""
    status: RestoreStatus = RestoreStatus()
    """How far the restore is."""

    @property
    def kind(self) -> Kind:
        return RESTORE
