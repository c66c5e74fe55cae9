"""ZooKeeperBackup: copies of one ensemble's data in an object store, once or by a schedule."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from functions.api.cluster import Image
from functions.api.instance import Instance
from functions.api.kinds import BACKUP, Kind
from functions.api.location import Location
from functions.api.resource import CustomResource
from functions.api.rules import Rule, Spec, Status, immutable
from functions.api.status import Condition, Time
from functions.api.values import Bool, Count, Int, PositiveCount, list_map

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_CRON_FIELDS = r"^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|[^\s@]+( +[^\s]+){4})$"

Duration = Annotated[
    str,
    Field(max_length=16),
    Rule(
        "self.matches('^[1-9][0-9]{0,5}[smhd]$')",
        "This must be a number and a unit, such as 90s, 30m, 12h or 30d.",
        lambda text: re.fullmatch(r"[1-9][0-9]{0,5}[smhd]", text) is not None,
    ),
]


def duration(text: str) -> timedelta:
    """Return the value of a text such as 30m."""
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


class Retention(Spec):
    """Which backups are kept. What neither of the two keeps goes: objects and record together."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.keepLast) || has(self.keepFor)",
            "Say what is kept: keepLast, keepFor or both.",
            lambda it: it.keep_last is not None or it.keep_for is not None,
        ),
    )

    keep_last: PositiveCount | None = None
    """Keep this many of the newest backups, however old they are."""
    keep_for: Duration | None = None
    """Keep every backup for this long, such as 30d. The newest one always stays."""


class BackupSpec(Spec):
    """What is copied where, and when."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.mode == 'once' || has(self.schedule)",
            "spec.schedule is missing: with mode schedule it says when, such as '0 3 * * *'.",
            lambda it: it.mode == "once" or it.schedule is not None,
        ),
        immutable(
            "(self.mode == 'once') == (oldSelf.mode == 'once')",
            "spec.mode cannot change: the keys of the backups are made of it. Create another "
            "ZooKeeperBackup.",
        ),
    )

    mode: Literal["once", "schedule", "shedule"] = "once"
    """once: one backup, now. schedule: one whenever spec.schedule says so."""
    schedule: (
        Annotated[
            str,
            Field(max_length=128),
            Rule(
                f"self.matches('{_CRON_FIELDS.replace(chr(92), chr(92) * 2)}')",
                "This must be a schedule of five fields as cron has it (minute, hour, day of the "
                "month, month, day of the week), such as '0 3 * * *', or @daily.",
                lambda text: re.fullmatch(_CRON_FIELDS, text) is not None,
            ),
        ]
        | None
    ) = None
    """When, as cron has it: minute, hour, day of the month, month, day of the week."""
    time_zone: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """The schedule's time zone, such as Europe/Berlin. Default: that of Kubernetes, mostly UTC."""
    suspend: Bool = False
    """Make no scheduled backup while this is true."""
    image: Image | None = None
    """The image of the copying program. Default: the functions' own."""
    source: Instance
    """The ensemble."""
    target: Location
    """The object store."""
    retention: Retention | None = None
    """Which backups are kept. Default: all."""
    method: Literal["files", "snapshot"] = "files"
    """files: the newest snapshot and the logs, from the volume. snapshot: what the AdminServer
    streams (3.9 or later); where that is not consistent, the files are copied instead."""
    verify: Bool = True
    """Read every backup back and prove it, before it counts."""
    timeout: Duration = "6h"
    """How long one backup may take."""

    @property
    def is_scheduled(self) -> bool:
        return self.mode != "once"


class Record(Status):
    """One backup that can be restored."""

    key: str
    """Its directory in the bucket, to be given as spec.source.oss.key or s3.key of a restore."""
    start_time: Time | None = None
    """When it was begun."""
    finish_time: Time | None = None
    """When it was complete."""
    size: Annotated[Int, Field(json_schema_extra={"format": "int64"})] | None = None
    """Its bytes."""
    zxid: str | None = None
    """The last transaction in it, in hexadecimal."""
    server: str | None = None
    """The pod whose data it is."""
    version: str | None = None
    """That server's ZooKeeper version."""
    checksum: str | None = None
    """The SHA-256 of its manifest.json, which has that of every file."""
    verified: Bool | None = None
    """Whether it was read back and proven."""
    message: str | None = None
    """What to know about it, for example that no quorum served when it was made."""


class BackupStatus(Status):
    """What is known of the backups."""

    status: Literal["pending", "running", "suspend", "completed", "failed"] | None = None
    """pending, running, suspend, completed or failed. A schedule is pending between its runs."""
    message: Annotated[str, Field(max_length=32768)] | None = None
    """What is going on, or went wrong and what to do."""
    record: Annotated[
        tuple[Record, ...], Field(json_schema_extra={"x-kubernetes-list-type": "atomic"})
    ] = ()
    """The backups that are there, the oldest first."""
    progress: str | None = None
    """How far the running one is, as bytes done of bytes."""
    server: str | None = None
    """The pod that is copied from next."""
    last_success: Time | None = None
    """When the newest backup was complete."""
    failures: Count | None = None
    """How many runs failed since then."""
    observed_generation: Annotated[Int, Field(json_schema_extra={"format": "int64"})] | None = None
    """The generation of the spec that was followed."""
    conditions: Annotated[tuple[Condition, ...], Field(json_schema_extra=list_map("type"))] = ()
    """How the backups are."""


class ZooKeeperBackup(CustomResource):
    """Backups of a ZooKeeper ensemble."""

    spec: BackupSpec
    """What is copied where, and when."""
    status: BackupStatus = BackupStatus()
    """What is known of the backups."""

    @property
    def kind(self) -> Kind:
        return BACKUP
