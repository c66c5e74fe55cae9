"""Speaks to a port as a client of the system tests; runs inside the platform's network.

`talk.py tls HOST PORT CA` shakes hands by TLS, asks `ruok` and prints what was shown and said;
`talk.py quorum-plain HOST PORT` greets as a server without TLS would, and prints how it ended.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import sys

SECONDS = 10
# Who takes us for a server keeps the line; a server that wants TLS ends it at once.
KEPT_SECONDS = 2
# QuorumCnxManager: the version of the protocol, the sender's id, and its address with a length.
PROTOCOL_VERSION = -65536


def tls(host: str, port: str, authority: str) -> dict[str, object]:
    context = ssl.create_default_context(cafile=authority)
    with (
        socket.create_connection((host, int(port)), timeout=SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        shown = secure.getpeercert() or {}
        secure.sendall(b"ruok")
        said = secure.recv(4)
    return {
        "serial": shown.get("serialNumber"),
        "zookeeper": said == b"imok",
    }


def quorum_plain(host: str, port: str) -> dict[str, object]:
    """Greet the election port as a server with a high id: a lower one is called back."""
    own = b"127.0.0.1:3888"
    hello = struct.pack(">qqi", PROTOCOL_VERSION, 250, len(own)) + own
    with socket.create_connection((host, int(port)), timeout=SECONDS) as plain:
        plain.settimeout(KEPT_SECONDS)
        try:
            plain.sendall(hello)
            answer = plain.recv(1)
        except TimeoutError:
            return {"ended": False, "answer": ""}
        except OSError:
            return {"ended": True, "answer": ""}
    return {"ended": not answer, "answer": answer.hex()}


if __name__ == "__main__":
    command, *words = sys.argv[1:]
    found = tls(*words) if command == "tls" else quorum_plain(*words)
    print(json.dumps(found))  # noqa: T201 (its only output)
