"""A server's preparation while a restore is under way: on real files, at every step of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from functions.api.errors import Unavailable
from functions.manifests.names import DATA_CLAIM
from functions.pods.disk import own_list, read_disk
from functions.pods.prepare import Outside, prepare
from functions.pods.restore_folder import read_history
from tests.unit.restored_server import LINES, UID, Volumes

CLOSED = LINES.replace("2181", "2189")
MEMBERS = [{"id": n, "role": "participant", "configVersion": 0x100000007} for n in (1, 2)]


@pytest.fixture
def volumes(tmp_path: Path) -> Volumes:
    """A server with data, and the raw configuration of its pod."""
    made = Volumes(tmp_path, has_log_volume=False)
    made.fill()
    for name in ("log4j.properties", "log4j-quiet.properties", "logback.xml"):
        (made.folders.raw_config / name).write_text("")
    return made


def _cluster(step: str = "", uid: str = UID, restored: str = "") -> dict[str, Any]:
    status: dict[str, Any] = {"bootstrap": {"state": "completed"}, "members": MEMBERS}
    if step:
        status["operation"] = {"type": "Restore", "step": step, "ownerUid": uid}
    if restored:
        status["restored"] = restored
    return {"status": status}


def _prepare(
    volumes: Volumes, *answers: dict[str, Any] | None, deadline: float = 30.0, inside: str = ""
) -> int:
    """Prepare the server; the API server gives the answers in turn, the last for ever."""
    left, folders = list(answers), volumes.folders

    def read(path: str) -> dict[str, Any] | None:
        if path.endswith(f"/persistentvolumeclaims/{DATA_CLAIM}-zk-0"):
            return {"metadata": {"uid": "uid-of-the-claim"}}
        answer = left.pop(0) if len(left) > 1 else left[0]
        if answer is None:
            raise Unavailable("no route")
        return answer

    environment = {
        "CLUSTER": "zk", "NAMESPACE": "apps", "POD_NAME": "zk-0", "POD_UID": "uid-of-the-pod",
        "POD_IP": "10.0.0.7", "CLAIM": DATA_CLAIM, "DOMAIN": "zk",
        "CLIENT_PORT": "2181", "FOLLOWER_PORT": "2888", "LEADER_ELECTION_PORT": "3888",
        "QUARANTINE_PORT": "2189", "STATIC_CONFIG": "zoo.cfg",
        "DATA_DIR": str(folders.data), "DATA_LOG_DIR": str(folders.log),
        "CFG_DIR": str(folders.config), "RAW_CFG_DIR": str(folders.raw_config),
        "INSIDE_ADDRESS": inside,
    }  # fmt: skip
    return prepare(environment, Outside(read, lambda _: {"10.0.0.7"}, deadline))


def _data(volumes: Volumes) -> str:
    """Whose data the server starts from."""
    folder = volumes.folders.snapshots
    found = {path.read_text() for path in folder.glob("snapshot.*")} if folder.is_dir() else set()
    return found.pop() if found else ""


@pytest.mark.parametrize(
    ("step", "data", "members"),
    [("Arm", "own", LINES), ("Start", "backup", CLOSED), ("Open", "backup", CLOSED)],
)
def test_each_step_says_which_data_the_server_starts_from(
    volumes: Volumes, step: str, data: str, members: str
) -> None:
    volumes.stage()
    assert _prepare(volumes, _cluster(step)) == 0
    assert (_data(volumes), own_list(volumes.folders).text) == (data, members)


def test_a_server_waits_while_the_others_stop_and_goes_on_when_they_are_gone(
    volumes: Volumes,
) -> None:
    volumes.stage()
    stopping, starting = _cluster("Stop"), _cluster("Start")
    assert _prepare(volumes, None, stopping, stopping, starting, deadline=5.0) == 0
    assert _data(volumes) == "backup"


@pytest.mark.parametrize("answer", [None, _cluster("Stop"), _cluster("StopBack")])
def test_a_server_that_is_told_nothing_of_use_does_not_start(
    volumes: Volumes, answer: dict[str, Any] | None, caplog: pytest.LogCaptureFixture
) -> None:
    volumes.stage()
    before = volumes.held()
    assert _prepare(volumes, answer, deadline=0.3) == 1
    assert volumes.held() == before
    assert "giving up" in caplog.text


def test_the_way_back_brings_the_own_data_and_list(volumes: Volumes) -> None:
    volumes.stage()
    assert _prepare(volumes, _cluster("Start")) == 0
    assert _prepare(volumes, _cluster("StartBack")) == 0
    assert (_data(volumes), own_list(volumes.folders).text) == ("own", LINES)


def test_a_restored_server_that_starts_again_keeps_the_list_it_has_by_then(
    volumes: Volumes,
) -> None:
    """Once the ensemble is open, the closed port must not come back."""
    volumes.stage()
    assert _prepare(volumes, _cluster("Start")) == 0
    opened = volumes.folders.config / "zoo.cfg.dynamic.700000002"
    opened.write_text(LINES)
    static = volumes.folders.static_file
    static.write_text(static.read_text().replace("zoo.cfg.dynamic.100000007", opened.name))
    for answer in (_cluster("Open"), _cluster("Open", restored=UID), _cluster(restored=UID)):
        assert _prepare(volumes, answer) == 0
        assert (_data(volumes), own_list(volumes.folders).text) == ("backup", LINES)


def test_a_server_that_is_closed_to_clients_has_no_port_for_tls_either(volumes: Volumes) -> None:
    """That port is in no member list, so one change of the list cannot open it."""
    raw = volumes.folders.raw_config / "zoo.cfg"
    raw.write_text(f"secureClientPort=2281\n{raw.read_text()}")
    volumes.stage()
    assert _prepare(volumes, _cluster("Start")) == 0
    assert "secureClientPort" not in volumes.folders.static_file.read_text()
    assert _prepare(volumes, _cluster(restored=UID)) == 0
    assert "secureClientPort=2281\n" in volumes.folders.static_file.read_text()


def test_servers_that_take_clients_by_tls_alone_stay_inside_their_pods_meanwhile(
    volumes: Volumes,
) -> None:
    """One that is made otherwise during the restore comes to the port of those that are open."""
    inside = LINES.replace("0.0.0.0:2181", "127.0.0.1:2189")
    volumes.stage()
    assert _prepare(volumes, _cluster("Start"), inside="127.0.0.1:2189") == 0
    assert (_data(volumes), own_list(volumes.folders).text) == ("backup", inside)
    assert _prepare(volumes, _cluster("Open")) == 0
    assert own_list(volumes.folders).text == CLOSED
    assert _prepare(volumes, _cluster(restored=UID), inside="127.0.0.1:2189") == 0
    assert own_list(volumes.folders).text == inside
    assert _prepare(volumes, _cluster(restored=UID)) == 0
    assert own_list(volumes.folders).text == LINES


@pytest.mark.parametrize(("restored", "data"), [(UID, "backup"), ("", "own"), ("old", "own")])
def test_a_server_that_comes_when_all_is_over_does_what_the_others_did(
    volumes: Volumes, restored: str, data: str
) -> None:
    volumes.fill(history="old")
    volumes.stage()
    assert _prepare(volumes, _cluster(restored=restored)) == 0
    assert _data(volumes) == data


@pytest.mark.parametrize("is_empty", [True, False], ids=["empty", "with-other-data"])
def test_a_server_whose_volume_nobody_armed_is_filled_by_the_restored_ones(
    volumes: Volumes, is_empty: bool
) -> None:
    if is_empty:
        for file in volumes.folders.snapshots.iterdir():
            file.unlink()
    assert _prepare(volumes, _cluster("Start")) == 0
    assert read_disk(volumes.folders).is_empty
    assert not volumes.folders.marker.exists()
    assert set(read_disk(volumes.folders).members.values()) == {
        f"zk-{n}.zk:2888:3888:participant;0.0.0.0:2189" for n in (0, 1)
    }
    _fill(volumes)
    assert _prepare(volumes, _cluster("StartBack")) == 0
    assert _data(volumes) == ("" if is_empty else "own")


def _fill(volumes: Volumes) -> None:
    volumes.folders.snapshots.mkdir(exist_ok=True)
    (volumes.folders.snapshots / "snapshot.600000000").write_text("of the restored leader")


def test_an_empty_disk_takes_the_restore_and_the_record_from_one_answer(volumes: Volumes) -> None:
    """Between two answers a restore may begin: it would come up where clients get in."""
    for file in volumes.folders.snapshots.iterdir():
        file.unlink()
    none_yet: dict[str, Any] = {"status": {}}
    starting = _cluster("Start")
    assert _prepare(volumes, none_yet, none_yet, starting, deadline=5.0) == 0
    assert "0.0.0.0:2189" in own_list(volumes.folders).text


def test_a_volume_left_from_before_a_restore_is_put_aside_and_filled(volumes: Volumes) -> None:
    """Its last transaction may have the number of one in the backup, and another content."""
    assert _prepare(volumes, _cluster(restored=UID)) == 0
    assert read_disk(volumes.folders).is_empty
    assert read_history(volumes.folders.data) == UID
    (aside,) = volumes.folders.data.glob("version-2.aside-*")
    assert (aside / "snapshot.400000000").read_text() == "own"
    _fill(volumes)
    assert _prepare(volumes, _cluster(restored=UID)) == 0
    assert _data(volumes) == "of the restored leader"


def test_without_a_restore_on_its_volume_a_server_with_data_needs_no_api_server(
    volumes: Volumes,
) -> None:
    answers: tuple[dict[str, Any] | None, ...] = (None, {})
    for answer in answers:
        assert _prepare(volumes, answer) == 0
        assert (_data(volumes), own_list(volumes.folders).text) == ("own", LINES)
