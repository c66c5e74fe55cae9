"""What a transaction does: its operations, decoded from the log.

`decode` knows every type that ZooKeeper 3.4 to 3.9 log.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from functions.persistence.damage import Damaged
from functions.persistence.digest import DIGEST_VERSION
from functions.persistence.jute import Acl, HeldArchive
from functions.persistence.stat import CONTAINER_OWNER, ttl_owner
from functions.persistence.txn_log import TXN_HEADER, Record

_DIGEST_BYTES = 12
_UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Create:
    path: str
    data: bytes | None
    acl: tuple[Acl, ...]
    owner: int  # As it is stored: 0, the session's id, or the mark of a container or a TTL node.
    parent_cversion: int  # -1 where the log is too old to say.
    is_plain: bool  # `create` itself, not one of its later kinds.


@dataclass(frozen=True, slots=True)
class Delete:
    path: str


@dataclass(frozen=True, slots=True)
class SetData:
    path: str
    data: bytes | None
    version: int


@dataclass(frozen=True, slots=True)
class SetAcl:
    path: str
    acl: tuple[Acl, ...]
    version: int


@dataclass(frozen=True, slots=True)
class CreateSession:
    timeout: int


@dataclass(frozen=True, slots=True)
class CloseSession:
    paths: tuple[str, ...]  # Its ephemeral nodes, where the log says them.


@dataclass(frozen=True, slots=True)
class Check:
    path: str
    version: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A request that was refused; it still has a number and its place in the log."""

    error: int


@dataclass(frozen=True, slots=True)
class Multi:
    """Operations that were made together, or not at all if one of them failed."""

    operations: tuple[Operation, ...]

    @property
    def is_failed(self) -> bool:
        return any(isinstance(operation, Failed) for operation in self.operations)


Operation = (
    Create | Delete | SetData | SetAcl | CreateSession | CloseSession | Check | Failed | Multi
)


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction; `digest` is the tree's after it, if the leader wrote it."""

    session: int
    zxid: int
    time: int
    operation: Operation
    digest: tuple[int, int] | None  # version, digest


def decode(record: Record, payload: bytes | memoryview) -> Transaction:
    """Return what the transaction `record` does; `payload` is all of it, its header included."""
    archive = HeldArchive(bytes(payload[TXN_HEADER.size :]))
    operation = _operation(record.type, archive, record.session)
    digest = (archive.number(), archive.long()) if archive.left >= _DIGEST_BYTES else None
    return Transaction(record.session, record.zxid, record.time, operation, digest)


def _operation(type: int, archive: HeldArchive, session: int) -> Operation:
    reader = _READERS.get(type)
    if reader is None:
        raise Damaged(f"a transaction of the unknown type {type}")
    return reader(archive, session)


def _create(archive: HeldArchive, session: int, *, is_plain: bool = True) -> Create:
    path, data, acl = archive.text(), archive.buffer(), archive.acls()
    owner = session if archive.flag() else 0
    # ZooKeeper 3.4 and older end here.
    parent_cversion = archive.number() if archive.left else _UNKNOWN
    return Create(path, data, acl, owner, parent_cversion, is_plain)


def _create2(archive: HeldArchive, session: int) -> Create:
    return _create(archive, session, is_plain=False)


def _create_container(archive: HeldArchive, _: int) -> Create:
    path, data, acl = archive.text(), archive.buffer(), archive.acls()
    return Create(path, data, acl, CONTAINER_OWNER, archive.number(), is_plain=False)


def _create_ttl(archive: HeldArchive, _: int) -> Create:
    path, data, acl = archive.text(), archive.buffer(), archive.acls()
    parent_cversion = archive.number()
    return Create(path, data, acl, ttl_owner(archive.long()), parent_cversion, is_plain=False)


def _delete(archive: HeldArchive, _: int) -> Delete:
    return Delete(archive.text())


def _set_data(archive: HeldArchive, _: int) -> SetData:
    return SetData(archive.text(), archive.buffer(), archive.number())


def _set_acl(archive: HeldArchive, _: int) -> SetAcl:
    return SetAcl(archive.text(), archive.acls(), archive.number())


def _check(archive: HeldArchive, _: int) -> Check:
    return Check(archive.text(), archive.number())


def _failed(archive: HeldArchive, _: int) -> Failed:
    return Failed(archive.number())


def _create_session(archive: HeldArchive, _: int) -> CreateSession:
    return CreateSession(archive.number())


def _close_session(archive: HeldArchive, _: int) -> CloseSession:
    # With `closeSessionTxn.enabled` off there are no paths, at most a digest: a list of 12 bytes
    # that begins with 2 would hold two empty paths, and there is none such.
    is_digest_alone = archive.left == _DIGEST_BYTES and archive.peek() == DIGEST_VERSION
    return CloseSession(archive.texts() if archive.left and not is_digest_alone else ())


def _multi(archive: HeldArchive, session: int) -> Multi:
    parts = [(archive.number(), archive.buffer() or b"") for _ in range(archive.count())]
    return Multi(tuple(_operation(type, HeldArchive(body), session) for type, body in parts))


# ZooDefs.OpCode; a change of the member list is logged as a change of the node that holds it.
_READERS: dict[int, Callable[[HeldArchive, int], Operation]] = {
    1: _create,
    2: _delete,
    5: _set_data,
    7: _set_acl,
    13: _check,
    14: _multi,
    15: _create2,
    16: _set_data,
    19: _create_container,
    20: _delete,
    21: _create_ttl,
    -1: _failed,
    -10: _create_session,
    -11: _close_session,
}
