"""Backups of real servers under load: what is in them is exactly the state at their end."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from functions.adapters.memory import MemoryObjectStore
from functions.backups.proof import prove_prefix
from functions.backups.proven import Depth, Proof
from functions.backups.sources import PrefixSource
from functions.backups.tree_proof import tree_of_backup
from functions.persistence.data_tree import DataTree, Node
from functions.planning.member_list import host_of, parse_member
from functions.pods.copy_out import copy_out
from local.node.pull import fetch
from tests.backup_environment import backup_environment
from tests.contract.data_set import session, write_kinds, written_all_the_time
from tests.contract.ensemble import PORT, RealEnsemble
from tests.contract.journal import journaled, replayed
from tests.contract.processes import until

pytestmark = pytest.mark.contract

# So that a few thousand requests make many snapshots and logs, while they go on.
SETTINGS = {"extendedTypesEnabled": "true", "snapCount": "500", "preAllocSize": "512"}
# One of each server.
BACKUPS = 3
# Servers change these on their own, without a transaction.
OWN = {"/zookeeper/config", "/zookeeper/quota/load/zookeeper_stats"}


def environment(ensemble: RealEnsemble, server: int, pod: str, folder: Path) -> dict[str, str]:
    return backup_environment(
        ensemble.folder / str(server) / "data" / "version-2",
        POD_NAME=pod,
        SERVER_HOST=host_of(parse_member(ensemble.lines[server - 1])),
        CLIENT_PORT=str(PORT),
        SERVER=f"zk-{server - 1}",
        SERVER_ID=str(server),
        ZK_VERSION=ensemble.version,
        TERMINATION_LOG=str(folder / "termination-log"),
    )


def addresses(ensemble: RealEnsemble) -> str:
    return ",".join(f"{host_of(parse_member(line))}:{PORT}" for line in ensemble.lines)


def test_a_backup_under_load_holds_exactly_what_was_acknowledged_up_to_its_end(
    ensemble_of: Callable[..., RealEnsemble], tmp_path: Path
) -> None:
    ensemble: RealEnsemble = ensemble_of(3, settings=SETTINGS)
    hosts = addresses(ensemble)
    store = MemoryObjectStore()
    ensemble.start(1, 2, 3)
    with session(hosts) as client:
        write_kinds(client)
    results = []
    with written_all_the_time(hosts) as made, journaled(hosts) as journals:
        for number in range(BACKUPS):
            before = made()
            until(lambda: made() > before + 1000, "requests made")  # noqa: B023
            server = number % 3 + 1
            described = environment(ensemble, server, f"pod-{number}", tmp_path)
            results.append((server, copy_out(described, lambda: store)))
    ensemble.stop(1, 2, 3)
    nobody = {**environment(ensemble, 1, "nobody-serves", tmp_path), "SERVER_HOST": ""}
    results.append((1, copy_out(nobody, lambda: store)))
    assert ["warning" in result for _, result in results] == [*([False] * BACKUPS), True]

    proven = [_proven_tree(store, result) for _, result in results]
    for (server, result), (_, tree) in zip(results, proven, strict=True):
        zxid = int(result["zxid"], 16)
        for journal in journals:
            written = journal.state(zxid)
            assert len(written) > 10
            assert _below(tree, journal.root) == written
        assert _without_own(tree.nodes) == _without_own(_replayed(ensemble, server, zxid).nodes)
    # A request that failed carries none, so a backup that ends with such a one, the first after all
    # that its snapshot holds in part, has nothing to compare. About one in a hundred does.
    assert sum(proof.digests for proof, _ in proven) > 0


def _proven_tree(store: MemoryObjectStore, result: Mapping[str, Any]) -> tuple[Proof, DataTree]:
    proof = prove_prefix(store, result["key"], depth=Depth.TREE)
    assert (f"{proof.zxid:#x}", True) == (result["zxid"], result["verified"])
    return proof, tree_of_backup(PrefixSource(store, result["key"]), proof)


@pytest.mark.soak
def test_a_purge_at_any_moment_of_a_backup_does_not_harm_it(
    ensemble_of: Callable[..., RealEnsemble], tmp_path: Path
) -> None:
    ensemble: RealEnsemble = ensemble_of(1, settings=SETTINGS)
    hosts = addresses(ensemble)
    ensemble.start(1)
    folder = ensemble.folder / "1" / "data" / "version-2"
    with written_all_the_time(hosts) as made, journaled(hosts) as journals:
        for number, call in enumerate((1, 4, 6)):
            before = made()
            until(lambda: made() > before + 1500, "requests made")  # noqa: B023
            store = MemoryObjectStore()
            # The server has made more snapshots since the first one that is still there.
            store.faults.at(call, lambda: _purge(ensemble, folder))
            described = environment(ensemble, 1, f"pod-{number}", tmp_path)
            result = copy_out(described, lambda: store)  # noqa: B023
            _, tree = _proven_tree(store, result)
            for journal in journals:
                assert _below(tree, journal.root) == journal.state(int(result["zxid"], 16))


def _purge(ensemble: RealEnsemble, folder: Path) -> None:
    """Purge as servers do by themselves once an hour at most: by their own program."""
    jars = asyncio.run(fetch(ensemble.version)) / "lib"
    program = "org.apache.zookeeper.server.PurgeTxnLog"
    data = str(folder.parent)
    before = set(folder.iterdir())
    subprocess.run(
        ["java", "-cp", f"{jars}/*", program, data, data, "-n", "3"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    assert before - set(folder.iterdir()), "the server goes on making files, and some are gone"


def _below(tree: DataTree, root: str) -> dict[str, bytes]:
    nodes = tree.nodes.items()
    return {path: node.data or b"" for path, node in nodes if path.startswith(f"{root}/")}


def _without_own(nodes: Mapping[str, Node]) -> dict[str, Node]:
    return {path: node for path, node in nodes.items() if path not in OWN}


def _replayed(ensemble: RealEnsemble, server: int, zxid: int) -> DataTree:
    """Return the state at `zxid` by all logs of the server, from its very first snapshot on."""
    return replayed(ensemble.folder / str(server) / "data" / "version-2", zxid)
