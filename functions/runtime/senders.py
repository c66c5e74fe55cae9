"""Whether the sender of a request still waits for its answer, and since when.

A sender waits for so long (five minutes from our Broker), then hangs up and delivers the event
again later. What it hung up on stays in the server's queue all the same. Working on it would be
work that nobody hears of, done before the work that somebody waits for: from the moment on that the
queue is longer than the senders' patience, no event at all would ever be answered.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any

# gunicorn passes the connection on; another server may not.
CONNECTION = "gunicorn.socket"
# `tcpi_last_data_recv` in `struct tcp_info` of linux/tcp.h: milliseconds since data came last,
# after eight bytes and eleven words of 32 bits. The kernel counts in ticks of 10 ms at most.
LAST_DATA = struct.Struct("=52xI")
GRAIN = 0.02


def has_hung_up(environ: Mapping[str, Any]) -> bool:
    """Return whether the connection of a request that was read to its end is closed by now.

    False when that cannot be known: an event is worked on once too often rather than not at all.
    """
    connection = environ.get(CONNECTION)
    if connection is None:
        return False
    try:
        # Looked at without taking what may be the next request.
        return _has_news(connection) and not connection.recv(1, socket.MSG_PEEK)
    except ConnectionError:
        return True
    except (OSError, ValueError):
        return False


def _has_news(connection: Any) -> bool:
    """Whether reading would not wait: a socket with a timeout waits even when told not to."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def arrival(environ: Mapping[str, Any]) -> float | None:
    """Return when a request had come, however long it queued here; None when that is not known.

    In seconds of `time.monotonic`, and rather too late than too early: whoever sent the next
    request on the same connection already, or holds requests back in front of this server, seems
    to have come later.
    """
    connection = environ.get(CONNECTION)
    if connection is None:
        return None
    try:
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, LAST_DATA.size)
        milliseconds: int = LAST_DATA.unpack(told)[0]
    except (OSError, struct.error):
        return None
    return time.monotonic() - milliseconds / 1000 + GRAIN
