"""What a restore comes to at one look: what its status says, and what is done once it says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from functions.api.manifest import Manifest
from functions.api.restore import ZooKeeperRestore
from functions.planning.status import Slice, Wanted, seen_condition, timestamp, write_status
from functions.planning.steps import Announce, LookAgain, Plan

MANAGER = "restore"
STAGED = "Staged"
RESTORED = "Restored"
# Reasons of the condition Restored that are decisions: what comes after reads them.
GOING_BACK = "GoingBack"
FAILED = "Failed"

State = Literal["pending", "running", "completed", "failed", "restarted"]

VALIDATE, STAGE, WAIT, ARM, STOP, START, VERIFY, OPEN, CLEAN_UP, DONE, STOP_BACK, START_BACK = (
    "Validate", "Stage", "Wait", "Arm", "Stop", "Start", "Verify", "Open", "CleanUp", "Done",
    "StopBack", "StartBack",
)  # fmt: skip

# What `kubectl describe` shows when a step begins.
EVENTS = {
    VALIDATE: "Pending", STAGE: "Staging", WAIT: "Waiting", ARM: "Arming", STOP: "Stopping",
    START: "Starting", VERIFY: "Verifying", OPEN: "Opening", CLEAN_UP: "CleaningUp",
    STOP_BACK: "StoppingAgain", START_BACK: "StartingAgain",
}  # fmt: skip
ENDS = {"completed": "Staged", "failed": "RestoreFailed", "restarted": "Restored"}


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a restore is patient: with servers that stop or start, with those that come last."""

    servers: timedelta = timedelta(minutes=10)
    last_servers: timedelta = timedelta(minutes=1)
    clean_up: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Decision:
    """What status should say, and the steps that follow once it does.

    `facts` are fields of status that became known; the others stay. `restored` and `staged` are
    the conditions as they should be from now on; None leaves one as it is.
    """

    step: str
    status: State
    message: str
    act: Plan = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    staged: Wanted | None = None
    restored: Wanted | None = None


def verdict_of(restore: ZooKeeperRestore) -> str:
    """Return the decision that is on record: GOING_BACK, FAILED, or nothing yet."""
    seen = seen_condition(restore, RESTORED)
    is_decided = seen is not None and seen.reason in (GOING_BACK, FAILED)
    return seen.reason if seen is not None and is_decided else ""


def why_of(restore: ZooKeeperRestore) -> str:
    """Return why the restore does not take place."""
    seen = seen_condition(restore, RESTORED)
    return seen.message if seen is not None else ""


def is_over(restore: ZooKeeperRestore) -> bool:
    """Whether nothing is left to do, but for a wish that came later: to put in place, to delete."""
    status = restore.status.status
    if status == "completed":
        return not restore.spec.rollout_restart
    return status in ("failed", "restarted") and restore.status.step == DONE


def is_settled(restore: ZooKeeperRestore) -> bool:
    """Whether nobody has to look at it again before somebody changes it."""
    is_kept = restore.status.status == "completed" or not restore.metadata.finalizers
    is_present = restore.status.observed_generation == restore.metadata.generation
    is_deleting = restore.metadata.deletion_timestamp is not None
    return is_over(restore) and is_kept and is_present and not is_deleting


def going_back(step: str, why: str) -> Decision:
    """Return the decision that the own data comes back; it is on record before anything is done."""
    told = f"The servers' own data comes back: {why}"
    return Decision(step, "running", told, restored=Wanted(RESTORED, "False", GOING_BACK, why))


def failure(step: str, why: str) -> Decision:
    """Return the decision that the restore has failed; what it left is then cleaned away."""
    return Decision(step, "running", why, restored=Wanted(RESTORED, "False", FAILED, why))


def since(restore: ZooKeeperRestore, now: datetime) -> timedelta:
    """Return how long status has said this step."""
    return _elapsed(restore.status.since, now)


def held_for(started_at: str | None, now: datetime) -> timedelta:
    """Return how long ago the servers were told the present step."""
    return _elapsed(started_at, now)


def _elapsed(text: str | None, now: datetime) -> timedelta:
    if not text:
        return timedelta()
    return now - datetime.fromisoformat(text.replace("Z", "+00:00"))


def carry_out(restore: ZooKeeperRestore, decided: Decision, now: datetime) -> Plan:
    """Return the write that makes status say so; once it does, the decision's own steps."""
    written = write_status(restore, _slice(restore, decided, now), now)
    if not written:
        return decided.act
    return (*_news(restore, decided), *written, LookAgain())


def _news(restore: ZooKeeperRestore, decided: Decision) -> Plan:
    status, when = restore.status, restore.status.since or ""
    told = decided.message
    if decided.status in ENDS and decided.status != status.status:
        kind: Literal["Normal", "Warning"] = "Warning" if decided.status == "failed" else "Normal"
        return (Announce(kind, ENDS[decided.status], told, when),)
    is_turn = decided.restored is not None and verdict_of(restore) != decided.restored.reason
    if is_turn and decided.restored is not None and decided.restored.reason == GOING_BACK:
        return (Announce("Warning", GOING_BACK, told, when),)
    if decided.step == status.step or decided.step not in EVENTS:
        return ()
    return (Announce("Normal", EVENTS[decided.step], told, when),)


def _slice(restore: ZooKeeperRestore, decided: Decision, now: datetime) -> Slice:
    seen = restore.status
    is_same = seen.step == decided.step and seen.since is not None
    fields: Manifest = {
        "cluster": seen.cluster,
        "zxid": seen.zxid,
        "nodes": seen.nodes,
        "epoch": seen.epoch,
        "warnings": list(seen.warnings),
        "progress": seen.progress,
        **decided.facts,
        "status": decided.status,
        "step": decided.step,
        "since": seen.since if is_same else timestamp(now),
        "message": decided.message,
        "observedGeneration": restore.metadata.generation,
    }
    conditions = (
        decided.staged or _as_seen(restore, STAGED),
        decided.restored or _as_seen(restore, RESTORED),
    )
    return Slice(MANAGER, fields, conditions, frozenset({STAGED, RESTORED}))


def _as_seen(restore: ZooKeeperRestore, kind: str) -> Wanted:
    seen = seen_condition(restore, kind)
    if seen is None:
        told = "Nothing was done yet."
        return Wanted(kind, "False", "Pending", told)
    return Wanted(kind, seen.status, seen.reason, seen.message)
