"""What may reach a pod, and what it may reach: the sum of all policies that select it.

Pure: policies, namespaces and pods in, what may pass out. A pod that no policy selects for a
direction is open in it; one that is selected is closed but for what some policy opens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from local.policies.peers import Peers, World
from local.policies.pods import Pod
from local.policies.ports import Ports, joined, name_of, numbered, protocol_of, single
from local.policies.selectors import is_selected

Object = Mapping[str, Any]


class Direction(Enum):
    """The name in `policyTypes`, the list of rules, and the list of peers of a rule."""

    ARRIVING = ("Ingress", "ingress", "from")
    LEAVING = ("Egress", "egress", "to")

    def __init__(self, type_name: str, rules: str, peers: str) -> None:
        self.type_name = type_name
        self.rules = rules
        self.peers = peers


@dataclass(frozen=True, slots=True)
class Opening:
    """Packets that may pass: from or to these networks (None: all), to these ports (None: all)."""

    networks: tuple[str, ...] | None
    ports: tuple[Ports, ...] | None


# What may pass; nothing else does.
Isolation = tuple[Opening, ...]
_Found = tuple[tuple[str, ...] | None, Ports | None]


def isolations(direction: Direction, world: World) -> dict[str, Isolation]:
    """Return what may pass for each pod that is isolated in this direction, by its address."""
    peers = Peers(world)
    found: dict[str, list[_Found]] = {}
    for namespace, spec in world.policies:
        if direction.type_name not in _types(spec):
            continue
        for pod in peers.pods_in(namespace):
            if is_selected(pod.labels, spec.get("podSelector")):
                openings = found.setdefault(pod.address, [])
                for rule in spec.get(direction.rules) or ():
                    openings += _passing(rule, direction, pod, namespace, peers)
    return {address: _summed(openings) for address, openings in found.items()}


def _types(spec: Object) -> tuple[str, ...]:
    """The API server fills this in as well; a policy is one for what leaves only if it says so."""
    default = ("Ingress", "Egress") if spec.get("egress") else ("Ingress",)
    return tuple(spec.get("policyTypes") or default)


def _passing(
    rule: Object, direction: Direction, pod: Pod, namespace: str, peers: Peers
) -> Iterator[_Found]:
    asked = rule.get(direction.peers) or ()
    networks = peers.networks(asked, namespace) if asked else None
    for port in rule.get("ports") or ():
        name = name_of(port)
        if not name:
            yield networks, numbered(port)
        elif direction is Direction.ARRIVING:
            yield from ((networks, one) for one in _of_name(pod, port))
        else:
            # The name is one of the other side's: each pod there may mean another number.
            for other in peers.pods(asked, namespace):
                yield from (((f"{other.address}/32",), one) for one in _of_name(other, port))
    if not rule.get("ports"):
        yield networks, None


def _of_name(pod: Pod, port: Object) -> Iterator[Ports]:
    protocol = protocol_of(port)
    if number := pod.ports.get((protocol, name_of(port))):
        yield single(protocol, number)


def _summed(found: Iterable[_Found]) -> Isolation:
    """Bring together what the same peers may do: few rules for the kernel."""
    by_networks: defaultdict[tuple[str, ...] | None, set[Ports | None]] = defaultdict(set)
    for networks, ports in found:
        # A selector may select nobody.
        if networks != ():
            by_networks[networks].add(ports)
    return tuple(
        Opening(networks, _all_or(ports))
        for networks, ports in sorted(by_networks.items(), key=lambda item: item[0] or ())
    )


def _all_or(ports: set[Ports | None]) -> tuple[Ports, ...] | None:
    return None if None in ports else joined(port for port in ports if port is not None)
