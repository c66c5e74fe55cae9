"""One request to the API server: JSON in and out, within a time, errors translated."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

import urllib3

from functions.adapters.counters import API_REQUESTS
from functions.adapters.kubernetes.answers import error_of
from functions.adapters.kubernetes.nesting import loads
from functions.api.errors import EvictionBlocked, Unavailable

CONNECT_SECONDS = 3.0
BLOCK = 64 << 10
# A page of a list is the largest answer; more is no answer to anything that is asked here.
LARGEST_ANSWER = 64 << 20
# A busy API server asks for a second or so. Whoever asks for more is left to the next delivery.
LONGEST_PAUSE = 2.0
MOST_SENDS = 3

UNAUTHORIZED = 401
TOO_MANY_REQUESTS = 429


class Credentials(Protocol):
    """Who we are to the API server."""

    def headers(self) -> Mapping[str, str]:
        """Return the headers that say so."""
        ...

    def renew(self) -> None:
        """Read them anew from where they come from; the API server did not accept the last."""
        ...


@dataclass(frozen=True, slots=True)
class _Answer:
    """A whole answer; `pause` is for how many seconds it asks to wait, nothing if it does not."""

    status: int
    body: bytes
    pause: float | None


class Rest:
    """A pool of connections to one API server."""

    def __init__(
        self, pool: urllib3.PoolManager, server: str, *, credentials: Credentials, timeout: float
    ) -> None:
        self._pool = pool
        self._server = server.rstrip("/")
        self._credentials = credentials
        self._timeout = timeout

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        """Return the answered object; raises what `error_of` makes of a refusal.

        Nothing is sent twice here but what was not looked at: what was not authenticated, and what
        a busy API server put off (429) for a short time that it named. Any other write may have
        taken effect although its answer was lost, and the sender of the event repeats the whole
        call, which looks before it writes.
        """
        target = path + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body)
        answer = self._send(method, target, data, content_type)
        if answer.status == UNAUTHORIZED:
            self._credentials.renew()
            answer = self._send(method, target, data, content_type)
        for _ in range(MOST_SENDS - 1):
            if not _is_put_off(answer):
                break
            time.sleep(answer.pause or 0.0)
            answer = self._send(method, target, data, content_type)
        if not 200 <= answer.status < 300:
            raise error_of(answer.status, answer.body)
        return _object(answer.body)

    def _send(self, method: str, target: str, data: str | None, content_type: str) -> _Answer:
        deadline = time.monotonic() + self._timeout
        code = "none"
        try:
            answer = self._pool.request(
                method,
                f"{self._server}{target}",
                body=data,
                headers={"Content-Type": content_type, **self._credentials.headers()},
                timeout=urllib3.Timeout(
                    connect=min(CONNECT_SECONDS, self._timeout), read=self._timeout
                ),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            body = _read(answer, deadline)
            code = str(answer.status)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(
                f"The API server {self._server} could not be reached: {error}"
            ) from error
        finally:
            API_REQUESTS.add(method, code)
        return _Answer(answer.status, body, _pause(answer))


def _read(answer: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    """Return the whole body; an answer that only drips in ends with the time, not with the body."""
    try:
        body = b"".join(_blocks(answer, deadline))
    except BaseException:
        # What is left of it must not be taken for the next answer.
        answer.close()
        raise
    answer.release_conn()
    return body


def _blocks(answer: urllib3.BaseHTTPResponse, deadline: float) -> Iterator[bytes]:
    size = 0
    while block := answer.read1(BLOCK):
        size += len(block)
        if size > LARGEST_ANSWER:
            raise Unavailable(f"The API server's answer has more than {LARGEST_ANSWER} bytes.")
        if time.monotonic() > deadline:
            raise TimeoutError("its answer timed out before it was complete")
        yield block


def _pause(answer: urllib3.BaseHTTPResponse) -> float | None:
    """Return the seconds of `Retry-After`; a date is left alone: clocks may differ."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None


def _is_put_off(answer: _Answer) -> bool:
    """Whether the request was not even looked at, and may be sent again in a moment.

    A disruption budget answers 429 too: that is a decision, which the caller has to hear.
    """
    if answer.status != TOO_MANY_REQUESTS or answer.pause is None or answer.pause > LONGEST_PAUSE:
        return False
    return not isinstance(error_of(answer.status, answer.body), EvictionBlocked)


def _object(data: bytes) -> dict[str, Any]:
    try:
        answer = loads(data)
    except ValueError as error:
        raise Unavailable(f"The API server's answer is no JSON: {data[:200]!r}") from error
    if not isinstance(answer, dict):
        raise Unavailable(f"The API server's answer is no JSON object: {data[:200]!r}")
    return answer
