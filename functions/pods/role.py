"""Noticing at once when a server's role changes, at next to no cost while it does not.

A server hangs up on all its connections when it leaves its role, and on none at any other time
(`Learner.shutdown`, `Leader.shutdown`; one without a session after 10 to 20 s). So a connection on
which nothing is said tells of a change within milliseconds. Asking `srvr` four times a second
instead makes a server write a line into its log each time, 30 MB a day, and costs it ten times its
idle processor time (measured, 3.9.5). It is asked so often only while it does not serve.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

from functions.adapters.words import ask, parse_stats
from functions.api.errors import Unavailable

NO_ROLE = "none"
ROLES = frozenset({"leader", "follower", "observer", "standalone"})

HOST = "127.0.0.1"
# The line is no client: it comes from an address of its own, so that it takes nobody's place under
# `maxClientCnxns`, and can be told from others in `cons`.
LINE_ADDRESS = "127.0.0.2"
ASK_SECONDS = 1.0
# Between two looks while there is no role to lose, and the least time between any two.
QUICK_SECONDS = 0.25
# About as long as a server leaves the line alone; one that hangs never hangs up, and is asked then.
CALM_SECONDS = 15.0


def roles(port: int, host: str = HOST, closed_port: int = 0) -> Iterator[str]:
    """Yield the server's role again and again, at once when it may have changed; never ends.

    A server whose data was restored answers at `closed_port` until it has been looked at.
    """
    ports = (port, closed_port) if closed_port else (port,)
    line: socket.socket | None = None
    try:
        while True:
            begun = time.monotonic()
            # The line is there before the question: a change between the two is not missed.
            line = line or _first_line(host, ports)
            role = first_role(host, ports)
            yield role
            if line is None:
                time.sleep(QUICK_SECONDS)
            elif _hangs_up(line, QUICK_SECONDS if role == NO_ROLE else CALM_SECONDS):
                line.close()
                line = None
                time.sleep(max(0.0, begun + QUICK_SECONDS - time.monotonic()))
    finally:
        if line is not None:
            line.close()


def _first_line(host: str, ports: tuple[int, ...]) -> socket.socket | None:
    return next((line for port in ports if (line := _open_line(host, port))), None)


def first_role(host: str, ports: tuple[int, ...]) -> str:
    """Return the role at whichever port has one: a server moves between them while it serves."""
    told = (ask_role(host, port) for port in ports)
    return next((role for role in told if role != NO_ROLE), NO_ROLE)


def ask_role(host: str, port: int) -> str:
    """Return what the server says it is; `none` when it serves nobody or does not answer."""
    try:
        mode = parse_stats(ask("srvr", host, port, timeout=ASK_SECONDS), host).mode
    except Unavailable:
        return NO_ROLE
    return mode if mode in ROLES else NO_ROLE


def _open_line(host: str, port: int) -> socket.socket | None:
    try:
        return socket.create_connection((host, port), ASK_SECONDS, (LINE_ADDRESS, 0))
    except OSError:
        return None


def _hangs_up(line: socket.socket, seconds: float) -> bool:
    """Whether the server ended the line within so many seconds; it has nothing to say on it."""
    line.settimeout(seconds)
    try:
        line.recv(1)
    except TimeoutError:
        return False
    except OSError:
        return True
    return True
