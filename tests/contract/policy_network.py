"""Pods' networks in namespaces of their own, for one test: who reaches whom under which table.

Runs as the first process of new namespaces. Reads JSON lines with a table for the kernel and the
edges that should be open; answers each with the edges that were.
"""

from __future__ import annotations

import asyncio
import json
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

from local.node.network import AddressPool, PodNetworks
from local.node.port_forward import socket_inside
from local.platform import network
from tests.policy_cases import ADDRESSES, PODS, PORTS, Edge

OPEN_SECONDS = 5.0
# How long an edge that should be closed has to show that it is open, once all others did.
CLOSED_SECONDS = 0.05


class Edges:
    """Sockets of every pod: those that listen, and those of one attempt."""

    def __init__(self, networks: dict[str, Path]) -> None:
        self._networks = networks
        self._listening = {
            (name, port): self._listen(name, port) for name in networks for port in PORTS
        }

    def _socket(self, name: str, protocol: str) -> socket.socket:
        kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
        made = socket_inside(self._networks[name], kind)
        made.setblocking(False)
        return made

    def _listen(self, name: str, port: str) -> socket.socket:
        protocol, number = port.split()
        made = self._socket(name, protocol)
        made.bind(("0.0.0.0", int(number)))
        if protocol == "tcp":
            made.listen(64)
        return made

    def open_ones(self, edges: list[Edge], wanted: set[Edge]) -> set[Edge]:
        """Try all at once; return those on which something arrived."""
        begun = [(edge, self._attempt(edge)) for edge in edges]
        started, found = time.monotonic(), set[Edge]()
        while _is_worth_waiting(found, wanted, time.monotonic() - started):
            select.select([*self._listening.values()], [], [], CLOSED_SECONDS / 5)
            found |= self._arrived()
        for _, attempt in begun:
            attempt.close()
        return found

    def _attempt(self, edge: Edge) -> socket.socket:
        sender, receiver, port = edge
        protocol, number = port.split()
        made = self._socket(sender, protocol)
        made.connect_ex((ADDRESSES[receiver], int(number)))
        if protocol == "udp":
            made.send(b"here")
        return made

    def _arrived(self) -> set[Edge]:
        names = {address: name for name, address in ADDRESSES.items()}
        found = set()
        for (receiver, port), listening in self._listening.items():
            while sender := _sender(listening):
                found.add((names[sender], receiver, port))
        return found


def _sender(listening: socket.socket) -> str:
    """Return the address of the next one who got through; empty when there is none."""
    try:
        if listening.type == socket.SOCK_DGRAM:
            return str(listening.recvfrom(16)[1][0])
        accepted, address = listening.accept()
    except BlockingIOError:
        return ""
    accepted.close()
    return str(address[0])


def _is_worth_waiting(found: set[Edge], wanted: set[Edge], seconds: float) -> bool:
    return seconds < (CLOSED_SECONDS if wanted <= found else OPEN_SECONDS)


async def _attach() -> dict[str, Path]:
    networks = PodNetworks(AddressPool(start=0))
    await networks.clean()
    attached = {name: await networks.attach(name) for name in PODS}
    assert {name: address for name, (_, address) in attached.items()} == ADDRESSES
    return {name: path for name, (path, _) in attached.items()}


def main(folder: Path) -> None:
    network.set_up(folder)
    edges = Edges(asyncio.run(_attach()))
    for line in sys.stdin:
        asked = json.loads(line)
        subprocess.run(["nft", "-f", "-"], input=asked["table"], text=True, check=True, timeout=10)
        wanted = {_edge(one) for one in asked["open"]}
        tried = [_edge(one) for one in asked["edges"]]
        sys.stdout.write(f"{json.dumps(sorted(edges.open_ones(tried, wanted)))}\n")
        sys.stdout.flush()


def _edge(words: list[str]) -> Edge:
    sender, receiver, port = words
    return sender, receiver, port


if __name__ == "__main__":
    main(Path(sys.argv[1]))
