"""One HTTP POST of one event, and what came of it. Every other part sends through here."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from local.eventing.events import Event, binary_headers, structured_body

log = logging.getLogger(__name__)

CONNECT_SECONDS = 30.0
# The real sender has no limit of its own; a hung connection must still end some day.
LONGEST_SECONDS = 900.0
# A function's server closes an idle connection after two seconds. A request that meets that end on
# the way is lost ("Server disconnected") and has to be sent again, so we give up before.
IDLE_SECONDS = 1.0
NO_ANSWER = 0
# The real sender has no limit, and files enough for it; a laptop's user has some thousand, for all
# functions together. Who waits for a connection waits within the time of its delivery.
MOST_TO_ONE_HOST = 2000
# A Service's address stays, a pod's does not: a name is good for this long.
NAME_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered. Status 0 means that no answer came; `body` then says why."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    timed_out: bool = False


class IngressResolver(AbstractResolver):
    """Finds the broker's ingress by its name in the cluster, even where no cluster DNS answers."""

    def __init__(self, name: str, host: str, port: int) -> None:
        self._name = name
        self._host = host
        self._port = port
        self._others = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host != self._name:
            return await self._others.resolve(host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=self._host,
                port=self._port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        await self._others.close()


class Sender:
    """A pool of connections to receivers."""

    def __init__(
        self, resolver: AbstractResolver | None = None, *, to_one_host: int = MOST_TO_ONE_HOST
    ) -> None:
        self._resolver = resolver
        self._to_one_host = to_one_host
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # Pods come and go with new addresses, so names are soon resolved anew.
        connector = aiohttp.TCPConnector(
            resolver=self._resolver,
            limit=0,
            limit_per_host=self._to_one_host,
            ttl_dns_cache=NAME_SECONDS,
            keepalive_timeout=IDLE_SECONDS,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            # An event without data has no content type either, so none may be made up.
            skip_auto_headers=("Accept", "User-Agent", "Content-Type"),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(
        self,
        url: str,
        event: Event,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        structured: bool = False,
    ) -> Answer:
        """POST the event; a receiver that cannot be reached is an Answer too, never an error."""
        if self._session is None:
            raise RuntimeError("use the sender with `async with`")
        sent, body = _message(event, structured)
        total = timeout or LONGEST_SECONDS
        limit = aiohttp.ClientTimeout(total=total, sock_connect=CONNECT_SECONDS)
        try:
            async with self._session.post(
                url, data=body, headers={**(headers or {}), **sent}, timeout=limit
            ) as response:
                return Answer(response.status, await response.read(), response.headers)
        except TimeoutError:
            return _no_answer(url, "context deadline exceeded", timed_out=True)
        except (aiohttp.ClientError, ValueError, OSError) as error:
            return _no_answer(url, str(error) or type(error).__name__)


def _message(event: Event, structured: bool) -> tuple[dict[str, str], bytes]:
    if structured:
        content_type = "application/cloudevents+json; charset=UTF-8"
        return {"Content-Type": content_type}, structured_body(event)
    return binary_headers(event), event.data


def _no_answer(url: str, reason: str, *, timed_out: bool = False) -> Answer:
    body = f'dispatch error: Post "{url}": {reason}'.encode()
    return Answer(NO_ANSWER, body, timed_out=timed_out)
