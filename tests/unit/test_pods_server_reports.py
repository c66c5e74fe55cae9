"""What the agent makes of a server's answers: the seed system's JSON, with a true status."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import pytest

from functions.api.errors import Unavailable
from functions.pods.server_reports import (
    client_report,
    member_list_report,
    runok_report,
    status_report,
)

OK, UNAVAILABLE = HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE
SRVR = """Zookeeper version: 3.9.5-46a4b3, built on 2026-01-02 03:04 UTC
Latency min/avg/max: 0/1.6/12
Received: 101
Sent: 100
Connections: 2
Outstanding: 1
Zxid: 0x30000000a
Mode: follower
Node count: 6
"""
SRVR_35 = SRVR.replace("2026-01-02 03:04 UTC", "05/16/2019 12:42 GMT").replace("1.6", "1")
SILENT = "This ZooKeeper instance is not currently serving requests\n"
CONS = """ /10.0.0.7:41000[1](queued=0,recved=7,sent=7,sid=0xff00000000000001,lop=PING,\
est=1767323045678,to=15000,lcxid=0x5,lzxid=0xffffffffffffffff,lresp=123,llat=1,minlat=0,avglat=0,maxlat=3)
 /[fd00::7]:41001[0](queued=0,recved=1,sent=0)

"""
CONF = """clientPort=2181
membership:
server.2=zk-1.zk:2888:3888:observer;0.0.0.0:2181
server.1=zk-0.zk:2888:3888:participant;0.0.0.0:2181
version=10000000a"""

Ask = Callable[[str], str]


def _answers(text: str) -> Ask:
    return lambda _: text


def _nobody(word: str) -> str:
    raise Unavailable(f"nobody answers {word}")


def test_status_is_what_srvr_says_under_the_seed_systems_names() -> None:
    told = status_report(_answers(SRVR))
    assert told.status is OK
    assert told.content == {
        "Sent": 100, "Received": 101, "NodeCount": 6, "MinLatency": 0, "AvgLatency": 2,
        "MaxLatency": 12, "Connections": 2, "Outstanding": 1, "Epoch": 3, "Counter": 10,
        "BuildTime": "2026-01-02T03:04:00Z", "Mode": 2, "Role": "follower",
        "Version": "3.9.5-46a4b3", "Error": None,
    }  # fmt: skip


def test_dates_and_latencies_of_every_version_are_read() -> None:
    told = status_report(_answers(SRVR_35)).content
    assert (told["BuildTime"], told["AvgLatency"]) == ("2019-05-16T12:42:00Z", 1)
    unknown = status_report(_answers(SRVR.replace("2026-01-02 03:04 UTC", "some day"))).content
    assert (unknown["BuildTime"], unknown["Sent"]) == ("0001-01-01T00:00:00Z", 100)


def test_an_average_far_below_a_millisecond_is_one_that_java_prints_otherwise() -> None:
    told = status_report(_answers(SRVR.replace("1.6", "5.0E-4")))
    assert (told.status, told.content["AvgLatency"]) == (OK, 0)


@pytest.mark.parametrize(
    ("role", "mode"), [("leader", 1), ("follower", 2), ("standalone", 3), ("observer", 0)]
)
def test_a_role_has_the_number_that_the_seed_systems_clients_know(role: str, mode: int) -> None:
    told = status_report(_answers(SRVR.replace("follower", role))).content
    assert (told["Mode"], told["Role"]) == (mode, role)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        pytest.param(_answers(SILENT), "not currently serving", id="serves-nobody"),
        pytest.param(_nobody, "nobody answers srvr", id="nobody-there"),
        pytest.param(_answers(SRVR[: SRVR.index("Node")]), "not be understood", id="cut"),
        pytest.param(_answers(SRVR.replace("0x3", "zz")), "not be understood", id="no-zxid"),
        pytest.param(_answers(SRVR.replace("Latency", "L")), "not be understood", id="no-latency"),
        pytest.param(_answers(SRVR.replace("1.6", "NaN")), "not be understood", id="no-number"),
        pytest.param(_answers(SRVR.replace("Sent", "S")), "not be understood", id="no-counter"),
    ],
)
def test_what_srvr_does_not_say_is_503_in_the_same_shape(ask: Ask, sentence: str) -> None:
    told = status_report(ask)
    assert told.status is UNAVAILABLE
    assert sentence in told.content["Error"]
    assert told.content.keys() == status_report(_answers(SRVR)).content.keys()
    assert (told.content["Mode"], told.content["Role"]) == (0, "none")


def test_client_is_every_connection_that_cons_shows() -> None:
    told = client_report(_answers(CONS))
    first, second = told.content["Clients"]
    assert told.status is OK
    assert told.content["Error"] is None
    assert first == {
        "Queued": 0, "Received": 7, "Sent": 7, "SessionID": -0xFFFFFFFFFFFFFF, "Lcxid": 5,
        "Lzxid": -1, "Timeout": 15000, "LastLatency": 1, "MinLatency": 0, "AvgLatency": 0,
        "MaxLatency": 3, "Established": "2026-01-02T03:04:05Z",
        "LastResponse": "1970-01-01T00:00:00Z", "Addr": "10.0.0.7:41000", "LastOperation": "PING",
        "Error": None,
    }  # fmt: skip
    assert (second["Addr"], second["SessionID"]) == ("[fd00::7]:41001", 0)
    assert second["Established"] == "0001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        pytest.param(_nobody, "nobody answers cons", id="nobody-there"),
        pytest.param(_answers(SILENT), "not be understood", id="serves-nobody"),
        pytest.param(_answers(" /a:1[1](sent=many)\n"), "not be understood", id="no-number"),
        pytest.param(_answers(f" /a:1[1](sid=0x{'f' * 17})\n"), "not be understood", id="too-long"),
    ],
)
def test_what_cons_does_not_say_is_503_in_the_same_shape(ask: Ask, sentence: str) -> None:
    told = client_report(ask)
    assert told.status is UNAVAILABLE
    assert told.content["Clients"] is None
    assert sentence in told.content["Error"]


@pytest.mark.parametrize(
    ("ask", "is_ok"),
    [
        pytest.param(_answers("imok"), True, id="answers"),
        pytest.param(_answers("no"), False, id="says-something-else"),
        pytest.param(_nobody, False, id="nobody-there"),
    ],
)
def test_runok_is_true_with_200_and_false_with_503(ask: Ask, is_ok: bool) -> None:
    told = runok_report(ask)
    assert (told.content, told.status) == (is_ok, OK if is_ok else UNAVAILABLE)


def test_get_is_the_member_list_in_the_order_of_the_ids() -> None:
    assert member_list_report(_answers(CONF)).content == {
        "record": "server.1=zk-0.zk:2888:3888:participant;0.0.0.0:2181\n"
        "server.2=zk-1.zk:2888:3888:observer;0.0.0.0:2181\n"
        "version=10000000a"
    }
    with pytest.raises(Unavailable):
        member_list_report(_answers(SILENT))
