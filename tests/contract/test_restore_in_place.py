"""A restore on real servers, played by hand: the programs of its Jobs, and the servers' own start.

What is held against what: every node that a client saw when the backup was made, its data, ACL and
numbers, and every node that a client sees afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient

from functions.pods.disk import Folders, own_list
from functions.pods.disk_report import disk_report
from tests.contract.data_set import (
    KEPT_ACLS,
    SeenNode,
    seen,
    session,
    write_kinds,
    written_all_the_time,
)
from tests.contract.ensemble import PORT, fresh_hosts, line
from tests.contract.processes import takes_connections, until
from tests.contract.restorable import CLOSED, UID, RestorableEnsemble

pytestmark = pytest.mark.contract

Make = Callable[..., RestorableEnsemble]

# Servers change these on their own, without a transaction.
OWN = {"/zookeeper/config", "/zookeeper/quota/load/zookeeper_stats"}
SETTINGS = {"extendedTypesEnabled": "true", "snapCount": "400", "preAllocSize": "512"}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes ensembles that can be restored; all end with the test."""
    made: list[RestorableEnsemble] = []

    def one(servers: int, observers: int = 0, **options: Any) -> RestorableEnsemble:
        hosts = enumerate(fresh_hosts(servers + observers), start=1)
        lines = [line(id, host) for id, host in hosts]
        watching = [each.replace("participant", "observer") for each in lines[servers:]]
        folder = tmp_path / f"ensemble-{len(made)}"
        made.append(
            RestorableEnsemble(folder, lines[:servers] + watching, settings=SETTINGS, **options)
        )
        return made[-1]

    yield one
    for ensemble in made:
        ensemble.stop(*list(ensemble.running))


def _serve(ensemble: RestorableEnsemble) -> None:
    ensemble.start(*ensemble.ids)
    until(lambda: ensemble.serves(PORT), "all serve")


def _open(ensemble: RestorableEnsemble) -> None:
    ensemble.open()
    until(lambda: ensemble.serves(PORT), "all serve again", 15)


def _differences(before: dict[str, SeenNode], after: dict[str, SeenNode]) -> dict[str, object]:
    return {
        path: (before.get(path), after.get(path))
        for path in (before.keys() | after.keys()) - OWN
        if before.get(path) != after.get(path)
    }


def _epoch(ensemble: RestorableEnsemble, port: int = PORT) -> int:
    found = ensemble.stats(ensemble.leader(port), port)
    return found.zxid >> 32 if found else 0


def _written(ensemble: RestorableEnsemble) -> dict[str, SeenNode]:
    """Write all kinds of data, some of it fast; return what a client sees at the end."""
    with session(ensemble.hosts) as client:
        write_kinds(client)
        # Servers lose count of ACLs that come and go while a snapshot is written (docs/files.md).
        with written_all_the_time(ensemble.hosts, acls=KEPT_ACLS) as made:
            until(lambda: made() > 800, "requests made")
    # Another session: what is ephemeral has gone with the first.
    with session(ensemble.hosts) as client:
        return seen(client)


@pytest.mark.soak  # The demo, which `make test` runs, restores in place as well.
@pytest.mark.parametrize(
    ("version", "has_log_volume"),
    [
        pytest.param("3.6.4", False, id="3.6.4"),
        pytest.param("3.7.0", False, id="3.7.0"),
        pytest.param("3.8.4", True, id="3.8.4-log-volume"),
        pytest.param("3.9.5", True, id="3.9.5-log-volume"),
    ],
)
def test_in_place_the_data_is_the_backups_and_clients_come_back_by_themselves(
    make: Make, version: str, has_log_volume: bool
) -> None:
    ensemble = make(3, observers=1, version=version, has_log_volume=has_log_volume)
    _serve(ensemble)
    expected = _written(ensemble)
    ensemble.back_up(ensemble.leader())
    _change_leader(ensemble)
    with session(ensemble.hosts, timeout=6.0) as client:
        _write_more(client)
        epoch, lists = _epoch(ensemble), _own_lists(ensemble)
        assert all(told["epoch"] < epoch for told in ensemble.stage())
        assert client.get("/newer")[0] == b"written after the backup"
        ensemble.swap()
        assert not [id for id in ensemble.ids if takes_connections(ensemble.host(id), PORT)]
        assert not client.connected
        assert _epoch(ensemble, CLOSED) > epoch
        _open(ensemble)

        until(lambda: client.connected, "the client is back")
        assert client.exists("/newer") is None
        assert _differences(expected, seen(client)) == {}
        client.create("/again", b"")
    until(lambda: _own_lists(ensemble) == lists, "each has its own list again")
    assert {_report(ensemble, id)["restored"] for id in ensemble.ids} == {UID}
    ensemble.settle(restored=True)
    _starts_without_the_api_server(ensemble, "/again")


def _change_leader(ensemble: RestorableEnsemble) -> None:
    leader = ensemble.leader()
    ensemble.stop(leader)
    until(lambda: ensemble.leader() != leader, "the next leader")
    ensemble.start(leader)
    until(lambda: ensemble.serves(PORT), "all serve under the next leader")


