"""Whether the sender of a request still waits for its answer.

A sender waits for so long (five minutes from our Broker), then hangs up and delivers the event
again later. What it hung up on stays in the server's queue all the same. Working on it would be
work that nobody hears of, done before the work that somebody waits for: from the moment on that the
queue is longer than the senders' patience, no event at all would ever be answered.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Mapping
from typing import Any

# gunicorn passes the connection on; another server may not.
CONNECTION = "gunicorn.socket"


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
