"""The demo's second half: the ensemble is backed up, spoilt, and restored as one looks on."""

from __future__ import annotations

import time

import yaml

from local.demo_steps import DemoFailed, Say, read_object, read_znode, until, write_znode
from local.kube import Object
from local.platform.handle import Platform
from local.platform.parts import CHECKOUT

NAME = "demo"
BACKUP = "config/samples/backup-once.yaml"
RESTORE = "config/samples/restore.yaml"
SECONDS = 180.0


def back_up_and_restore(platform: Platform, cluster: Object, kept: str, say: Say) -> None:
    """Back up the znode with `kept` in it, overwrite it, and have it back on every server."""
    say(f"backing it up, as {BACKUP} says")
    record = _backed_up(platform, say)
    say(f"  {record['size']} bytes up to zxid {record['zxid']}, read back and proven")
    write_znode(platform, cluster, "a mistake", say)
    say(f"restoring the backup in its place, as {RESTORE} says")
    began = time.monotonic()
    _restore(platform, record["key"], say)
    say(f"  restored {time.monotonic() - began:.1f} s after it was asked for")
    read_znode(platform, cluster, kept, say)


def _backed_up(platform: Platform, say: Say) -> Object:
    """Make the backup of the sample under the demo's own name; returns its record."""
    _apply(platform, (CHECKOUT / BACKUP).read_text())
    record: Object = _ended(platform, "zkbackup", "completed", "progress", say)["record"][-1]
    return record


def _restore(platform: Platform, key: str, say: Say) -> None:
    _apply(platform, (CHECKOUT / RESTORE).read_text().replace("BACKUP_KEY", key))
    _ended(platform, "zkrestore", "restarted", "step", say)


def _apply(platform: Platform, sample: str) -> None:
    manifest = yaml.safe_load(sample)
    manifest["metadata"]["name"] = NAME
    platform.kubectl("apply", "-f", "-", input=yaml.safe_dump(manifest))


def _ended(platform: Platform, kind: str, end: str, field: str, say: Say) -> Object:
    """Say each change of one field of status until it ended; returns the status."""
    said: list[str] = []

    def look() -> Object | None:
        status = _status(platform, kind)
        told = str(status.get(field) or "")
        if told and said[-1:] != [told]:
            said.append(told)
            say(f"  {kind} {NAME}  {told}")
        if status.get("status") == "failed":
            raise DemoFailed(_why_not(platform, kind, end))
        return status if status.get("status") == end else None

    return until(look, SECONDS, lambda: _why_not(platform, kind, end))


def _status(platform: Platform, kind: str) -> Object:
    status: Object = read_object(platform, "get", f"{kind}/{NAME}").get("status", {})
    return status


def _why_not(platform: Platform, kind: str, end: str) -> str:
    message = _status(platform, kind).get("message") or "nobody looked at it"
    return f"{kind} {NAME} is not {end}: {message}. Look at `kubectl describe {kind} {NAME}`."
