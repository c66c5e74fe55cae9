"""What `python -m local fault` understands, what it finds, and what it refuses."""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.__main__ import main
from local.faults import disks, links
from local.faults.errors import CannotFault
from local.faults.pods import Pod, find_pod, read_pod
from local.faults.processes import is_stopped
from local.faults.wish import OTHERS, PODS, Wish, describe
from local.platform.handle import eventually


def understood(*words: str) -> Wish:
    parser = argparse.ArgumentParser()
    describe(parser)
    return Wish.of_options(parser.parse_args(words))


@pytest.mark.parametrize(
    ("words", "wish"),
    [
        pytest.param("kill zk-0", Wish("kill", "zk-0", "default"), id="default-namespace"),
        pytest.param(
            "pause zk-0 -n a -c agent", Wish("pause", "zk-0", "a", container="agent"), id="one"
        ),
        pytest.param(
            "cut zk-0 --from zk-1 --from b/zk-2",
            Wish("cut", "zk-0", "default", peers=("zk-1", "b/zk-2")),
            id="cut-off-from-some",
        ),
        pytest.param(
            "lose-volume zk-0 --volume log",
            Wish("lose-volume", "zk-0", "default", volume="log"),
            id="one-volume",
        ),
        pytest.param("drop-events", Wish("drop-events"), id="all-events"),
        pytest.param("drop-events -n a", Wish("drop-events", namespace="a"), id="events-about"),
        pytest.param("clear", Wish("clear"), id="clear"),
    ],
)
def test_a_command_line_is_understood_and_carried_inside(words: str, wish: Wish) -> None:
    assert understood(*words.split()) == wish
    assert Wish.of_json(wish.to_json()) == wish


@pytest.mark.parametrize(
    "words", ["", "kill", "explode zk-0", "kill zk-0 --from zk-1", "list -n a"]
)
def test_what_is_no_fault_is_a_wrong_usage(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        understood(*words.split())
    assert stopped.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_the_help_names_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["fault", "--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    assert [name for name in (*PODS, *OTHERS) if f"    {name}" not in said] == []


def test_without_a_platform_a_fault_says_how_to_start_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fault", f"--state={tmp_path}", "kill", "zk-0"]) == 1
    assert "start one with `python -m local up`" in capsys.readouterr().err


def pod(name: str = "zk-0", *, pid: int = 7, uid: str = "u") -> Pod:
    return read_pod(
        {
            "namespace": "a",
            "name": name,
            "uid": uid,
            "address": "10.244.1.1",
            "network": "/run/netns/pod-u",
            "link": f"v{uid}",
            "containers": [
                {"name": "zookeeper", "kind": "main", "pid": pid},
                {"name": "agent", "kind": "sidecar", "pid": 9},
            ],
            "claims": {"data": "/volumes/one", "log": "/volumes/two"},
        }
    )


def test_of_two_pods_of_a_name_the_newer_one_is_meant() -> None:
    assert find_pod([pod(uid="old"), pod(uid="new")], "a", "zk-0").link == "vnew"


def test_a_pod_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(CannotFault, match=r"no pod zk-9 .* namespace a; there: zk-0, zk-1\."):
        find_pod([pod(), pod("zk-1")], "a", "zk-9")
    with pytest.raises(CannotFault, match="there: none"):
        find_pod([pod()], "b", "zk-0")


def test_the_first_container_is_meant_unless_one_is_named() -> None:
    assert pod().running().name == "zookeeper"
    assert pod().running("agent").pid == 9
    with pytest.raises(CannotFault, match="no container backup; it has zookeeper, agent"):
        pod().running("backup")
    with pytest.raises(CannotFault, match="zookeeper of pod a/zk-0 does not run"):
        pod(pid=0).running()


def test_all_claims_are_meant_unless_one_is_named() -> None:
    assert set(pod().volumes()) == {"data", "log"}
    assert pod().volumes("log") == {"log": Path("/volumes/two")}
    with pytest.raises(CannotFault, match="no volume tmp from a claim; there is data, log"):
        pod().volumes("tmp")


def test_a_stopped_process_is_told_from_one_that_runs_or_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert not is_stopped(process.pid)
        os.kill(process.pid, signal.SIGSTOP)
        eventually(lambda: is_stopped(process.pid), seconds=5)
        process.kill()
    assert not is_stopped(process.pid)


def test_an_emptied_volume_keeps_only_its_folder(tmp_path: Path) -> None:
    (tmp_path / "version-2").mkdir()
    (tmp_path / "version-2" / "log.1").touch()
    (tmp_path / "myid").symlink_to(tmp_path / "version-2")
    disks.empty(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_volume_without_a_size_is_never_filled(tmp_path: Path) -> None:
    with pytest.raises(CannotFault, match="storage class `sized`"):
        disks.fill(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_second_cut_of_the_same_pod_repeats_no_rule() -> None:
    text = links.rules(["10.244.1.1", "10.244.1.2"])
    assert text.index("flush table") < text.index("ip saddr @peers drop")
    assert "add element inet fault peers { 10.244.1.1, 10.244.1.2 }" in text


def test_a_pod_that_went_away_took_its_faults_along(tmp_path: Path) -> None:
    assert not links.is_there(pod())
    there = dataclasses.replace(pod(), network=str(tmp_path), link="")
    assert links.is_there(there)
    assert links.is_there(dataclasses.replace(there, link="lo"))
    assert not links.is_there(dataclasses.replace(there, link="v0000000000000"))
