"""A plain HTTP proxy to the world outside, for image pulls and object stores.

The platform's network has no other way out. The host's own loopback is reached by it as well, so
that a store started on the laptop can be used from a pod. Connections are made by the process
outside, through the proxy of the host's own environment when it names one.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from local.platform.parts import UPSTREAM_VARIABLE
from local.relay.host import Host, HostRefused
from local.relay.streams import Streams, carry

HEAD_SECONDS = 30.0
HEAD_BYTES = 64 * 1024

log = logging.getLogger("egress")


@dataclass(frozen=True, slots=True)
class Upstream:
    """The proxy that the host itself must use."""

    host: str
    port: int
    authorization: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes and what is sent there first."""

    host: str
    port: int
    head: bytes
    greeting: bytes = b""


class NotAProxyRequest(Exception):
    """The client did not speak to a proxy."""


async def serve_egress(host: Host, address: str, port: int) -> None:
    """Serve for ever."""
    upstream = upstream_of(os.environ.get(UPSTREAM_VARIABLE, ""))

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _relay(host, upstream, (reader, writer))
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.close()

    server = await asyncio.start_server(accepted, address, port, limit=HEAD_BYTES)
    await server.serve_forever()


def upstream_of(url: str) -> Upstream | None:
    """Read the address of the host's own proxy; None when it has none."""
    if not url:
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    credentials = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    encoded = base64.b64encode(credentials.encode()).decode()
    authorization = f"Basic {encoded}" if parts.username else ""
    return Upstream(parts.hostname or "", parts.port or 80, authorization)


def route(head: bytes, upstream: Upstream | None) -> Route:
    """Decide where a request goes; raises NotAProxyRequest."""
    line, _, rest = head.partition(b"\r\n")
    words = line.decode("latin-1").split(" ")
    if len(words) != 3:
        raise NotAProxyRequest(line[:100])
    method, target, version = words
    if upstream is not None:
        extra = f"Proxy-Authorization: {upstream.authorization}\r\n".encode()
        through = line + b"\r\n" + (extra if upstream.authorization else b"") + rest
        return Route(upstream.host, upstream.port, through)
    if method == "CONNECT":
        name, _, port = target.rpartition(":")
        return Route(name.strip("[]"), int(port), b"", b"HTTP/1.1 200 Connected\r\n\r\n")
    parts = urlsplit(target)
    if parts.scheme != "http" or parts.hostname is None:
        raise NotAProxyRequest(line[:100])
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    # One request per connection: the next one may be for another host.
    direct = f"{method} {path} {version}\r\nConnection: close\r\n".encode()
    return Route(parts.hostname, parts.port or 80, direct + _without_connection(rest))


def _without_connection(headers: bytes) -> bytes:
    dropped = (b"connection:", b"proxy-connection:")
    lines = headers.split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.lower().startswith(dropped))


async def _relay(host: Host, upstream: Upstream | None, client: Streams) -> None:
    head = await asyncio.wait_for(client[0].readuntil(b"\r\n\r\n"), HEAD_SECONDS)
    try:
        way = route(head, upstream)
        connection = await host.connect(way.host, way.port)
    except (NotAProxyRequest, ValueError) as error:
        await _refuse(client, "400 Bad Request", f"this is a proxy: {error}")
        return
    except HostRefused as error:
        log.warning("no connection to %s: %s", way.host, error)
        await _refuse(client, "502 Bad Gateway", str(error))
        return
    target = await asyncio.open_connection(sock=connection)
    client[1].write(way.greeting)
    target[1].write(way.head)
    await carry(client, target)


async def _refuse(client: Streams, status: str, reason: str) -> None:
    client[1].write(f"HTTP/1.1 {status}\r\nConnection: close\r\n\r\n{reason}\n".encode())
    await client[1].drain()
    client[1].close()
