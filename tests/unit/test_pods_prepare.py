"""A server's preparation on real files, with an API server and a DNS that are passed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from functions.api.errors import Refused, Unavailable
from functions.pods.prepare import Outside, prepare

ZOO_CFG = "tickTime=2000\ndataDir={data}\ndynamicConfigFile={data}/zoo.cfg.dynamic\n"
UID = "uid-of-data-zk-1"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of the pod zk-1, with its configuration in place."""
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "zoo.cfg").write_text(ZOO_CFG.format(data=tmp_path / "data"))
    for name in ("log4j.properties", "log4j-quiet.properties", "logback.xml"):
        (raw / name).write_text(name)
    return {
        "CLUSTER": "zk", "NAMESPACE": "apps", "POD_NAME": "zk-1", "POD_UID": "uid-of-zk-1",
        "POD_IP": "10.0.0.7", "CLAIM": "data", "DOMAIN": "zk.apps.svc.cluster.local",
        "CLIENT_PORT": "2181", "FOLLOWER_PORT": "2888", "LEADER_ELECTION_PORT": "3888",
        "QUARANTINE_PORT": "2189",
        "DATA_DIR": str(tmp_path / "data"), "DATA_LOG_DIR": str(tmp_path / "data"),
        "CFG_DIR": str(tmp_path / "data/conf"), "RAW_CFG_DIR": str(raw), "STATIC_CONFIG": "zoo.cfg",
    }  # fmt: skip


def _cluster(state: str = "open", uid: str = UID, **status: Any) -> dict[str, Any]:
    members = [{"id": number, "name": f"zk-{number - 1}"} for number in (1, 2, 3)]
    volumes = [{"name": "data-zk-1", "uid": uid}]
    return {
        "status": {
            "bootstrap": {"state": state, "members": members, "volumes": volumes},
            **status,
        }
    }


def _outside(
    cluster: dict[str, Any] | None,
    claim: str = UID,
    addresses: Iterable[str] = ("10.0.0.7",),
    deadline: float = 5.0,
) -> Outside:
    def read(path: str) -> dict[str, Any] | None:
        is_claim = path == "/api/v1/namespaces/apps/persistentvolumeclaims/data-zk-1"
        if is_claim:
            return {"metadata": {"uid": claim}} if claim else None
        assert path.endswith("/namespaces/apps/zookeeperclusters/zk")
        return cluster

    return Outside(read, lambda _: set(addresses), deadline)


def _data(environment: dict[str, str]) -> Path:
    return Path(environment["DATA_DIR"])


def test_a_recorded_empty_disk_gets_its_identity_the_first_list_and_the_marker(
    environment: dict[str, str],
) -> None:
    """Guards against C6, C12, C13, J3 and J4: ids from 0, wrong lists, paths that are fixed."""
    assert prepare(environment, _outside(_cluster())) == 0
    data = _data(environment)
    assert (data / "myid").read_text() == "2\n"
    assert (data / "initialize").read_text() == ""
    assert (data / "zoo.cfg.dynamic").read_text().splitlines() == [
        f"server.{number}=zk-{number - 1}.zk.apps.svc.cluster.local:2888:3888:participant;"
        "0.0.0.0:2181"
        for number in (1, 2, 3)
    ]
    assert (data / "conf/zoo.cfg").read_text() == ZOO_CFG.format(data=data)
    assert (data / "conf/logback.xml").read_text() == "logback.xml"


def test_a_prepared_disk_that_never_started_is_prepared_the_same_again(
    environment: dict[str, str],
) -> None:
    data = _data(environment)
    assert prepare(environment, _outside(_cluster())) == 0
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    assert prepare(environment, _outside(_cluster())) == 0
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before


