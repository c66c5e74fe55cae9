"""Make one move of three servers and print how many seconds it took until all of it was done.

`python -m benchmarks.moves SIDE MOVE NAMESPACE` runs inside the platform's network. Both sides are
watched by the same eyes: done is what the servers themselves say, not what a status does. The move
`recover` is made by somebody else, who kills the leader; `who-leads` only says who that is.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks import by_hand
from benchmarks.by_hand import Servers
from benchmarks.words import TooLate, address, ask, members, mode, until

OURS, BY_HAND = "ZooKeeperCluster", "by hand"
NAME = "small"
SMALL, LARGE = 3, 5


@dataclass(frozen=True, slots=True)
class Side:
    """How each side is asked; by hand, asking is doing it."""

    resize: Callable[[Servers, int], None]
    roll: Callable[[Servers], None]


def _ask_for_size(servers: Servers, size: int) -> None:
    servers.kubectl("scale", "zkcluster", servers.name, f"--replicas={size}")


def _ask_for_roll(servers: Servers) -> None:
    wish = f'{{"spec": {{"restartedAt": "{time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}"}}}}'
    servers.kubectl("patch", "zkcluster", servers.name, "--type=merge", "-p", wish)


SIDES: Mapping[str, Side] = {
    OURS: Side(_ask_for_size, _ask_for_roll),
    BY_HAND: Side(by_hand.resize, by_hand.roll),
}


def there_and_back(side: Side, servers: Servers) -> None:
    _resize(side, servers, LARGE)
    _resize(side, servers, SMALL)


def leader_leaves(side: Side, servers: Servers) -> None:
    """The leader is server 3 (see `benchmarks.moving`), so two servers are without it."""
    _resize(side, servers, SMALL - 1)


def comes_back(side: Side, servers: Servers) -> None:
    _resize(side, servers, SMALL)


def roll(side: Side, servers: Servers) -> None:
    before = {number: address(servers.host(number)) for number in _three()}
    side.roll(servers)
    until(
        lambda: all(_is_replaced(servers.host(n), was) for n, was in before.items()),
        "every pod is replaced",
    )
    until(lambda: _serve(servers, SMALL), "all three serve")


MOVES = {move.__name__: move for move in (there_and_back, leader_leaves, comes_back, roll)}


def recover(servers: Servers) -> None:
    """Wait until the leader is gone and all are back: somebody else kills it, once we look."""
    leader = _leader(servers)
    print("watching", flush=True)
    until(lambda: mode(servers.host(leader)) == "", "the leader is gone")
    began = time.monotonic()
    until(lambda: _serve(servers, SMALL), "all three serve again")
    print(time.monotonic() - began)


def _resize(side: Side, servers: Servers, size: int) -> None:
    before = members(servers.host(1))
    side.resize(servers, size)
    wanted = frozenset(range(1, size + 1))
    until(lambda: members(servers.host(1)) == wanted, f"the members are {sorted(wanted)}")
    until(lambda: _serve(servers, size), "all of them serve")
    until(
        lambda: not any(ask(servers.host(number), "ruok") for number in before - wanted),
        "the others have stopped",
    )


def _serve(servers: Servers, size: int) -> bool:
    modes = [mode(servers.host(number)) for number in range(1, size + 1)]
    return all(modes) and "leader" in modes


def _is_replaced(host: str, before: str) -> bool:
    return address(host) not in ("", before)


def _leader(servers: Servers) -> int:
    return next(number for number in _three() if mode(servers.host(number)) == "leader")


def _three() -> range:
    return range(1, SMALL + 1)


def main(side: str, move: str, namespace: str) -> int:
    servers = Servers(namespace, NAME)
    try:
        if move == "who-leads":
            print(_leader(servers))
        elif move == recover.__name__:
            recover(servers)
        else:
            began = time.monotonic()
            MOVES[move](SIDES[side], servers)
            print(time.monotonic() - began)
    except TooLate as error:
        print(f"{side}: {move}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
