"""What the agent makes of a server's `mntr`, and what it says by itself."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

import pytest

from functions.api.errors import Unavailable
from functions.pods.disk import Folders
from functions.pods.endpoints import Asked, Reply
from functions.pods.server_metrics import metrics, of_server

NOBODY = 1  # Nothing listens there.

MNTR = (
    "zk_version\t3.6.4--d65253dcf68e, built on 12/18/2022 18:10 GMT\n"
    "zk_server_state\tleader\n"
    "zk_peer_state\tleading - broadcast\n"
    "zk_outstanding_requests\t0\n"
    "zk_avg_latency\t0.8415\n"
    "zk_max_file_descriptor_count\t20000\r\n"
    "zk_sum_readlatency\t26\n"
    "zk_cnt_readlatency\t60\n"
    'zk_jvm_memory_bytes_used{area="heap"}\t1.4480304E7\n'
    "zk_broken\tno number\n"
    "something else\n"
)


def test_numbers_have_the_names_of_the_servers_own_metrics() -> None:
    assert of_server(MNTR).splitlines() == [
        "outstanding_requests 0",
        "avg_latency 0.8415",
        "max_file_descriptor_count 20000",
        "readlatency_sum 26",
        "readlatency_count 60",
        'jvm_memory_bytes_used{area="heap"} 1.4480304E7',
    ]


def test_a_server_that_serves_nobody_has_no_numbers() -> None:
    assert of_server("This ZooKeeper instance is not currently serving requests\n") == ""


def _ask(path: str, data: Path, log: Path) -> Reply:
    folders = Folders(data, log, data, data, "zoo.cfg")
    endpoint = metrics(folders, (NOBODY,))[path]["GET"]
    return endpoint(Asked("", lambda: b""))


@pytest.mark.parametrize(
    ("log", "volumes"),
    [
        pytest.param("data", ["data"], id="one-volume"),
        pytest.param("log", ["data", "log"], id="two-volumes"),
        pytest.param("gone", ["data"], id="one-of-two-cannot-be-read"),
    ],
)
def test_the_agent_tells_the_room_on_each_volume(
    tmp_path: Path, log: str, volumes: list[str]
) -> None:
    for name in ("data", "log"):
        (tmp_path / name).mkdir()
    reply = _ask("/metrics", tmp_path / "data", tmp_path / log)
    rows = dict(
        line.rsplit(" ", 1) for line in str(reply.content).splitlines() if not line.startswith("#")
    )
    assert rows['zookeeper_server_role{role="none"}'] == "1"
    assert rows["zookeeper_server_serving"] == "0"
    sizes = {f'zookeeper_volume_size_bytes{{volume="{name}"}}' for name in volumes}
    assert sizes == {name for name in rows if "size" in name}
    assert all(
        0 <= int(rows[size.replace("size", "available")]) <= int(rows[size]) for size in sizes
    )
    assert (reply.status, reply.type.partition(";")[0]) == (HTTPStatus.OK, "text/plain")


def test_a_server_that_does_not_answer_is_said_to_be_away(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        _ask("/metrics/server", tmp_path, tmp_path)