def test_a_server_that_takes_clients_by_tls_alone_listens_inside_its_pod_from_the_first_start(
    environment: dict[str, str],
) -> None:
    environment["INSIDE_ADDRESS"] = "127.0.0.1:2189"
    data = _data(environment)
    assert prepare(environment, _outside(_cluster())) == 0
    lines = (data / "zoo.cfg.dynamic").read_text().splitlines()
    assert {line.partition(";")[2] for line in lines} == {"127.0.0.1:2189"}
    (data / "version-2").mkdir()
    (data / "version-2/snapshot.0").write_text("")
    for inside, expected in (("", "0.0.0.0:2181"), ("127.0.0.1:2189", "127.0.0.1:2189")):
        assert prepare({**environment, "INSIDE_ADDRESS": inside}, _outside(_cluster())) == 0
        lines = (data / "zoo.cfg.dynamic").read_text().splitlines()
        assert {line.partition(";")[2] for line in lines} == {expected}


def test_epoch_files_of_an_earlier_start_go_before_the_marker_comes(
    environment: dict[str, str],
) -> None:
    version = _data(environment) / "version-2"
    version.mkdir(parents=True)
    for name in ("acceptedEpoch", "currentEpoch"):
        (version / name).write_text("-1")
    assert prepare(environment, _outside(_cluster())) == 0
    assert list(version.iterdir()) == []


@pytest.mark.parametrize(
    ("cluster", "claim"),
    [
        pytest.param(_cluster("completed"), UID, id="the-creation-is-over"),
        pytest.param(_cluster("adopted"), UID, id="the-servers-were-there-before"),
        pytest.param(_cluster("completed"), "another", id="the-volume-is-a-new-one"),
    ],
)
def test_an_empty_disk_of_an_existing_ensemble_joins_without_a_vote(
    environment: dict[str, str], cluster: dict[str, Any], claim: str
) -> None:
    """Guards against C6 and C7: an empty disk that founds an ensemble, or never starts."""
    marker = _data(environment) / "initialize"
    marker.parent.mkdir()
    marker.write_text("")  # Left by a start that never came.
    assert prepare(environment, _outside(cluster, claim)) == 0
    assert not marker.exists()
    assert "server.2=" in (_data(environment) / "zoo.cfg.dynamic").read_text()


def _recovery(uid: str | None, name: str = "data-zk-1", role: str = "participant") -> Any:
    members = [{"id": n, "name": f"zk-{n - 1}", "role": role} for n in (1, 2, 3)]
    volume = {"name": name, "replaces": "old"} | ({"uid": uid} if uid is not None else {})
    recovery = {"incident": "a", "continueFrom": "zk-0", "volumes": [volume]}
    return _cluster("completed", members=members, recovery=recovery)


@pytest.mark.parametrize(
    ("cluster", "claim", "may_vote"),
    [
        pytest.param(_recovery(UID), UID, True, id="the-volume-is-let-vote"),
        pytest.param(_recovery(UID), "another", False, id="another-one-is-in-its-place"),
        pytest.param(_recovery(UID, "data-zk-0"), UID, False, id="another-server-is-let-vote"),
        pytest.param(_recovery(UID, role="observer"), UID, False, id="it-is-no-voter"),
        pytest.param(_recovery(""), "", False, id="nobody-knows-which-volume-it-is"),
    ],
)
def test_after_a_lost_majority_only_a_recorded_volume_may_vote(
    environment: dict[str, str], cluster: dict[str, Any], claim: str, may_vote: bool
) -> None:
    version = _data(environment) / "version-2"
    version.mkdir(parents=True)
    (version / "currentEpoch").write_text("-1")  # Left by its start without a vote.
    assert prepare(environment, _outside(cluster, claim)) == 0
    assert (_data(environment) / "initialize").exists() == may_vote
    assert (version / "currentEpoch").exists() != may_vote
    assert "server.2=" in (_data(environment) / "zoo.cfg.dynamic").read_text()


