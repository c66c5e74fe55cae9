"""The ports that a rule names: numbers, ranges, and names of a container's ports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]

LAST = 65535


@dataclass(frozen=True, slots=True, order=True)
class Ports:
    """All ports of one protocol from `first` to `last`."""

    protocol: str
    first: int
    last: int


def protocol_of(port: Object) -> str:
    return str(port.get("protocol") or "TCP").lower()


def name_of(port: Object) -> str:
    """Return the name that stands for a port; empty for a number, and where all are meant."""
    given = port.get("port")
    return given if isinstance(given, str) else ""


def numbered(port: Object) -> Ports:
    """Return the ports that are named by number, or all of the protocol."""
    first = port.get("port")
    if first is None:
        return Ports(protocol_of(port), 0, LAST)
    return Ports(protocol_of(port), first, port.get("endPort") or first)


def single(protocol: str, number: int) -> Ports:
    return Ports(protocol, number, number)


def joined(ports: Iterable[Ports]) -> tuple[Ports, ...]:
    """Return the same ports in order, none of them twice: the kernel refuses what overlaps."""
    found: list[Ports] = []
    for port in sorted(ports):
        before = found[-1] if found else None
        if before and before.protocol == port.protocol and port.first <= before.last + 1:
            found[-1] = Ports(port.protocol, before.first, max(before.last, port.last))
        else:
            found.append(port)
    return tuple(found)