def _write_more(client: KazooClient) -> None:
    client.create("/newer", b"written after the backup")
    client.set("/deep", b"changed after the backup")
    client.delete("/acl/kept-1")


def _starts_without_the_api_server(ensemble: RestorableEnsemble, path: str) -> None:
    """Nothing of a restore is left, and a server with data needs nobody."""
    assert not list(ensemble.folder.rglob(".restore"))
    ensemble.status = None
    ensemble.stop(*ensemble.ids)
    _serve(ensemble)
    with session(ensemble.hosts) as client:
        assert client.exists(path)


def _own_lists(ensemble: RestorableEnsemble) -> set[str]:
    return {text for id in ensemble.ids for text in _list(ensemble, id)}


def _list(ensemble: RestorableEnsemble, id: int) -> list[str]:
    return own_list(_folders(ensemble, id)).text.split()


def _folders(ensemble: RestorableEnsemble, id: int) -> Folders:
    return Folders.named_by(ensemble.environment(id))


def _report(ensemble: RestorableEnsemble, id: int) -> dict[str, Any]:
    return disk_report(_folders(ensemble, id))


@pytest.mark.parametrize(
    ("version", "source", "target"),
    [
        pytest.param("3.9.5", 3, 1, id="3.9.5-three-to-one", marks=pytest.mark.soak),
        pytest.param("3.9.5", 1, 3, id="3.9.5-one-to-three", marks=pytest.mark.soak),
        pytest.param("3.7.0", 1, 3, id="3.7.0-one-to-three", marks=pytest.mark.soak),
    ],
)
def test_a_backup_of_a_higher_epoch_comes_up_in_a_younger_ensemble_of_another_size(
    make: Make, version: str, source: int, target: int
) -> None:
    """Guards against a server that exits because its epoch is older than its last zxid."""
    old = make(source, version=version)
    _serve(old)
    for _ in range(3):
        old.stop(*old.ids)
        _serve(old)
    expected = _written(old)
    epoch = _epoch(old)
    old.back_up(1)
    old.stop(*old.ids)

    new = make(target, version=version, store=old.store, password="another")
    _serve(new)
    assert _epoch(new) < epoch
    with session(new.hosts, "another") as client:
        client.create("/of-the-younger", b"")
    new.stage()
    new.swap()
    _open(new)
    assert _epoch(new) > epoch
    with session(new.hosts, "another") as client:
        assert _differences(expected, seen(client)) == {}
        config = client.get("/zookeeper/config")[0].decode()
    assert [text for text in config.split() if text.startswith("server.")] == new.lines


@pytest.mark.soak
@pytest.mark.parametrize("version", ["3.9.5", "3.7.0"])
def test_what_was_not_opened_goes_back_to_the_servers_own_data(make: Make, version: str) -> None:
    ensemble = make(3, observers=1, version=version)
    _serve(ensemble)
    with session(ensemble.hosts) as client:
        client.create("/old", b"")
    ensemble.back_up(1)
    with session(ensemble.hosts, timeout=6.0) as client:
        client.create("/newer", b"written after the backup")
        expected = seen(client)
        ensemble.stage()
        ensemble.swap()

        ensemble.step("StopBack")
        ensemble.stop(*ensemble.ids)
        assert [ensemble.prepare(id, 0.1) for id in ensemble.ids] == [1, 1, 1, 1]
        ensemble.step("StartBack")
        _serve(ensemble)
        until(lambda: client.connected, "the client is back")
        assert _differences(expected, seen(client)) == {}
        client.create("/again", b"")
    ensemble.settle(restored=False)
    _starts_without_the_api_server(ensemble, "/again")


@pytest.mark.soak
def test_a_server_that_was_away_all_the_while_never_serves_what_it_has(make: Make) -> None:
    """Its last transaction has the number of one in the backup, and another content.

    The leader would send it what comes behind that number, and it would keep what is before.
    """
    source, ensemble = make(1), make(3, ports={3: (2199, 2198)})
    ensemble.store = source.store
    for each, data in ((ensemble, b"of the ensemble"), (source, b"of the backup")):
        _serve(each)
        _count(each, range(20), data)
    expected = _count(source, range(20, 40), b"of the backup")
    source.back_up(1)
    source.stop(1)

    ensemble.stop(3)
    _restore_two_of_three(ensemble)
    ensemble.start(3)
    until(lambda: ensemble.stats(3, PORT), "the third serves too")
    with session(f"{ensemble.host(3)}:{PORT}") as client:
        assert _differences(expected, seen(client)) == {}


def _count(ensemble: RestorableEnsemble, numbers: range, data: bytes) -> dict[str, SeenNode]:
    with session(ensemble.hosts) as client:
        for number in numbers:
            client.create(f"/{number}", data)
        return seen(client)


def _restore_two_of_three(ensemble: RestorableEnsemble) -> None:
    all_of_them, ensemble.lines = ensemble.lines, ensemble.lines[:2]
    ensemble.stage()
    ensemble.swap()
    ensemble.lines = all_of_them
    ensemble.open()
    until(lambda: ensemble.stats(1, PORT) and ensemble.stats(2, PORT), "two are open")
    ensemble.status = ensemble.recorded(restored=UID)
