"""One request to the API server: JSON in and out, with a timeout, errors translated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

import urllib3

from functions.adapters.counters import API_REQUESTS
from functions.adapters.kubernetes.answers import error_of
from functions.api.errors import Unavailable

CONNECT_SECONDS = 3.0

UNAUTHORIZED = 401


class Credentials(Protocol):
    """Who we are to the API server."""

    def headers(self) -> Mapping[str, str]:
        """Return the headers that say so."""
        ...

    def renew(self) -> None:
        """Read them anew from where they come from; the API server did not accept the last."""
        ...


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

        Nothing is tried twice here but what was not authenticated: a write may have taken effect
        although its answer was lost, and the sender of the event repeats the whole call, which
        looks before it writes.
        """
        target = path + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body)
        answer = self._send(method, target, data, content_type)
        if answer.status == UNAUTHORIZED:
            self._credentials.renew()
            answer = self._send(method, target, data, content_type)
        if answer.status >= 300:
            raise error_of(answer.status, answer.data)
        return _object(answer.data)

    def _send(
        self, method: str, target: str, data: str | None, content_type: str
    ) -> urllib3.BaseHTTPResponse:
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
            )
            code = str(answer.status)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(
                f"The API server {self._server} could not be reached: {error}"
            ) from error
        finally:
            API_REQUESTS.add(method, code)
        return answer


def _object(data: bytes) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(data)
    except ValueError as error:
        raise Unavailable(f"The API server's answer is no JSON: {data[:200]!r}") from error
    return answer
