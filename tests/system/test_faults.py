"""Each fault on purpose does what it says, `list` shows it, and `clear` undoes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.platform.handle import Platform, eventually

pytestmark = pytest.mark.system

# Says where it is, serves its folder, and counts.
PROGRAM = """
cd /data; echo here > mark
python3 -m http.server 8000 >/dev/null 2>&1 &
n=0; while :; do n=$((n+1)); echo "$n"; sleep 0.1; done
"""
ASK = "import sys,urllib.request as u; print(u.urlopen(sys.argv[1], timeout=1).read().decode())"


class Victims:
    """Two pods of one namespace; the first has a claim of a size that holds."""

    def __init__(self, platform: Platform, namespace: str) -> None:
        self.platform, self.namespace = platform, namespace

    def fault(self, *words: str, check: bool = True) -> str:
        inside = () if words[0] in ("list", "clear", "stop-api") else ("-n", self.namespace)
        done = self.platform.local("fault", *words, *inside, check=check)
        assert check or done.returncode == 1
        return done.stdout + done.stderr

    def create(self, name: str, volume: dict[str, Any]) -> None:
        container = {
            "name": "c",
            "image": "debian:12",
            "command": ["bash", "-c", PROGRAM],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        }
        spec = {"terminationGracePeriodSeconds": 1, "containers": [container]}
        volumes = [{"name": "data", **volume}]
        pod = {"metadata": {"name": name}, "spec": {**spec, "volumes": volumes}}
        self.apply({"apiVersion": "v1", "kind": "Pod", **pod})

    def apply(self, manifest: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", input=json.dumps(manifest))

    def kubectl(self, *words: str, input: str | None = None) -> str:
        return self.platform.kubectl("-n", self.namespace, *words, input=input).stdout

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "pod", name, "-o", "json"))["status"]
        return found

    def restarts(self, name: str) -> int:
        return int(self.status(name)["containerStatuses"][0]["restartCount"])

    def count(self, name: str) -> str:
        return self.kubectl("logs", name, "--tail=1")

    def reaches(self, one: str, other: str) -> bool:
        address = self.status(other).get("podIP", "not.there.yet.invalid")
        url = f"http://{address}:8000/mark"
        words = ("exec", one, "--", "python3", "-c", ASK, url)
        return self.platform.kubectl("-n", self.namespace, *words, check=False).returncode == 0

    def write(self, size: int) -> str:
        """Write into the first pod's volume; returns what was said about it."""
        command = f"head -c {size} /dev/zero > /data/written; rm -f /data/written"
        words = ("-n", self.namespace, "exec", "a", "--", "bash", "-c", command)
        done = self.platform.kubectl(*words, check=False)
        return done.stderr


@pytest.fixture(scope="module")
def pair(platform: Platform, shared_namespace: str) -> Victims:
    found = Victims(platform, shared_namespace)
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "sized",
        "resources": {"requests": {"storage": "4Mi"}},
    }
    kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}}
    found.apply({**kind, "spec": claim})
    found.create("a", {"persistentVolumeClaim": {"claimName": "data"}})
    found.create("b", {"emptyDir": {}})
    found.kubectl("wait", "pod", "a", "b", "--for=condition=Ready", "--timeout=30s")
    return found


@pytest.fixture
def victims(pair: Victims) -> Iterator[Victims]:
    """Two pods that reach each other; whatever a test leaves is cleared."""
    eventually(lambda: pair.reaches("a", "b") and pair.reaches("b", "a"), what="both serve")
    try:
        yield pair
    finally:
        pair.fault("clear")
        assert pair.fault("list") == "no fault is in force\n"


def test_a_killed_container_is_started_again(victims: Victims) -> None:
    before = victims.restarts("a")
    victims.fault("kill", "a")
    eventually(lambda: victims.restarts("a") == before + 1, what="the restart")
    assert victims.fault("list") == "no fault is in force\n"


