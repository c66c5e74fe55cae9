"""The snapshot that a real AdminServer streams: taken where it is a state, given up where not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from kazoo.security import make_digest_acl

from functions.adapters.memory import MemoryObjectStore
from functions.backups.admin_snapshot import AdminServer, Snapping, take_snapshot
from functions.backups.parts import Outbox
from functions.backups.proof import prove_prefix
from functions.backups.proven import Depth
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


@pytest.mark.soak
def test_a_snapshot_under_load_is_a_state_or_gives_way_to_the_files(
    ensemble: RealEnsemble, tmp_path: Path
) -> None:
    store = MemoryObjectStore()
    described = snapshot_environment(ensemble, tmp_path, "secret")
    with written_all_the_time(addresses(ensemble)) as made:
        until(lambda: made() > 300, "requests made")
        result = copy_out(described, lambda: store)
    proof = prove_prefix(store, result["key"], depth=Depth.TREE)
    assert proof.manifest is not None
    if proof.manifest.method == "files":
        assert "transactions went on while the AdminServer wrote its snapshot" in result["warning"]
        assert proof.logs
    assert proof.digests > 0


def _close_root(ensemble: RealEnsemble) -> None:
    with session(addresses(ensemble)) as client:
        client.set_acls("/", [make_digest_acl("owner", "secret", all=True)])


def test_who_may_not_have_a_snapshot_is_told_why_and_gets_the_files(
    ensemble: RealEnsemble, tmp_path: Path
) -> None:
    _close_root(ensemble)
    store = MemoryObjectStore()
    result = copy_out(snapshot_environment(ensemble, tmp_path, "wrong"), lambda: store)
    assert "answers 40" in result["warning"]
    assert "credentials" in result["warning"]
    proof = prove_prefix(store, result["key"])
    assert proof.manifest is not None
    assert proof.manifest.method == "files"
    assert "wrong" not in json.dumps(result)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        pytest.param({"admin.snapshot.enabled": "false"}, "503: the command is off", id="off"),
        pytest.param(
            {"serializeLastProcessedZxid.enabled": "false"},
            "500: it failed",
            id="500",
            marks=pytest.mark.soak,
        ),
        pytest.param(
            {"admin.enableServer": "false"},
            "cannot be asked for a snapshot",
            id="none",
            marks=pytest.mark.soak,
        ),
    ],
)
def test_a_server_that_gives_no_snapshot_says_why(
    ensemble_of: Callable[..., RealEnsemble], settings: dict[str, str], why: str
) -> None:
    ensemble = started(ensemble_of, settings)
    store = MemoryObjectStore()
    with pytest.raises(NotTaken, match=why):
        take_snapshot(snapping(ensemble, store))
    assert store.objects == {}


@pytest.mark.soak
def test_the_limit_of_how_often_is_waited_for(ensemble_of: Callable[..., RealEnsemble]) -> None:
    # 3.9.5 takes this for microseconds.
    ensemble = started(ensemble_of, {"admin.rateLimiterIntervalInMS": "3000000"})
    store = MemoryObjectStore()
    first, second = (take_snapshot(snapping(ensemble, store)) for _ in range(2))
    assert first.zxid == second.zxid
    with pytest.raises(NotTaken, match="it limits how often"):
        take_snapshot(replace(snapping(ensemble, store), rate_seconds=0.0))


def started(ensemble_of: Callable[..., RealEnsemble], settings: dict[str, str]) -> RealEnsemble:
    made: RealEnsemble = ensemble_of(1)
    host = host_of(parse_member(made.lines[0]))
    made.settings = {"admin.enableServer": "true", "admin.serverAddress": host, **settings}
    made.start(1)
    with session(addresses(made)) as client:
        client.create("/a", b"data")
    return made


def snapping(ensemble: RealEnsemble, store: MemoryObjectStore) -> Snapping:
    host = host_of(parse_member(ensemble.lines[0]))
    admin = AdminServer(host, ADMIN_PORT, "digest super:secret")
    folder = ensemble.folder / "1" / "data" / "version-2"
    return Snapping(admin, folder, Outbox(store, "default/nightly/once/pod/"))
