"""Files as ZooKeeper writes them, made by hand: logs with any records, snapshots with any nodes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping

from functions.persistence.jute import Acl
from functions.persistence.stat import STAT, Stat

LOG_HEADER = b"ZKLG" + struct.pack(">iq", 2, 0)
SNAPSHOT_HEADER = b"ZKSN" + struct.pack(">iq", 2, -1)
ZEROS = bytes(4096)
NEW = Stat(1, 1, 1_700_000_000_000, 1_700_000_000_000, 0, 0, 0, 0, 1)
OPEN = (Acl(31, "world", "anyone"),)

CREATE, DELETE, SET_DATA, SET_ACL, CHECK, MULTI = 1, 2, 5, 7, 13, 14
CREATE2, RECONFIG, CREATE_CONTAINER, DELETE_CONTAINER, CREATE_TTL = 15, 16, 19, 20, 21
ERROR, CREATE_SESSION, CLOSE_SESSION = -1, -10, -11


def record(zxid: int, payload: bytes = b"", type: int = SET_DATA, session: int = 0x1234) -> bytes:
    """Return one transaction as ZooKeeper writes it: its header (client, cxid, zxid, ...), rest."""
    content = struct.pack(">qiqqi", session, 7, zxid, 1_700_000_000_000, type) + payload
    return struct.pack(">qi", zlib.adler32(content), len(content)) + content + b"B"


def log_of(*numbers: int) -> bytes:
    return LOG_HEADER + b"".join(record(number, bytes([number % 251]) * 30) for number in numbers)


def buffer(content: bytes | None) -> bytes:
    return struct.pack(">i", -1) if content is None else struct.pack(">i", len(content)) + content


def text(content: str) -> bytes:
    return buffer(content.encode())


def acls(entries: Iterable[Acl]) -> bytes:
    written = [struct.pack(">i", acl.perms) + text(acl.scheme) + text(acl.id) for acl in entries]
    return struct.pack(">i", len(written)) + b"".join(written)


def number(value: int) -> bytes:
    return struct.pack(">i", value)


def long(value: int) -> bytes:
    return struct.pack(">q", value)


def node(path: str, data: bytes | None = b"", acl: int = -1, stat: Stat = NEW) -> bytes:
    """Return a node as it lies in a snapshot; the root's path is empty."""
    return text(path) + buffer(data) + long(acl) + STAT.pack(*stat)


def snapshot_of(
    *nodes: bytes,
    sessions: Mapping[int, int] | None = None,
    acl_cache: Mapping[int, tuple[Acl, ...]] | None = None,
    digest: tuple[int, int, int] | None = None,
    last_zxid: int | None = None,
) -> bytes:
    """Return a whole snapshot; `digest` is (zxid, version, digest)."""
    parts = [SNAPSHOT_HEADER, number(len(sessions or {}))]
    parts += [long(id) + number(timeout) for id, timeout in (sessions or {}).items()]
    parts += [number(len(acl_cache or {}))]
    parts += [long(key) + acls(entries) for key, entries in (acl_cache or {}).items()]
    whole = sealed(b"".join([*parts, *nodes, text("/")]))
    if digest is not None:
        whole = sealed(whole + long(digest[0]) + number(digest[1]) + long(digest[2]))
    return whole if last_zxid is None else sealed(whole + long(last_zxid))


def sealed(content: bytes) -> bytes:
    return content + long(zlib.adler32(content)) + text("/")


WHOLE_SNAPSHOT = snapshot_of(node(""))