@pytest.mark.soak
def test_a_paused_container_stands_still_until_it_is_resumed(victims: Victims) -> None:
    victims.fault("pause", "a")
    assert f"paused   {victims.namespace}/a, container c" in victims.fault("list")
    standing = victims.count("a")
    assert not victims.reaches("b", "a")
    assert victims.count("a") == standing
    victims.fault("resume", "a")
    eventually(lambda: victims.count("a") != standing, what="it counts again")


@pytest.mark.soak
def test_a_cut_off_pod_reaches_nobody_until_it_is_joined(victims: Victims) -> None:
    victims.fault("cut", "a")
    assert f"cut      {victims.namespace}/a\n" in victims.fault("list")
    assert not victims.reaches("a", "b")
    assert not victims.reaches("b", "a")
    victims.fault("join", "a")
    eventually(lambda: victims.reaches("b", "a"), what="it is reached again")


@pytest.mark.soak
def test_a_pod_can_be_cut_off_from_one_other(victims: Victims) -> None:
    victims.create("c", {"emptyDir": {}})
    eventually(lambda: victims.reaches("a", "c"), what="a third pod")
    victims.fault("cut", "a", "--from", "b")
    victims.fault("cut", "a", "--from", f"{victims.namespace}/b")
    assert f"{victims.namespace}/a from {victims.namespace}/b\n" in victims.fault("list")
    assert not victims.reaches("a", "b")
    assert not victims.reaches("b", "a")
    assert victims.reaches("a", "c")
    victims.fault("clear")
    assert victims.reaches("b", "a")


@pytest.mark.soak
def test_a_lost_volume_is_empty_and_its_server_starts_anew(victims: Victims) -> None:
    victims.kubectl("exec", "a", "--", "touch", "/data/kept")
    before = victims.restarts("a")
    victims.fault("lose-volume", "a")
    eventually(lambda: victims.restarts("a") == before + 1, what="the restart")
    eventually(lambda: victims.reaches("b", "a"), what="its first file")
    assert victims.kubectl("exec", "a", "--", "ls", "/data").split() == ["mark"]


@pytest.mark.soak
def test_a_full_disk_takes_nothing_until_there_is_room_again(victims: Victims) -> None:
    assert victims.write(2**20) == ""
    victims.fault("fill", "a")
    assert f"full     {victims.namespace}/a, volume data" in victims.fault("list")
    assert "No space left on device" in victims.write(2**20)
    victims.fault("free", "a")
    assert victims.write(2**20) == ""
    assert "No space left on device" in victims.write(5 * 2**20), "its size holds"


@pytest.mark.soak
def test_the_api_server_stays_away_until_it_is_started(victims: Victims) -> None:
    victims.fault("stop-api")
    assert "stopped  the API server" in victims.fault("list")
    asked = victims.platform.kubectl("get", "--raw", "/readyz", check=False)
    assert asked.returncode != 0
    before = victims.fault("kill", "b")
    assert before == "", "pods are found without the API server"
    victims.fault("clear")
    assert victims.platform.kubectl("get", "--raw", "/readyz").stdout == "ok"
    eventually(lambda: victims.restarts("b") == 1, what="the restart is told")


@pytest.mark.soak
def test_lost_events_are_told_and_delivered_again(victims: Victims) -> None:
    victims.fault("drop-events")
    assert f"events   drop: those about namespace {victims.namespace}" in victims.fault("list")
    victims.fault("clear")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("kill", "z"), "no pod z runs in namespace", id="no-such-pod"),
        pytest.param(("kill", "a", "-c", "z"), "no container z; it has c", id="no-such-container"),
        pytest.param(("fill", "b"), "no volume from a claim", id="no-claim"),
        pytest.param(("cut", "a", "--from", "z"), "no pod z", id="no-such-peer"),
    ],
)
def test_what_cannot_be_done_is_said(pair: Victims, words: tuple[str, ...], said: str) -> None:
    assert said in pair.fault(*words, check=False)
