"""Logging in to a ZooKeeper server with a password: SASL's mechanism DIGEST-MD5 (RFC 2831).

It is here because the client library would need another library for it, which does little more.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any

# ZooKeeper's servers have no other name in it than this one (SecurityUtils).
URI = "zookeeper/zk-sasl-md5"
_FIELD = re.compile(r'([a-z-]+)=(?:"([^"]*)"|([^,]*))')


def log_in(session: Any, user: str, password: str, seconds: float) -> None:
    """Log a session of kazoo in; raises kazoo's exception when the server will not have it."""
    challenge = _exchange(session, b"", seconds)
    _exchange(session, respond(challenge, user, password), seconds)


def _exchange(session: Any, token: bytes, seconds: float) -> bytes:
    from kazoo.protocol.serialization import SASL

    result = session.handler.async_result()
    # kazoo has no public way to send this request; it is a request like any other to the server.
    session._call(SASL(token), result)
    answer, _ = result.get(timeout=seconds)
    return bytes(answer or b"")


def respond(challenge: bytes, user: str, password: str, nonce: str = "", uri: str = URI) -> bytes:
    """Return the answer to a challenge; `nonce` is ours, and made anew unless it is given."""
    found = _FIELD.findall(challenge.decode(errors="replace"))
    said = {"realm": "", "nonce": "", **{key: quoted or bare for key, quoted, bare in found}}
    own = nonce or secrets.token_hex(16)
    secret = _md5(f"{user}:{said['realm']}:{password}".encode())
    session = _md5(secret + f":{said['nonce']}:{own}".encode()).hex()
    action = _md5(f"AUTHENTICATE:{uri}".encode()).hex()
    proof = _md5(f"{session}:{said['nonce']}:00000001:{own}:auth:{action}".encode()).hex()
    fields = (
        "charset=utf-8", f'username="{user}"', f'realm="{said["realm"]}"',
        f'nonce="{said["nonce"]}"', "nc=00000001", f'cnonce="{own}"', f'digest-uri="{uri}"',
        f"response={proof}", "qop=auth",
    )  # fmt: skip
    return ",".join(fields).encode()


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