def test_a_volume_with_data_is_as_it_is_in_a_recovery(environment: dict[str, str]) -> None:
    """It was let in, and has caught up since: a second marker could empty it."""
    version = _data(environment) / "version-2"
    version.mkdir(parents=True)
    (version / "snapshot.0").write_text("")
    assert prepare(environment, _outside(_recovery(UID))) == 0
    assert not (_data(environment) / "initialize").exists()


def test_a_new_pod_of_ephemeral_storage_waits_until_it_is_on_the_record(
    environment: dict[str, str],
) -> None:
    environment |= {"CLAIM": ""}
    answers = [_recovery("uid-of-zk-1", "zk-1"), _recovery(None, "zk-1"), _recovery(None, "zk-1")]
    outside = Outside(lambda _: answers.pop(), lambda _: {"10.0.0.7"}, 5.0)
    assert prepare(environment, outside) == 0
    assert answers == []
    assert (_data(environment) / "initialize").exists()


def test_a_server_outside_the_member_list_joins_as_observer(environment: dict[str, str]) -> None:
    members = [{"id": 1, "name": "zk-0", "role": "participant"}]
    assert prepare(environment, _outside(_cluster("completed", members=members))) == 0
    lines = (_data(environment) / "zoo.cfg.dynamic").read_text().splitlines()
    assert [line.split(":", 3)[3] for line in lines] == [
        "participant;0.0.0.0:2181",
        "observer;0.0.0.0:2181",
    ]


def _api_server_away(path: str) -> None:
    raise Unavailable(f"the API server cannot be reached: {path}")


def test_a_kept_disk_of_a_server_that_was_taken_out_joins_as_observer(
    environment: dict[str, str],
) -> None:
    """Several such servers, each with an old list of all of them, could elect each other."""
    data = _data(environment)
    (data / "version-2").mkdir(parents=True)
    (data / "version-2/snapshot.0").write_text("")
    own_list = data / "zoo.cfg.dynamic.100000000"
    own_list.write_text("server.2=a:1:2:participant;3\n")
    (data / "conf").mkdir()
    (data / "conf/zoo.cfg").write_text(f"dynamicConfigFile={own_list}\n")
    members = [{"id": 1, "name": "zk-0", "role": "participant"}]
    assert prepare(environment, _outside(_cluster("completed", members=members))) == 0
    lines = (data / "zoo.cfg.dynamic").read_text().splitlines()
    assert [line.split(":", 3)[3] for line in lines] == [
        "participant;0.0.0.0:2181",
        "observer;0.0.0.0:2181",
    ]


@pytest.mark.parametrize("held", ["snapshot.0", "log.100000001"])
def test_a_server_with_data_and_its_own_list_needs_nobody_and_keeps_its_list(
    environment: dict[str, str], held: str
) -> None:
    """Guards against C5: a start that needs a quorum."""
    data = _data(environment)
    (data / "version-2").mkdir(parents=True)
    (data / "version-2" / held).write_text("")
    own_list = data / "zoo.cfg.dynamic.100000000"
    own_list.write_text("server.2=a:1:2:participant;3\n")
    (data / "conf").mkdir()
    (data / "conf/zoo.cfg").write_text(f"old=1\ndynamicConfigFile={own_list}\n")
    assert prepare(environment, Outside(_api_server_away, lambda _: {"10.0.0.7"})) == 0
    static = (data / "conf/zoo.cfg").read_text()
    assert f"dynamicConfigFile={own_list}\n" in static
    assert "tickTime=2000" in static
    assert "old=1" not in static
    assert own_list.read_text() == "server.2=a:1:2:participant;3\n"
    assert not (data / "initialize").exists()


def test_a_server_with_data_that_its_list_does_not_name_takes_the_list_from_the_record(
    environment: dict[str, str],
) -> None:
    """It synced, restarted, and would exit with `My id not in the peer list`."""
    data = _data(environment)
    (data / "version-2").mkdir(parents=True)
    (data / "version-2/snapshot.0").write_text("")
    (data / "conf").mkdir()
    (data / "conf/zoo.cfg").write_text(f"dynamicConfigFile={data}/gone\n")
    assert prepare(environment, _outside(_cluster("open"))) == 0
    assert not (data / "initialize").exists()
    assert "server.2=" in (data / "zoo.cfg.dynamic").read_text()


