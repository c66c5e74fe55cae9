"""The snapshot that a real AdminServer streams: taken where it is a state, given up where not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from functions.adapters.memory import MemoryObjectStore
from functions.backups.admin_snapshot import AdminServer, Snapping, take_snapshot
from functions.backups.parts import Outbox
from functions.backups.proof import prove_prefix
from functions.backups.taken import NotTaken
from functions.planning.member_list import host_of, parse_member
from functions.pods.copy_out import copy_out
from tests.contract.data_set import session, write_kinds, written_all_the_time
from tests.contract.ensemble import RealEnsemble
from tests.contract.processes import until
from tests.contract.test_backup_contract import addresses, environment

pytestmark = pytest.mark.contract

ADMIN_PORT = 8080


@pytest.fixture
def ensemble(ensemble_of: Callable[..., RealEnsemble]) -> RealEnsemble:
    """One server of 3.9.5 with data, its AdminServer on, and `/` closed to strangers."""
    made: RealEnsemble = ensemble_of(
        1, settings={"extendedTypesEnabled": "true", "admin.enableServer": "true"}
    )
    host = host_of(parse_member(made.lines[0]))
    made.settings = {**made.settings, "admin.serverAddress": host}
    made.start(1)
    with session(addresses(made)) as client:
        write_kinds(client)
    return made


def snapshot_environment(ensemble: RealEnsemble, folder: Path, password: str) -> dict[str, str]:
    return {
        **environment(ensemble, 1, "pod", folder),
        "METHOD": "snapshot",
        "ADMIN_HOST": host_of(parse_member(ensemble.lines[0])),
        "ADMIN_PORT": str(ADMIN_PORT),
        "ADMIN_AUTH": f"digest super:{password}",
    }


def test_a_quiet_server_gives_a_snapshot_that_is_a_state_by_itself(
    ensemble: RealEnsemble, tmp_path: Path
) -> None:
    store = MemoryObjectStore()
    result = copy_out(snapshot_environment(ensemble, tmp_path, "secret"), lambda: store)
    assert "warning" not in result
    proof = prove_prefix(store, result["key"])
    assert proof.manifest is not None
    assert (proof.manifest.method, proof.logs, proof.digests) == ("snapshot", (), 1)
    assert proof.manifest.epoch == 1
