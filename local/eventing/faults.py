"""Faults on purpose: drops, duplicates, delays and reorders deliveries, for tests that need it.

Real Knative may do each of these; a test must not have to wait for it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web

from local.eventing.events import Event

REORDER_SECONDS = 1.0


_TYPES: dict[str, tuple[type, ...]] = {
    "drop": (bool,),
    "duplicate": (int,),
    "delay": (int, float),
    "reorder": (bool,),
    "namespace": (str,),
}


class BadFault(Exception):
    """A request for a fault that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to deliveries; with a namespace only to those of it or about objects in it."""

    drop: bool = False
    duplicate: int = 0
    delay: float = 0.0
    reorder: bool = False
    namespace: str = ""

    @classmethod
    def read(cls, wanted: object) -> Fault:
        """Read a fault from JSON; {} means none."""
        if not isinstance(wanted, Mapping) or not set(wanted) <= set(cls.__slots__):
            raise BadFault(f"expected a JSON object with some of {', '.join(cls.__slots__)}")
        fault = cls(**wanted)
        for name, kinds in _TYPES.items():
            value: Any = getattr(fault, name)
            if not isinstance(value, kinds) or (name != "namespace" and _below_zero(value)):
                raise BadFault(f"{name}: {value!r} is not a value it can have")
        return fault


class Faults:
    """The fault in force, and how many deliveries it touched."""

    def __init__(self) -> None:
        self.fault = Fault()
        self.touched = 0

    async def copies(self, event: Event, namespace: str) -> int:
        """Wait as the fault demands; return how many times to deliver (1 when all is well)."""
        fault = self.fault
        if fault == Fault() or not _concerns(fault, event, namespace):
            return 1
        self.touched += 1
        if fault.drop:
            return 0
        # Waits of random length change the order of events that come close together.
        shuffle = random.uniform(0, REORDER_SECONDS) if fault.reorder else 0.0
        await asyncio.sleep(fault.delay + shuffle)
        return 1 + fault.duplicate

    def app(self) -> web.Application:
        """Return the HTTP face: GET shows, POST sets the fault, DELETE takes it away."""
        app = web.Application()
        app.router.add_get("/faults", self._show)
        app.router.add_post("/faults", self._set)
        app.router.add_delete("/faults", self._clear)
        return app

    async def _show(self, _request: web.Request) -> web.Response:
        shown: dict[str, Any] = {**asdict(self.fault), "touched": self.touched}
        return web.json_response(shown)

    async def _set(self, request: web.Request) -> web.Response:
        try:
            self.fault = Fault.read(await request.json())
        except (BadFault, ValueError) as error:
            return web.Response(status=400, text=f"{error}\n")
        self.touched = 0
        return await self._show(request)

    async def _clear(self, request: web.Request) -> web.Response:
        self.fault = Fault()
        return await self._show(request)


def _below_zero(value: Any) -> bool:
    return bool(value < 0)


def _concerns(fault: Fault, event: Event, namespace: str) -> bool:
    return not fault.namespace or fault.namespace in (namespace, event.get("namespace"))
