"""How long clients are without the servers while a backup is put back, beside a stop and a start.

Real servers, started as pods start them: the programs of a restore's Jobs and the preparation run,
and every step follows the one before at once. What the functions and Kubernetes take to see a step
and to decide the next is in neither side. The same ensemble is stopped and started first, which is
the least that a restore in place can cost.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.beside import fill
from benchmarks.clients import longest_gap, writing
from benchmarks.figures import Figure
from benchmarks.running import Say
from benchmarks.words import until
from tests.contract.ensemble import PORT, fresh_hosts, line
from tests.contract.restorable import RestorableEnsemble

NODES = 5000
ENOUGH = 20
TITLE = "Longest wait of a client during a restore in place, a stop and a start beside it"
BASELINE, RESTORE = "stop and start", "restore"


def measure(runs: int, say: Say) -> list[Figure]:
    """Stop and start an ensemble, then restore into it; each round has an ensemble of its own."""
    samples: dict[str, list[float]] = {BASELINE: [], RESTORE: []}
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as name, _ensemble(Path(name)) as ensemble:
            samples[BASELINE].append(_longest_wait(ensemble, _stop_and_start))
            ensemble.stage()
            samples[RESTORE].append(_longest_wait(ensemble, _restore))
            say(", ".join(f"{side}: {found[-1]:.2f} s" for side, found in samples.items()))
    return [Figure(TITLE, side, "s", samples[side], samples[BASELINE]) for side in samples]


@contextmanager
def _ensemble(folder: Path) -> Iterator[RestorableEnsemble]:
    """Three servers that serve, with some data and a backup of it."""
    lines = [line(id, host) for id, host in enumerate(fresh_hosts(3), start=1)]
    ensemble = RestorableEnsemble(folder / "servers", lines)
    ensemble.start(*ensemble.ids)
    try:
        until(lambda: ensemble.serves(PORT), "all three serve")
        fill(ensemble.host(1), NODES)
        ensemble.back_up(1)
        yield ensemble
    finally:
        ensemble.stop(*list(ensemble.running))


def _longest_wait(
    ensemble: RestorableEnsemble, move: Callable[[RestorableEnsemble], None]
) -> float:
    with writing(ensemble.hosts) as clients:
        until(lambda: all(len(client.moments) > ENOUGH for client in clients), "clients write")
        move(ensemble)
        until(lambda: ensemble.serves(PORT), "all three serve again")
        before = [len(client.moments) for client in clients]
        until(
            lambda: all(
                len(client.moments) > count + ENOUGH
                for client, count in zip(clients, before, strict=True)
            ),
            "clients write again",
        )
    return max(longest_gap(client) for client in clients)


def _stop_and_start(ensemble: RestorableEnsemble) -> None:
    ensemble.stop(*ensemble.ids)
    ensemble.start(*ensemble.ids)


def _restore(ensemble: RestorableEnsemble) -> None:
    ensemble.swap(until)
    ensemble.open()
