"""Each pod's own network: a namespace, a pair of interfaces to the bridge, and an address."""

from __future__ import annotations

import contextlib
import os
import random
from pathlib import Path

from local.commands import CommandFailed, run

BRIDGE = "cni0"
GATEWAY = "10.244.0.1"
PREFIX = 16
# A pod alone is its own network: what it sends to another pod goes through the platform's network,
# which replaces a Service's address in the question and in the answer, and obeys the policies.
POD_PREFIX = 32
# A pod that calls itself through its Service has to see another caller than itself. kube-proxy does
# that for the pods of its own node only, and the one here stands for all nodes.
OWN_SERVICE = """
add table ip own-service
delete table ip own-service
table ip own-service {
  set pods { type ipv4_addr . ipv4_addr; }
  chain postrouting {
    type nat hook postrouting priority srcnat - 1; policy accept;
    ct status dnat ip saddr . ip daddr @pods masquerade
  }
}
"""
NAMESPACES = Path("/run/netns")

_FIRST_BLOCK, _LAST_BLOCK = 1, 199
_ADDRESSES = (_LAST_BLOCK - _FIRST_BLOCK + 1) * 254


class NetworkFailure(Exception):
    """`ip` refused something; the message is what it said."""


class AddressPool:
    """Hands out pod addresses in turn, so that a re-created pod gets a new one."""

    def __init__(self, start: int | None = None) -> None:
        self._next = random.randrange(_ADDRESSES) if start is None else start
        self._taken: set[str] = set()

    def take(self) -> str:
        for _ in range(_ADDRESSES):
            block, host = divmod(self._next, 254)
            self._next = (self._next + 1) % _ADDRESSES
            address = f"10.244.{_FIRST_BLOCK + block}.{host + 1}"
            if address not in self._taken:
                self._taken.add(address)
                return address
        raise NetworkFailure("every pod address is in use")

    def give_back(self, address: str) -> None:
        self._taken.discard(address)


class PodNetworks:
    """Makes and removes the networks of pods."""

    def __init__(self, pool: AddressPool | None = None) -> None:
        self._pool = pool or AddressPool()

    async def clean(self) -> None:
        """Start from nothing: remove what an earlier life of this program left behind."""
        if not NAMESPACES.is_dir() or not os.path.ismount(NAMESPACES):
            await _prepare_folder()
        for left in NAMESPACES.glob("pod-*"):
            await _ip(f"netns delete {left.name}\n")
        await _run("nft", "-f", "-", given=OWN_SERVICE)

    async def add_node_address(self, address: str) -> None:
        with contextlib.suppress(NetworkFailure):
            await _ip(f"address add {address}/{PREFIX} dev {BRIDGE}\n")

    async def attach(self, uid: str) -> tuple[Path, str]:
        """Give a pod its network; returns the namespace's file and the address."""
        name, link, address = namespace_name(uid), link_name(uid), self._pool.take()
        try:
            await _ip(
                f"netns add {name}\n"
                f"link add {link} type veth peer name eth0 netns {name}\n"
                f"link set {link} master {BRIDGE} up\n"
            )
            await _ip(
                f"address add {address}/{POD_PREFIX} dev eth0\n"
                "link set lo up\n"
                "link set eth0 up\n"
                f"route add {GATEWAY} dev eth0\n"
                f"route add default via {GATEWAY}\n",
                namespace=name,
            )
            # It stays there for the next pod with this address.
            itself = f"add element ip own-service pods {{ {address} . {address} }}\n"
            await _run("nft", "-f", "-", given=itself)
        except NetworkFailure:
            await self.detach(uid, address)
            raise
        return NAMESPACES / name, address

    async def detach(self, uid: str, address: str) -> None:
        """Remove a pod's network; the interfaces go with the namespace."""
        name = namespace_name(uid)
        with contextlib.suppress(NetworkFailure):
            # What the bridge knows of the address would let callers wait for an answer.
            await _ip(f"link delete {link_name(uid)}\nneighbour delete {address} dev {BRIDGE}\n")
        with contextlib.suppress(NetworkFailure):
            await _ip(f"netns delete {name}\n")
        self._pool.give_back(address)


def namespace_name(uid: str) -> str:
    return f"pod-{uid}"


def link_name(uid: str) -> str:
    """An interface's name has at most 15 letters."""
    return f"v{uid.replace('-', '')[:12]}"


async def _prepare_folder() -> None:
    """`ip netns` wants /run/netns; in a namespace of one's own /run may be covered for it."""
    target = NAMESPACES if NAMESPACES.is_dir() else NAMESPACES.parent
    await _run("/usr/bin/mount", "-t", "tmpfs", "tmpfs", str(target))
    NAMESPACES.mkdir(exist_ok=True)


async def _ip(commands: str, namespace: str | None = None) -> None:
    enter = ("-n", namespace) if namespace else ()
    await _run("ip", *enter, "-batch", "-", given=commands)


async def _run(*command: str, given: str = "") -> None:
    try:
        await run(*command, given=given)
    except CommandFailed as failure:
        raise NetworkFailure(str(failure)) from failure
