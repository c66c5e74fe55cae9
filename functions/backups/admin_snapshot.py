"""The second method: the snapshot that a server's AdminServer streams (ZooKeeper 3.9 and later).

What is streamed is an ordinary fuzzy snapshot: nodes are written one by one while transactions go
on. Without the log it is a state only if none did: the zxid in the answer is where it began, the
one behind the nodes is where it ended, and the tree digest beside it must fit the nodes (no
document of ZooKeeper says so; tests/contract/test_admin_snapshot.py shows it). So it is tried a few
times, and where the server is never quiet for long enough, the caller takes the files instead.
"""

from __future__ import annotations

import http.client
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from functions.backups.parts import Outbox
from functions.backups.passing import pass_snapshot
from functions.backups.taken import NotTaken, Taken, pass_epochs
from functions.persistence.damage import Damaged
from functions.persistence.snapshot_summary import SnapshotSummary
from functions.persistence.zxid import epoch

log = logging.getLogger("backup")

PATH = "/commands/snapshot?streaming=true"
READ_SECONDS = 60.0
MOST_ATTEMPTS = 4
# What versions limit: one in 5 minutes as documented, one in 0.3 s as it is in 3.9.0 to 3.9.5.
RATE_SECONDS = 330.0
PAUSE_SECONDS = 0.5
_REFUSALS = {
    401: "it wants credentials, or does not know these: check `adminServer` and its Secret",
    403: "the credentials may not do everything on `/`, which a snapshot needs",
    404: "it does not know the command: ZooKeeper 3.9 is the first version that has it",
    405: "it does not know the command: ZooKeeper 3.9 is the first version that has it",
    500: "it failed; `serializeLastProcessedZxid.enabled=false` is one reason",
    503: "the command is off (`admin.snapshot.enabled`)",
}


class _RateLimited(NotTaken):
    """The server gives no more snapshots for a while."""


class _Fuzzy(NotTaken):
    """Transactions went on while the snapshot was written, or it came only in part."""


@dataclass(frozen=True, slots=True)
class AdminServer:
    """Where it answers, and the `Authorization` it wants (`digest user:password`)."""

    host: str
    port: int
    authorization: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Snapping:
    """One snapshot being taken; the epochs are no part of it: they are on the volume, if any."""

    admin: AdminServer
    epochs: Path | None
    outbox: Outbox
    expect: Callable[[int], None] = lambda _: None
    rate_seconds: float = RATE_SECONDS
    pause_seconds: float = PAUSE_SECONDS


def take_snapshot(snapping: Snapping) -> Taken:
    """Write a snapshot that is a state by itself; raises NotTaken, or a StoreError."""
    deadline = time.monotonic() + snapping.rate_seconds
    problem: NotTaken | None = None
    attempts = 0
    while attempts < MOST_ATTEMPTS:
        try:
            return _take_once(snapping)
        except _RateLimited as limited:
            if time.monotonic() > deadline:
                raise problem or limited from limited
        except _Fuzzy as fuzzy:
            attempts += 1
            problem = fuzzy
            snapping.outbox.discard()
        log.info("asking for another snapshot: %s", problem or "the server limits how often")
        time.sleep(snapping.pause_seconds)
    raise problem or NotTaken("The AdminServer was not asked for a snapshot.")


def _take_once(snapping: Snapping) -> Taken:
    with _answer(snapping.admin) as answer:
        zxid, size = _header(answer, "last_zxid"), _header(answer, "snapshot_size")
        snapping.expect(size)
        name = f"snapshot.{zxid:x}"
        writer = snapping.outbox.object(name, size)
        try:
            summary = pass_snapshot(cast(BinaryIO, answer), "", writer)
        except Damaged as damage:
            writer.drop()
            raise _Fuzzy(
                f"the snapshot that the AdminServer sent is damaged: {damage}."
            ) from damage
    if not _is_state(summary, zxid):
        writer.drop()
        raise _Fuzzy("transactions went on while the AdminServer wrote its snapshot.")
    copied = writer.finish()
    epoch_files, newest = pass_epochs(snapping.epochs, snapping.outbox)
    snapping.outbox.wait()
    return Taken(
        files=(copied, *epoch_files),
        snapshot_zxid=zxid,
        zxid=zxid,
        epoch=max(newest, epoch(zxid)),
        nodes=summary.nodes,
        digest=summary.tree_digest,
        quorum=True,
    )


def _is_state(summary: SnapshotSummary, zxid: int) -> bool:
    """Say whether no transaction ran from the snapshot's beginning to its end."""
    digest = summary.trailer.digest
    return (
        summary.trailer.last_zxid == zxid
        and digest is not None
        and digest.zxid == zxid
        and summary.reaches(zxid) == zxid
        and summary.is_proven is True
    )


@contextmanager
def _answer(admin: AdminServer) -> Iterator[http.client.HTTPResponse]:
    """Ask for a snapshot; yield its bytes, raise what the server says instead."""
    where = f"the AdminServer at {admin.host}:{admin.port}"
    connection = http.client.HTTPConnection(admin.host, admin.port, timeout=READ_SECONDS)
    is_answered = False
    try:
        connection.request("GET", PATH, headers={"Authorization": admin.authorization})
        answer = connection.getresponse()
        if answer.status == http.HTTPStatus.TOO_MANY_REQUESTS:
            raise _RateLimited(f"{where} gives no more snapshots for now: it limits how often.")
        if answer.status != http.HTTPStatus.OK:
            why = _REFUSALS.get(answer.status, "nothing is known about it")
            raise NotTaken(f"{where} answers {answer.status}: {why}.")
        if answer.getheader("last_zxid") is None:
            raise NotTaken(f"{where} gives no snapshot: {_said(answer)}")
        is_answered = True
        yield answer
    except (OSError, http.client.HTTPException) as error:
        if is_answered:
            raise _Fuzzy(f"{where} did not send all of its snapshot: {error!r}.") from error
        raise NotTaken(f"{where} cannot be asked for a snapshot: {error!r}.") from error
    finally:
        connection.close()


def _header(answer: http.client.HTTPResponse, name: str) -> int:
    try:
        number = int(answer.getheader(name, ""), 0)
    except ValueError:
        number = -1
    # Of a compressed snapshot the server does not understand its own name.
    if not 0 <= number < 1 << 63:
        raise NotTaken(f"the AdminServer does not say the `{name}` of its snapshot.")
    return number


def _said(answer: http.client.HTTPResponse) -> str:
    try:
        return str(json.loads(answer.read(1 << 16))["error"])[:200]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "it answers something else."
