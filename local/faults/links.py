"""Cutting pods off: a whole pod by taking its link down, single peers by rules in its network.

Packets vanish, as in a partition; nobody is told that a connection is gone.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from local.faults.errors import CannotFault
from local.faults.pods import Pod

COMMAND_SECONDS = 10.0
TABLE = "fault"


def cut(pod: Pod, peers: Sequence[Pod] = ()) -> None:
    """Cut the pod off from everything, or from these peers in both directions."""
    if not pod.link:
        raise CannotFault(f"pod {pod} has no network of its own: it cannot be cut off.")
    if not peers:
        _run("ip", "link", "set", pod.link, "down")
        return
    addresses = [peer.address for peer in peers if peer.address]
    if len(addresses) < len(peers):
        raise CannotFault(f"one of {', '.join(map(str, peers))} has no address of its own.")
    _run(*_enter(pod), "nft", "-f", "-", given=rules(addresses))


def rules(addresses: Sequence[str]) -> str:
    """The rules inside the pod's network; a set of addresses can grow by a later cut."""
    elements = ", ".join(addresses)
    return (
        f"table inet {TABLE} {{\n"
        "  set peers { type ipv4_addr; }\n"
        "  chain arriving { type filter hook input priority -300; }\n"
        "  chain leaving { type filter hook postrouting priority 300; }\n"
        "}\n"
        # Without this, a second cut would add each rule a second time.
        f"flush table inet {TABLE}\n"
        f"table inet {TABLE} {{\n"
        "  chain arriving { ip saddr @peers drop; }\n"
        "  chain leaving { ip daddr @peers drop; }\n"
        "}\n"
        f"add element inet {TABLE} peers {{ {elements} }}\n"
    )


def join(pod: Pod) -> None:
    if not pod.link:
        return
    _run("ip", "link", "set", pod.link, "up")
    if cut_from(pod):
        _run(*_enter(pod), "nft", "delete", "table", "inet", TABLE)


def links_down() -> set[str]:
    """Return the names of the links that somebody took down."""
    return {name for name, flags in _links().items() if "UP" not in flags}


def _links() -> dict[str, list[str]]:
    shown = json.loads(_run("ip", "-json", "link", "show"))
    return {link["ifname"]: link["flags"] for link in shown}


def cut_from(pod: Pod) -> list[str]:
    """Return the addresses that the pod's own rules drop."""
    command = [*_enter(pod), "nft", "--json", "list", "sets"]
    found = json.loads(_run(*command)).get("nftables", []) if pod.network else []
    sets = [item["set"] for item in found if "set" in item]
    return [str(one) for each in sets if each["table"] == TABLE for one in each.get("elem", [])]


def is_there(pod: Pod) -> bool:
    """Whether the pod still has its network; its link goes a moment before."""
    has_network = bool(pod.network) and Path(pod.network).exists()
    return has_network and (not pod.link or pod.link in _links())


def _enter(pod: Pod) -> tuple[str, ...]:
    return "nsenter", f"--net={pod.network}"


def _run(*command: str, given: str = "") -> str:
    try:
        done = subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise CannotFault(f"`{' '.join(command)}` failed: {error.stderr.strip()}") from error
    return done.stdout
