"""ZooKeeper's four-letter words over a plain socket: one question, one answer, no session."""

from __future__ import annotations

import math
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from functions.api.errors import Unavailable
from functions.planning.ensemble import EnsembleConfig, ServerStats
from functions.planning.member_list import parse_config

MAX_BYTES = 64 * 1024
# Who does not even answer that is cut off, or gone.
CONNECT_SECONDS = 2.0

NOT_SERVING = "not currently serving requests"
_NOT_ALLOWED = "not in the whitelist"
# Whoever is at the address may answer, and what is read here ends in a status: no word and no
# number may be longer than a server's own.
_VERSION = re.compile(
    r"^Zookeeper version:[ \t]*([0-9]{1,9}(?:\.[0-9]{1,9}){0,3})(?![0-9])", re.MULTILINE
)
_RELEASE = re.compile(r"^Zookeeper version: ([^,\r\n]*), built on ([^\r\n]*)", re.MULTILINE)
_LATENCY = re.compile(
    r"^Latency min/avg/max: ([^/\s]{1,32})/([^/\s]{1,32})/([^/\s]{1,32})\r?$", re.MULTILINE
)
_COUNT = re.compile(r"^(Received|Sent|Outstanding):[ \t]*([0-9]{1,18})\r?$", re.MULTILINE)
_FIELD = re.compile(r"^(Connections|Zxid|Mode|Node count):[ \t]*(\S{1,32})\r?$", re.MULTILINE)
LARGEST_INT = (1 << 31) - 1
LARGEST_LONG = (1 << 63) - 1
LARGEST_ZXID = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Srvr:
    """An answer to `srvr`. Decisions rest on `stats`; of the rest, what could be read.

    `latency` is the least, the average and the greatest, in milliseconds.
    """

    stats: ServerStats
    release: str = ""
    built: str = ""
    latency: tuple[float, float, float] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


def ask(word: str, host: str, port: int, *, timeout: float, most: int = MAX_BYTES) -> str:
    """Return the whole answer to `word`; raises Unavailable when there is none within `timeout`."""
    answer = exchange(word, word.encode(), host, port, timeout=timeout, most=most)
    return _text(answer, f"{host}:{port} answered `{word}` with", most)


def exchange(
    what: str, request: bytes, host: str, port: int, *, timeout: float, most: int = MAX_BYTES
) -> bytes:
    """Send `request` and return all that comes until the other side closes.

    Of more than `most` bytes a little over `most` is returned. Raises Unavailable when it takes
    longer than `timeout`; `what` was asked, for its sentence.
    """
    where = f"{host}:{port}"
    deadline = time.monotonic() + timeout
    try:
        within = min(timeout, CONNECT_SECONDS)
        with socket.create_connection((host, port), timeout=within) as connection:
            connection.settimeout(timeout)
            connection.sendall(request)
            return _read(connection, deadline, most)
    except TimeoutError as error:
        raise Unavailable(f"{where} did not answer `{what}` within {timeout:g} s.") from error
    except OSError as error:
        raise Unavailable(f"{where} cannot be asked `{what}`: {error.strerror or error}") from error


def parse_stats(text: str, where: str) -> ServerStats:
    """Return the part of an answer to `srvr` that decisions rest on."""
    return parse_srvr(text, where).stats


def parse_srvr(text: str, where: str) -> Srvr:
    """Return what an answer to `srvr` says; a server that serves nobody has no mode."""
    if NOT_SERVING in text:
        return Srvr(ServerStats(mode="", zxid=0, version="", connections=0))
    fields, release = dict(_FIELD.findall(text)), _RELEASE.search(text)
    try:
        return Srvr(
            _stats(fields, _VERSION.search(text)),
            release=release[1] if release else "",
            built=release[2] if release else "",
            latency=_latency(text),
            counts={name: int(number) for name, number in _COUNT.findall(text)},
        )
    except (KeyError, ValueError) as error:
        raise Unavailable(_not_understood("srvr", text, where)) from error


def _stats(fields: Mapping[str, str], version: re.Match[str] | None) -> ServerStats:
    return ServerStats(
        mode=fields["Mode"],
        zxid=within(int(fields["Zxid"], 16), LARGEST_ZXID),
        version=version[1] if version else "",
        connections=within(int(fields["Connections"]), LARGEST_INT),
        # It comes last: without it the answer was cut off.
        nodes=within(int(fields["Node count"]), LARGEST_LONG),
    )


def _latency(text: str) -> tuple[float, float, float] | None:
    """Return the latencies: whole numbers, or as Java prints a fraction (0.4286, 5.0E-4)."""
    found = _LATENCY.search(text)
    if found is None:
        return None
    try:
        least, average, greatest = map(float, found.groups())
    except ValueError:
        return None
    is_told = all(map(math.isfinite, (least, average, greatest)))
    return (least, average, greatest) if is_told else None


def within(number: int, largest: int) -> int:
    """Return a number that was told; raises ValueError for one that nobody counts up to."""
    if not 0 <= number <= largest:
        raise ValueError(f"there is no such number: at most {largest} are")
    return number


def parse_conf(text: str, where: str) -> EnsembleConfig:
    """Return the member list in an answer to `conf`."""
    if NOT_SERVING in text:
        raise Unavailable(f"{where} is {NOT_SERVING}: it has no member list to show.")
    try:
        return parse_config(text)
    except ValueError as error:
        raise Unavailable(_not_understood("conf", text, where)) from error


def _read(connection: socket.socket, deadline: float, most: int) -> bytes:
    """Read until the server closes; never longer than `deadline`, never much over `most`."""
    answer = bytearray()
    while len(answer) <= most:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        block = connection.recv(MAX_BYTES)
        if not block:
            break
        answer += block
    return bytes(answer)


def _text(answer: bytes, what: str, most: int) -> str:
    if len(answer) > most:
        raise Unavailable(f"{what} more than {most} bytes: is this a ZooKeeper server?")
    try:
        text = answer.decode()
    except UnicodeDecodeError as error:
        raise Unavailable(f"{what} bytes that are no text: is this a ZooKeeper server?") from error
    if not text.strip():
        raise Unavailable(f"{what} nothing.")
    if _NOT_ALLOWED in text:
        raise Unavailable(f"{what} a refusal: add the word to 4lw.commands.whitelist.")
    return text


def _not_understood(word: str, text: str, where: str) -> str:
    return f"{where} answered `{word}` with what could not be understood: {text[:200]!r}"
