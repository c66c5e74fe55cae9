"""What the server beside the agent says of itself, in the JSON of the agent of the seed system.

The names, and the numbers for modes, are those of the Go library that its clients read them with.
What could not be asked is said in `Error` and by the status 503; there, numbers are 0.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from functions.adapters.words import ask, parse_conf, parse_srvr
from functions.api.errors import Unavailable
from functions.planning.member_list import line_of
from functions.pods.endpoints import Endpoint, Reply

HOST = "127.0.0.1"
ASK_SECONDS = 2.0
# About 3000 connections. More would take memory that a small container does not have.
MOST_CLIENT_BYTES = 512 * 1024

# Asks the server one word and returns its answer; raises Unavailable.
Ask = Callable[[str], str]

# What the library's numbers mean: 0 is unknown, and an observer has none of its own.
_MODES = {"leader": 1, "follower": 2, "standalone": 3}
_NEVER = "0001-01-01T00:00:00Z"
# As ZooKeeper 3.5 and 3.6 print it, and as later versions do.
_BUILT = ("%m/%d/%Y %H:%M %Z", "%Y-%m-%d %H:%M %Z")
_CONNECTION = re.compile(r"^ ?/(\S+)\[\d+\]\(([^()]*)\)\r?$")


def reports(ports: tuple[int, ...], host: str = HOST) -> dict[str, Mapping[str, Endpoint]]:
    """Return the endpoints that only look; the server answers at one of `ports`."""
    turn = threading.Lock()

    def asked(word: str) -> str:
        return ask_first(word, host, ports)

    def client() -> Reply:
        # One at a time: each may take some megabytes.
        with turn:
            return client_report(asked)

    return {
        "/status": {"GET": lambda _: status_report(asked)},
        "/client": {"GET": lambda _: client()},
        "/runok": {"GET": lambda _: runok_report(asked)},
        "/health": {"GET": lambda _: Reply("healthy")},
        "/get": {"GET": lambda _: member_list_report(asked)},
    }


def server_ports(environment: Mapping[str, str]) -> tuple[int, int]:
    """Return the port for clients, and the one of a server that is closed to them.

    Either its data was just restored, or it takes clients by TLS alone.
    """
    return int(environment["CLIENT_PORT"]), int(environment["QUARANTINE_PORT"])


def ask_first(word: str, host: str, ports: tuple[int, ...]) -> str:
    """Ask at the port for clients; a server that is closed to them answers at another one."""
    *others, last = ports
    for port in others:
        try:
            return ask(word, host, port, timeout=ASK_SECONDS, most=MOST_CLIENT_BYTES)
        except Unavailable:
            continue
    return ask(word, host, last, timeout=ASK_SECONDS, most=MOST_CLIENT_BYTES)


def status_report(ask: Ask) -> Reply:
    """Return what `srvr` says; a server that serves nobody is told with 503 and mode 0."""
    try:
        return Reply({**_status(ask("srvr")), "Error": None})
    except (Unavailable, KeyError, ValueError) as error:
        return Reply({**_NO_STATUS, "Error": _sentence(error)}, HTTPStatus.SERVICE_UNAVAILABLE)


def _status(text: str) -> dict[str, Any]:
    told = parse_srvr(text, "The server")
    stats, count = told.stats, told.counts
    if not stats.mode:
        raise Unavailable("The server is not currently serving requests.")
    # The library wants whole numbers; from 3.6 on servers say the average with decimals.
    least, average, greatest = map(round, told.latency or ())
    return {
        "Sent": count["Sent"],
        "Received": count["Received"],
        "NodeCount": stats.nodes,
        "MinLatency": least,
        "AvgLatency": average,
        "MaxLatency": greatest,
        "Connections": stats.connections,
        "Outstanding": count["Outstanding"],
        "Epoch": stats.zxid >> 32,
        "Counter": stats.zxid & 0xFFFFFFFF,
        "BuildTime": _built(told.built),
        "Mode": _MODES.get(stats.mode, 0),
        "Role": stats.mode,
        "Version": told.release,
    }


_NO_STATUS: Mapping[str, Any] = {
    **dict.fromkeys(
        ("Sent", "Received", "NodeCount", "MinLatency", "AvgLatency", "MaxLatency", "Connections",
         "Outstanding", "Epoch", "Counter"),
        0,
    ),
    "BuildTime": _NEVER,
    "Mode": 0,
    "Role": "none",
    "Version": "",
}  # fmt: skip


def _built(told: str) -> str:
    for form in _BUILT:
        try:
            return datetime.strptime(told.strip(), form).strftime("%Y-%m-%dT%H:%M:%SZ")
        except ValueError:
            continue
    return _NEVER


def client_report(ask: Ask) -> Reply:
    """Return every connection that `cons` shows; those without a session have zeros."""
    try:
        lines = ask("cons").splitlines()
        return Reply({"Clients": [_client(line) for line in lines if line.strip()], "Error": None})
    except (Unavailable, ValueError) as error:
        return Reply({"Clients": None, "Error": _sentence(error)}, HTTPStatus.SERVICE_UNAVAILABLE)


def _client(line: str) -> dict[str, Any]:
    found = _CONNECTION.match(line)
    if found is None:
        raise ValueError("cons")
    told = dict(pair.split("=", 1) for pair in found[2].split(",") if "=" in pair)

    def number(name: str, base: int = 10) -> int:
        return _signed(int(told.get(name, "0"), base))

    return {
        "Queued": number("queued"),
        "Received": number("recved"),
        "Sent": number("sent"),
        "SessionID": number("sid", 16),
        "Lcxid": number("lcxid", 16),
        "Lzxid": number("lzxid", 16),
        "Timeout": number("to"),
        "LastLatency": number("llat"),
        "MinLatency": number("minlat"),
        "AvgLatency": number("avglat"),
        "MaxLatency": number("maxlat"),
        "Established": _moment(number("est")),
        "LastResponse": _moment(number("lresp")),
        "Addr": found[1],
        "LastOperation": told.get("lop", ""),
        "Error": None,
    }


def _signed(number: int) -> int:
    """Return the number as the library's 64 bits with a sign hold it: ids may use the highest."""
    if not -(1 << 63) <= number < 1 << 64:
        raise ValueError("cons")
    return number - (1 << 64) if number >= 1 << 63 else number


def _moment(milliseconds: int) -> str:
    if not 0 < milliseconds < 1 << 47:
        return _NEVER
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def runok_report(ask: Ask) -> Reply:
    """Return whether the server's process answers at all; it may serve nobody."""
    try:
        is_ok = ask("ruok").strip() == "imok"
    except Unavailable:
        is_ok = False
    return Reply(is_ok, HTTPStatus.OK if is_ok else HTTPStatus.SERVICE_UNAVAILABLE)


def member_list_report(ask: Ask) -> Reply:
    """Return the committed member list as `/zookeeper/config` holds it.

    It is taken from `conf`: reading the node needs a session, and each is a transaction.
    """
    config = parse_conf(ask("conf"), "The server")
    lines = [line_of(member) for member in config.members]
    return Reply({"record": "\n".join([*lines, f"version={config.version:x}"])})


def _sentence(error: Exception) -> str:
    if isinstance(error, Unavailable):
        return str(error)
    return "The server's answer could not be understood."
