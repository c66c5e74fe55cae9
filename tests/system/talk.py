"""Speaks to a port as a client of the system tests; runs inside the platform's network.

`talk.py tls HOST PORT CA` shakes hands by TLS, asks `ruok` and prints what was shown and said;
`talk.py quorum-plain HOST PORT` greets as a server without TLS would, and prints how it ended;
`talk.py plain HOST PORT` prints whether a client without TLS gets an answer to `ruok`;
`talk.py session HOSTS FILE` keeps a session without TLS, and writes each of its states into FILE,
until there is FILE.stop.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

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
        certificate = secure.getpeercert() or {}
        secure.sendall(b"ruok")
        said = secure.recv(4)
    return {
        "serial": certificate.get("serialNumber"),
        "zookeeper": said == b"imok",
    }


def plain(host: str, port: str) -> dict[str, object]:
    try:
        with socket.create_connection((host, int(port)), timeout=SECONDS) as line:
            line.sendall(b"ruok")
            return {"answered": line.recv(4) == b"imok"}
    except OSError as error:
        return {"answered": False, "error": type(error).__name__}


def session(hosts: str, file: str) -> dict[str, object]:
    from kazoo.client import KazooClient

    def note(state: str) -> None:
        with Path(file).open("a") as out:
            out.write(f"{state}\n")

    client = KazooClient(hosts=hosts, timeout=SECONDS)
    client.add_listener(note)
    client.start(timeout=SECONDS)
    while not Path(f"{file}.stop").exists():
        time.sleep(0.1)
    client.stop()
    return {}


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


COMMANDS: dict[str, Callable[..., dict[str, object]]] = {
    "tls": tls,
    "plain": plain,
    "quorum-plain": quorum_plain,
    "session": session,
}

if __name__ == "__main__":
    command, *words = sys.argv[1:]
    found = COMMANDS[command](*words)
    print(json.dumps(found))  # noqa: T201 (its only output)