def test_the_recorded_list_has_its_version_in_the_name_of_its_file(
    environment: dict[str, str],
) -> None:
    """A server gives way to newer lists, so it has to know how old its own is."""
    data = _data(environment)
    (data / "version-2").mkdir(parents=True)
    (data / "version-2/snapshot.0").write_text("")
    members = [{"id": number, "role": "participant", "configVersion": 0x1F} for number in (1, 2)]
    assert prepare(environment, _outside(_cluster("completed", members=members))) == 0
    assert "server.2=" in (data / "zoo.cfg.dynamic.1f").read_text()
    assert f"dynamicConfigFile={data}/zoo.cfg.dynamic.1f\n" in (data / "conf/zoo.cfg").read_text()


def test_a_transaction_log_on_its_own_volume_counts_as_data(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Guards against G1: logs that are lost with the pod. The marker lies beside the logs."""
    environment |= {"DATA_LOG_DIR": str(tmp_path / "log"), "CLAIM": ""}
    outside = _outside(_cluster("open"))
    recorded = {"bootstrap": {"volumes": [{"name": "zk-1", "uid": "uid-of-zk-1"}]}}
    cluster = _cluster("open")
    cluster["status"]["bootstrap"] |= recorded["bootstrap"]
    assert prepare(environment, Outside(lambda _: cluster, outside.addresses)) == 0
    assert (tmp_path / "log/initialize").is_file()
    assert not (_data(environment) / "initialize").exists()


@pytest.mark.parametrize(
    ("cluster", "claim", "told"),
    [
        pytest.param(None, UID, "no record", id="no-cluster"),
        pytest.param({"status": {}}, UID, "no record", id="no-record"),
        pytest.param(_cluster(), "another", "is not on the record", id="another-volume"),
        pytest.param(_cluster(), "", "is not on the record", id="no-claim"),
    ],
)
def test_what_is_not_on_record_is_waited_for_and_then_given_up(
    environment: dict[str, str],
    caplog: pytest.LogCaptureFixture,
    cluster: dict[str, Any] | None,
    claim: str,
    told: str,
) -> None:
    caplog.set_level("INFO")
    assert prepare(environment, _outside(cluster, claim, deadline=0.3)) == 1
    assert [record.message.split(":")[0] for record in caplog.records] == ["waiting", "giving up"]
    assert told in caplog.text
    assert not (_data(environment) / "initialize").exists()


@pytest.mark.parametrize("error", [Unavailable("no route"), Refused("forbidden")], ids=type)
def test_an_api_server_that_fails_is_asked_again(
    environment: dict[str, str], error: Exception
) -> None:
    answers: list[Callable[[], Any]] = [_raising(error), _raising(error)]
    working = _outside(_cluster())

    def read(path: str) -> Any:
        return answers.pop()() if answers else working.read(path)

    assert prepare(environment, Outside(read, working.addresses, 5.0)) == 0
    assert (_data(environment) / "initialize").is_file()


def _raising(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


def test_a_name_is_waited_for_until_it_is_this_pods(environment: dict[str, str]) -> None:
    answers = [set(), {"10.0.0.6"}, {"10.0.0.7"}]
    asked: list[str] = []

    def addresses(name: str) -> set[str]:
        asked.append(name)
        return answers.pop(0)

    assert prepare(environment, Outside(_outside(_cluster()).read, addresses, 5.0)) == 0
    assert asked == ["zk-1.zk.apps.svc.cluster.local"] * 3


def test_a_name_that_stays_another_pods_is_given_up(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    assert prepare(environment, _outside(_cluster(), addresses=["10.0.0.6"], deadline=0.2)) == 1
    assert "does not resolve to 10.0.0.7" in caplog.text
