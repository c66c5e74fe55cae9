"""Telling the broker of the newest role: once when it takes it, again and again until it does."""

from __future__ import annotations

import http.client
import json
import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from functions.api.errors import Unavailable

log = logging.getLogger("agent")

POST_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 10.0

Attributes = Mapping[str, str]


class Teller:
    """Keeps the one role that is still to be told: an older one that nobody took is of no use."""

    def __init__(self, send: Callable[[str], None], pause: float = FIRST_PAUSE_SECONDS) -> None:
        self._send = send
        self._first_pause = pause
        self._changed = threading.Condition()
        self._newest: list[str] = []
        self._said = ""

    def tell(self, role: str) -> None:
        with self._changed:
            self._newest = [role]
            self._changed.notify()

    def tell_next(self) -> None:
        """Wait for a role to tell, and return when the broker has taken the newest there is."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest)
        pause = self._first_pause
        while waiting := self._newest:
            if self._is_taken(waiting[0]):
                self._forget(waiting)
                continue
            # Agents that wait for the same broker do not all come back at the same moment.
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _is_taken(self, role: str) -> bool:
        try:
            self._send(role)
        except Unavailable as error:
            if str(error) != self._said:  # A broker that is away for a day is worth one line.
                log.warning("the role is not told yet: %s", error)
            self._said = str(error)
            return False
        self._said = ""
        return True

    def _forget(self, told: list[str]) -> None:
        """Forget what was told, unless a newer role, even the same one, came meanwhile."""
        with self._changed:
            if self._newest is told:
                self._newest = []


def post_event(url: str, attributes: Attributes, data: Mapping[str, Any]) -> None:
    """POST one CloudEvent in binary mode; raises Unavailable when the broker did not take it."""
    address, own = urlsplit(url), uuid.uuid4()
    headers = {f"ce-{name}": value for name, value in attributes.items()} | {
        "ce-specversion": "1.0",
        "ce-id": str(own),
        "Content-Type": "application/json",
    }
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.netloc, timeout=POST_SECONDS)
    try:
        path = address._replace(scheme="", netloc="", fragment="").geturl() or "/"
        connection.request("POST", path, json.dumps(data).encode(), headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"the broker {url} cannot be reached: {error!r}") from error
    finally:
        connection.close()
    if status >= 300:
        raise Unavailable(f"the broker {url} answers {status}")
    # The functions' logs find it by this: docs/operations/monitoring.md.
    log.info("the broker has it, trace %s", own.hex)
