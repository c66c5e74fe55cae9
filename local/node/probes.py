"""Startup, readiness and liveness probes, and the handlers that lifecycle hooks share with them."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self

import aiohttp

from local.kube import Object
from local.node.running import Running

_LONGEST_ANSWER = 10 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """One look at a container."""

    is_success: bool
    said: str


@dataclass(frozen=True, slots=True)
class Target:
    """The container to look at, and where its ports answer."""

    running: Running
    address: str
    ports: dict[str, int]

    @classmethod
    def of(cls, running: Running, address: str, container: Object) -> Self:
        named = {
            port["name"]: int(port["containerPort"])
            for port in container.get("ports") or []
            if port.get("name")
        }
        return cls(running, address, named)

    def port(self, value: Any) -> int:
        """A port by number or by the name the container gives it; raises ValueError."""
        if isinstance(value, str) and not value.isdigit():
            if value not in self.ports:
                raise ValueError(f"couldn't find port {value!r} among the container's ports")
            return self.ports[value]
        return int(value)


async def look(handler: Object, target: Target, seconds: float) -> Outcome:
    """Run the one action of a probe or hook; every failure becomes an outcome."""
    try:
        if "exec" in handler:
            return await _run_command(handler["exec"], target, seconds)
        if "httpGet" in handler:
            return await asyncio.wait_for(_get(handler["httpGet"], target), seconds)
        if "tcpSocket" in handler:
            return await _connect(handler["tcpSocket"], target, seconds)
    except TimeoutError:
        return Outcome(False, f"timed out after {seconds:g} s")
    except (OSError, aiohttp.ClientError, ValueError) as error:
        return Outcome(False, str(error) or type(error).__name__)
    return Outcome(False, f"this laptop has no {', '.join(handler)}: use exec, httpGet, tcpSocket")


async def _run_command(action: Object, target: Target, seconds: float) -> Outcome:
    code, said = await target.running.run_inside(list(action.get("command") or []), seconds)
    return Outcome(code == 0, said[:_LONGEST_ANSWER])


async def _get(action: Object, target: Target) -> Outcome:
    host = action.get("host") or target.address
    url = probe_url(action, host, target.port(action["port"]))
    headers = {"User-Agent": "kube-probe/1.36", "Accept": "*/*"}
    headers |= {entry["name"]: entry["value"] for entry in action.get("httpHeaders") or []}
    connector = aiohttp.TCPConnector(ssl=_unchecked() if url.startswith("https:") else False)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(url, headers=headers, allow_redirects=False) as response,
    ):
        body = (await response.content.read(_LONGEST_ANSWER)).decode(errors="replace")
        if 200 <= response.status < 400:
            return Outcome(True, body)
        return Outcome(False, f"HTTP probe failed with statuscode: {response.status}")


def probe_url(action: Object, host: str, port: int) -> str:
    """Return the address that an httpGet means; as to a kubelet, its path may lack the slash."""
    path = str(action.get("path") or "").removeprefix("/")
    return f"{action.get('scheme', 'HTTP').lower()}://{host}:{port}/{path}"


def _unchecked() -> ssl.SSLContext:
    """Like a kubelet, a probe does not check certificates."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _connect(action: Object, target: Target, seconds: float) -> Outcome:
    """Connect in a thread: what counts is whether the kernel took the connection in time.

    On a busy machine this program may look up only seconds later. Three such looks in a row would
    take a pod that serves out of its Service, and its senders were refused.
    """
    address = action.get("host") or target.address, target.port(action["port"])
    await asyncio.to_thread(_connect_now, address, seconds)
    return Outcome(True, "")


def _connect_now(address: tuple[str, int], seconds: float) -> None:
    with socket.create_connection(address, timeout=seconds):
        pass


@dataclass(frozen=True, slots=True)
class Timing:
    """A probe's numbers, with the API's defaults."""

    delay: float
    period: float
    timeout: float
    successes: int
    failures: int

    @classmethod
    def of(cls, probe: Object) -> Self:
        return cls(
            delay=probe.get("initialDelaySeconds") or 0,
            period=probe.get("periodSeconds") or 10,
            timeout=probe.get("timeoutSeconds") or 1,
            successes=probe.get("successThreshold") or 1,
            failures=probe.get("failureThreshold") or 3,
        )


class Verdict:
    """Counts outcomes in a row; `settled` is True or False once a threshold is reached."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._last: bool | None = None
        self._row = 0

    def add(self, is_success: bool) -> bool | None:
        """Count one outcome and return the verdict, or None while none is reached."""
        self._row = self._row + 1 if is_success == self._last else 1
        self._last = is_success
        needed = self._timing.successes if is_success else self._timing.failures
        return is_success if self._row >= needed else None


async def watch(
    probe: Object,
    target: Target,
    *,
    on_failure: Callable[[str], None],
    on_verdict: Callable[[bool, str], Awaitable[bool]],
) -> None:
    """Look again and again; ends when `on_verdict` answers True (seen enough)."""
    timing = Timing.of(probe)
    verdict = Verdict(timing)
    await asyncio.sleep(timing.delay)
    while True:
        outcome = await look(_handler(probe), target, timing.timeout)
        if not outcome.is_success:
            on_failure(outcome.said)
        settled = verdict.add(outcome.is_success)
        if settled is not None and await on_verdict(settled, outcome.said):
            return
        await asyncio.sleep(timing.period)


def _handler(probe: Object) -> Object:
    return {key: probe[key] for key in ("exec", "httpGet", "tcpSocket", "grpc") if key in probe}
