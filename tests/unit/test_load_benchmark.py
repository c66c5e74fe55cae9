"""What the benchmark of many clusters counts, and what it does not let pass."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.hollow import Servers
from benchmarks.load_bounds import MOST_READS, Cost, broken
from benchmarks.processes import memory_of, memory_together
from benchmarks.requests import Requests
from functions.adapters.words import parse_conf, parse_stats

TEN = Cost(
    clusters=10, seconds=2, reads=200, writes=0, processor=1, memory=60, function="scale",
    given_up=0,
)  # fmt: skip
HUNDRED = replace(TEN, clusters=100, seconds=10, reads=2000, processor=8)
THOUSAND = replace(HUNDRED, clusters=1000, seconds=100, reads=20_000, processor=80)
LINE = {
    "user": {"username": "system:serviceaccount:zookeeper-functions:scale"},
    "verb": "get",
    "requestReceivedTimestamp": "2026-01-31T12:00:00.500000Z",
}
NOON = 1769860800.0


def test_a_linear_curve_breaks_no_bound() -> None:
    assert broken({"idle": [TEN, HUNDRED, THOUSAND]}, "idle") == []


@pytest.mark.parametrize(
    ("cost", "problem"),
    [
        pytest.param(replace(THOUSAND, memory=144.0), "scale held 144 MiB of 143", id="memory"),
        pytest.param(replace(THOUSAND, given_up=1), "1 events were given up", id="given-up"),
        pytest.param(replace(THOUSAND, writes=3), "3 requests wrote although", id="idle-writes"),
        pytest.param(replace(THOUSAND, reads=26_000), "reads per cluster grew 1.30", id="reads"),
        pytest.param(replace(THOUSAND, seconds=201), "seconds per cluster grew 2.01", id="time"),
        pytest.param(replace(THOUSAND, processor=200), "processor time per", id="processor"),
    ],
)
def test_what_breaks_a_bound_is_said(cost: Cost, problem: str) -> None:
    (said,) = broken({"idle": [cost, HUNDRED]}, "idle")
    assert said.startswith("1000 clusters, idle: ")
    assert problem in said


def test_who_is_asked_to_do_something_may_write() -> None:
    wrote = [replace(HUNDRED, writes=100), replace(THOUSAND, writes=1000)]
    assert broken({"change": wrote}, "idle") == []
    wrote[1] = replace(THOUSAND, writes=1300)
    assert "writes per cluster grew 1.30 times from 100 on" in broken({"change": wrote}, "")[0]


@pytest.mark.parametrize(("action", "most"), MOST_READS.items(), ids=MOST_READS.keys())
def test_no_cluster_costs_more_reads_than_a_look_for_each_delivery(
    action: str, most: float
) -> None:
    costs = [replace(it, reads=int(most * it.clusters)) for it in (TEN, HUNDRED, THOUSAND)]
    assert broken({action: costs}, "idle") == []
    costs[0] = replace(TEN, reads=int(most * 10) + 10)
    (said,) = broken({action: costs}, "idle")
    assert said.startswith(
        f"10 clusters, {action}: {most + 1:.0f} reads per cluster, {most:.0f} if"
    )


def test_what_a_few_clusters_cost_binds_nobody() -> None:
    more = replace(HUNDRED, seconds=100, processor=50, reads=9000)
    assert broken({"idle": [TEN, more]}, "idle") == []


def test_requests_are_counted_once_however_the_log_is_cut(tmp_path: Path) -> None:
    log, requests = tmp_path / "audit.log", Requests(tmp_path)
    line = f"{json.dumps(LINE, separators=(',', ':'))}\n"
    log.write_text(f"{line}{line}{line[:20]}")
    requests.follow()
    assert requests.reads == {"scale": 2}
    with log.open("a") as more:
        more.write(line[20:])
    log.rename(tmp_path / "audit-2026.log")
    log.write_text(line)
    requests.follow()
    requests.follow()
    assert requests.reads == {"scale": 4}
    assert requests.last == NOON + 0.5


def test_only_requests_of_the_functions_count_and_resync_wakes_nobody(tmp_path: Path) -> None:
    resync = {"user": {"username": "system:serviceaccount:zookeeper-functions:resync"}}
    later = {"requestReceivedTimestamp": "2026-01-31T13:00:00Z"}
    lines = (
        LINE,
        {**LINE, "verb": "patch", "requestReceivedTimestamp": "2026-01-31T12:00:01Z"},
        {**LINE, **resync, **later},
        {**LINE, "user": {"username": "admin"}, "requestURI": "zookeeper-functions", **later},
    )
    (tmp_path / "audit.log").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    requests = Requests(tmp_path)
    requests.follow()
    assert requests.reads == {"scale": 1, "resync": 1}
    assert requests.writes == {"scale": 1}
    assert requests.last == NOON + 1


def test_the_last_of_an_ensembles_hollow_servers_leads_all_of_them() -> None:
    servers = Servers(
        {"metadata": {"namespace": "n", "name": name}, "status": {"podIP": address}}
        for name, address in (("a-1", "10.0.0.2"), ("a-0", "10.0.0.1"), ("b-0", "10.0.0.9"))
    )
    modes = [parse_stats(servers.answer("srvr", f"10.0.0.{n}"), "").mode for n in (1, 2, 9)]
    assert modes == ["follower", "leader", "leader"]
    members = parse_conf(servers.answer("conf", "10.0.0.1"), "").members
    assert [(member.id, member.address.partition(":")[0]) for member in members] == [
        (1, "a-0.a.n.svc.cluster.local"),
        (2, "a-1.a.n.svc.cluster.local"),
    ]
    assert servers.answer("srvr", "10.0.0.3") == ""


def test_what_processes_share_is_counted_once_and_is_not_divided_among_strangers() -> None:
    mine = memory_of(os.getpid())
    together = memory_together([os.getpid()])
    assert mine.pss - 1 <= together <= mine.rss + 1
    assert memory_together([]) == 0
