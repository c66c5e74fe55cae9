"""ZooKeeper's member list as text: `server.<id>=<address>` lines and the version they end with.

A line is `server.<id>=<host>:<quorum port>:<election port>[:<role>][;[<host>:]<client port>]`
(ZooKeeper 3.5 and later; IPv6 hosts stand in brackets). `Member.address` is the line's right side
without the role, so that two lists can be compared and a line made again from it.
"""

from __future__ import annotations

import re

from functions.planning.ensemble import EnsembleConfig, Member

PARTICIPANT = "participant"
OBSERVER = "observer"
# What a server puts before a bare client port.
ANY_ADDRESS = "0.0.0.0"

# Whatever is at a server's address may send such lines: a match takes no more than one pass over
# the text, and no number is longer than ZooKeeper's own.
_LINE = re.compile(r"server\.([0-9]{1,9})\s*=\s*(\S.*)")
_VERSION = re.compile(r"^version[ \t]*=[ \t]*([0-9a-fA-F]{1,16})[ \t]*\r?$", re.MULTILINE)
_ROLES = (PARTICIPANT, OBSERVER)


def parse_config(text: str) -> EnsembleConfig:
    """Return the member list that `text` holds; raises ValueError where it holds none.

    The version is a zxid in hexadecimal, without a prefix.
    """
    version = _VERSION.search(text)
    members = [parse_member(line) for line in text.splitlines() if line.startswith("server.")]
    if version is None or not members:
        raise ValueError(f"there is no complete member list in {text[:200]!r}")
    return EnsembleConfig(int(version[1], 16), tuple(sorted(members, key=lambda member: member.id)))


def parse_member(line: str) -> Member:
    """Return what one `server.<id>=` line says; raises ValueError for anything else."""
    found = _LINE.fullmatch(line.rstrip())
    if found is None:
        raise ValueError(f"{line!r} is no line of a member list (server.<id>=<address>)")
    quorum, semicolon, client = found[2].partition(";")
    before, _, last = quorum.rpartition(":")
    role, address = (last, before) if last in _ROLES else (PARTICIPANT, quorum)
    if client and ":" not in client:
        client = f"{ANY_ADDRESS}:{client}"
    return Member(int(found[1]), f"{address}{semicolon}{client}", role)


def line_of(member: Member) -> str:
    """Return the line that stands for `member`, as `reconfigure` takes it for a joining server."""
    quorum, semicolon, client = member.address.partition(";")
    return f"server.{member.id}={quorum}:{member.role}{semicolon}{client}"


def host_of(member: Member) -> str:
    """Return the host the other servers know `member` by."""
    quorum = member.address.partition(";")[0]
    if quorum.startswith("["):
        return quorum[1:].partition("]")[0]
    return quorum.partition(":")[0]
