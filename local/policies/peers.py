"""Who is meant by the `from` and `to` of a policy's rules."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses
from typing import Any

from local.policies.pods import Pod
from local.policies.selectors import is_selected

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class World:
    """The policies (their namespace and spec), the namespaces' labels, and the pods there are."""

    policies: Sequence[tuple[str, Object]]
    namespaces: Mapping[str, Mapping[str, str]]
    pods: Sequence[Pod]


class Peers:
    """Answers for one state of the world; many policies ask for the same peers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_namespace: defaultdict[str, list[Pod]] = defaultdict(list)
        for pod in world.pods:
            self._by_namespace[pod.namespace].append(pod)
        self._known: dict[tuple[str, str], tuple[str, ...]] = {}

    def pods_in(self, namespace: str) -> Sequence[Pod]:
        return self._by_namespace.get(namespace, ())

    def networks(self, asked: Sequence[Object], namespace: str) -> tuple[str, ...]:
        """Return the networks of all of them; a pod's is its address."""
        key = namespace, json.dumps(asked)
        if key not in self._known:
            self._known[key] = self._networks(asked, namespace)
        return self._known[key]

    def _networks(self, asked: Sequence[Object], namespace: str) -> tuple[str, ...]:
        found = [IPv4Network(pod.address) for pod in self._selected(asked, namespace)]
        for peer in asked:
            found += _block(peer.get("ipBlock"))
        return tuple(str(network) for network in collapse_addresses(found))

    def pods(self, asked: Sequence[Object], namespace: str) -> list[Pod]:
        """Return the pods among them; all where nobody is named, since that means everybody."""
        if not asked:
            return list(self._world.pods)
        networks = [IPv4Network(network) for network in self.networks(asked, namespace)]
        return [
            pod
            for pod in self._world.pods
            if any(IPv4Network(pod.address).subnet_of(network) for network in networks)
        ]

    def _selected(self, asked: Sequence[Object], namespace: str) -> Iterable[Pod]:
        for peer in asked:
            if peer.get("ipBlock"):
                continue
            for name in self._namespaces(peer, namespace):
                for pod in self.pods_in(name):
                    if is_selected(pod.labels, peer.get("podSelector")):
                        yield pod

    def _namespaces(self, peer: Object, own: str) -> list[str]:
        selector = peer.get("namespaceSelector")
        if selector is None:
            return [own]
        labels = self._world.namespaces
        return [name for name in self._by_namespace if is_selected(labels.get(name, {}), selector)]


def _block(block: Object | None) -> list[IPv4Network]:
    """Return a block without its exceptions; pods here have no other addresses than IPv4."""
    if block is None or ":" in block["cidr"]:
        return []
    left = [IPv4Network(block["cidr"], strict=False)]
    for text in block.get("except") or ():
        hole = IPv4Network(text, strict=False)
        left = [rest for network in left for rest in _without(network, hole)]
    return left


def _without(network: IPv4Network, hole: IPv4Network) -> list[IPv4Network]:
    if not network.overlaps(hole):
        return [network]
    return list(network.address_exclude(hole)) if hole.subnet_of(network) else []
