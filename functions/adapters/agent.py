"""Asking the agent beside a server what its volume holds, and what the server says of itself.

What answers at a pod's address need not be our agent, so every field of the answer is checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.adapters.http import get, get_json, parse_json
from functions.adapters.words import (
    LARGEST_INT,
    LARGEST_LONG,
    LARGEST_ZXID,
    NOT_SERVING,
    parse_conf,
    within,
)
from functions.api.errors import Unavailable
from functions.planning.ensemble import DiskReport, EnsembleConfig, ServerStats
from functions.planning.member_list import parse_member

# `functions.api.ports` says the same to the pods; reading it here would load the API's models.
AGENT_PORT = 1988
PATH = "/disk"
# Looking for the last transaction in a large log takes a while; a frozen agent costs this much.
DISK_SECONDS = 5.0
LARGEST_EPOCH = (1 << 32) - 1
LARGEST_ID = (1 << 31) - 1
LONGEST_UID = 64
LONGEST_WORD = 32


def ask_stats(host: str, port: int, *, timeout: float) -> ServerStats:
    """Return what the server said to its agent; one that serves nobody has no mode."""
    where, answer = f"{host}:{port}", get("/status", host, port, timeout=timeout)
    if NOT_SERVING.encode() in answer:
        return ServerStats(mode="", zxid=0, version="", connections=0)
    return stats_of(parse_json("/status", answer, where), where)


def stats_of(told: Mapping[str, Any], where: str) -> ServerStats:
    """Return what an agent's `GET /status` says; raises Unavailable when it is not one of it."""
    try:
        epoch, count = (within(int(told[name]), LARGEST_EPOCH) for name in ("Epoch", "Counter"))
        return ServerStats(
            mode=str(told["Role"])[:LONGEST_WORD],
            zxid=epoch << 32 | count,
            version=str(told["Version"]).partition("-")[0][:LONGEST_WORD],
            connections=within(int(told["Connections"]), LARGEST_INT),
            nodes=within(int(told["NodeCount"]), LARGEST_LONG),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Unavailable(f"The agent of {where} does not say how its server is.") from error


def ask_config(host: str, port: int, *, timeout: float) -> EnsembleConfig:
    """Return the member list that the server told its agent."""
    told = get_json("/get", host, port, timeout=timeout)
    return parse_conf(str(told.get("record", "")), f"{host}:{port}")


def ask_disk(host: str, port: int, *, timeout: float = DISK_SECONDS) -> DiskReport:
    """Return what the agent at `host` says; raises Unavailable when it says nothing of use."""
    return parse_disk(get(PATH, host, port, timeout=timeout), f"{host}:{port}")


def parse_disk(answer: bytes, where: str) -> DiskReport:
    """Return what an HTTP answer says; raises Unavailable when it is not one of an agent."""
    return report_of(parse_json(PATH, answer, where), where)


def report_of(told: Mapping[str, Any], where: str) -> DiskReport:
    """Return what the agent's JSON says; raises Unavailable when it is not one of an agent."""
    try:
        return _report(told)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise Unavailable(
            f"{where} answered `GET {PATH}` with what could not be understood: {str(told)[:200]}"
        ) from error


def _report(told: Mapping[str, Any]) -> DiskReport:
    if not isinstance(told["isEmpty"], bool):
        raise TypeError("isEmpty is neither true nor false")
    zxid = None if told["zxid"] is None else within(int(told["zxid"], 16), LARGEST_ZXID)
    return DiskReport(
        is_empty=told["isEmpty"],
        zxid=zxid,
        # A transaction is never of a later epoch than the last one its server accepted.
        epoch=max((zxid or 0) >> 32, within(int(told["epoch"]), LARGEST_EPOCH)),
        members=_ids(told["members"]),
        voters=_ids(told["voters"]),
        lines=tuple(parse_member(line) for line in told["lines"]),
        restored=_uid(told.get("restored")),
    )


def _uid(told: Any) -> str:
    """Return the uid, or nothing; an agent of before there were restores says nothing of it."""
    if not isinstance(told, str | None):
        raise TypeError("restored is neither a uid nor null")
    if told is not None and len(told) > LONGEST_UID:
        raise ValueError("restored is no uid")
    return told or ""


def _ids(told: Any) -> frozenset[int]:
    if not isinstance(told, list) or not all(type(number) is int for number in told):
        raise TypeError("a list of ids is wanted")
    return frozenset(within(number, LARGEST_ID) for number in told)
