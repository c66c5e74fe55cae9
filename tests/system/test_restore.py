"""Backups put back: in place under connected clients, into ensembles of other sizes, from other
stores; what is damaged is refused; and what dies meanwhile leaves the old data or the new."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.faults.wish import Wish
from local.platform.handle import Platform
from local.platform.state import State
from local.stores import place
from tests.system.backups import (
    ENDED,
    Asked,
    backup,
    differences,
    dump,
    fill,
    give_keys,
    holds,
    location,
    restore,
)
from tests.system.clusters import FUNCTIONS_NAMESPACE, NOBODY, Cluster
from tests.system.faults import api_server_away, fault
from tests.system.rest import Manifest
from tests.system.writing import unchecked_writes

# `make test` restores by the page (test_backup_manual.py); these take twice as long.
pytestmark = [pytest.mark.system, pytest.mark.soak]

# Nodes with a time to live are among the data; and only those who must come in may.
WITH_TTL = {
    "jvmFlags": ["-Dzookeeper.extendedTypesEnabled=true"],
    "networkPolicy": NOBODY,
}


@dataclass(frozen=True, slots=True)
class Taken:
    """A backup made while a writer wrote, and what it must hold."""

    key: str
    zxid: str
    tree: dict[str, str]
    acknowledged: Path

    def assert_is_in(self, cluster: Cluster) -> None:
        """Every node is as it was, and of the writer all up to the zxid and nothing after it."""
        assert differences(self.tree, dump(cluster)) == []
        for host, counts in holds(cluster, self.acknowledged, self.zxid).items():
            assert counts["wanted"] > 20
            assert (counts["missing"], counts["later"]) == (0, 0), host


@pytest.fixture(scope="module")
def full(product: Platform, shared_namespace: str) -> Cluster:
    """An ensemble with every kind of node."""
    cluster = Cluster(product, shared_namespace, "full")
    give_keys(cluster)
    cluster.apply(replicas=3, **WITH_TTL)
    cluster.until_settled(90)
    fill(cluster)
    return cluster


@pytest.fixture(scope="module")
def taken(full: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    file = tmp_path_factory.mktemp("taken") / "acknowledged"
    with unchecked_writes(full, file) as writes:
        made = backup(full, "taken", location(place.S3))
        status = made.until_over()
        count = writes.count()
        made.until(lambda: writes.count() > count + 50, "some writes after the backup")
    assert status["status"] == "completed", status
    (record,) = status["record"]
    return Taken(record["key"], record["zxid"], dump(full), file)


@pytest.fixture(scope="module")
def other(product: Platform, shared_namespace: str) -> Cluster:
    """An ensemble of another size, with other data."""
    cluster = Cluster(product, shared_namespace, "other")
    cluster.apply(replicas=1, **WITH_TTL)
    cluster.until_settled(90)
    cluster.write("/others", "own")
    return cluster


def copied(cluster: Cluster, taken: Taken, name: str) -> Path:
    """Copy a backup from S3 to OSS, where objects are files as well; returns the folder."""
    state = State(cluster.platform.state)
    there = place.folder(state, place.S3) / place.BUCKET / taken.key
    here = place.folder(state, place.OSS) / place.BUCKET / name
    shutil.copytree(there, here)
    return here


def test_staged_is_not_in_place_and_in_place_lets_connected_clients_go_on(
    full: Cluster, taken: Taken, tmp_path: Path
) -> None:
    members, secret = _members(full), full.get("secret", "full-super-user")
    with unchecked_writes(full, tmp_path / "acknowledged") as writes:
        made = restore(full, "in-place", location(place.S3, key=taken.key), rolloutRestart=False)
        status = made.until_over()
        assert status["status"] == "completed"
        assert "rolloutRestart" in status["message"]
        epochs = writes.epochs()
        made.patch({"rolloutRestart": True})
        made.until(lambda: made.word in ("restarted", "failed"), "the restore", 180)
        assert made.word == "restarted", made.message
        count = writes.count()
        made.until(lambda: writes.count() > count + 50, "the connected clients to go on")
    assert writes.epochs()[-1] > epochs[-1]
    taken.assert_is_in(full)
    full.until_settled()
    assert _members(full) == members
    assert full.get("secret", "full-super-user")["data"] == secret["data"]


def _members(cluster: Cluster) -> list[tuple[int, str, str]]:
    return [(each["id"], each["name"], each["role"]) for each in cluster.status()["members"]]


@pytest.mark.soak
def test_a_backup_goes_into_an_ensemble_of_another_size(other: Cluster, taken: Taken) -> None:
    made = restore(other, "elsewhere", location(place.S3, key=taken.key))
    assert made.until_over(180)["status"] == "restarted", made.message
    taken.assert_is_in(other)
    other.until_settled()


@pytest.mark.soak
def test_a_directory_of_the_seed_system_is_restored_with_a_warning(
    other: Cluster, taken: Taken
) -> None:
    """Guards against C17: a download that succeeds is reported as an error."""
    folder = copied(other, taken, "seed/backup-test/once/backup-test-jw7dc")
    (folder / "manifest.json").unlink()
    key = "seed/backup-test/once/backup-test-jw7dc"
    source = {"labelSelector": {"operator": "zookeeper", "instance": "other"}}
    made = restore(other, "seed", location(place.OSS, key=key), target=source)
    status = made.until_over(180)
    assert status["status"] == "restarted", status
    assert any("manifest" in warning for warning in status["warnings"]), status
    taken.assert_is_in(other)


@pytest.mark.parametrize(
    "damage",
    [
        "flipped",
        pytest.param("truncated", marks=pytest.mark.soak),
        pytest.param("missing", marks=pytest.mark.soak),
    ],
)
def test_what_is_damaged_is_refused_before_anything_is_touched(
    other: Cluster, taken: Taken, damage: str
) -> None:
    folder = copied(other, taken, f"damaged/{damage}")
    log = max(folder.glob("log.*"), key=lambda path: path.stat().st_size)
    _damage(log, damage)
    before = _servers(other)
    made = restore(other, f"refused-{damage}", location(place.OSS, key=f"damaged/{damage}"))
    status = made.until_over()
    assert status["status"] == "failed"
    assert log.name in status["message"]
    assert _servers(other) == before


def _damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    match how:
        case "flipped":
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
        case "truncated":
            path.write_bytes(content[:-1])
        case _:
            path.unlink()


def _servers(cluster: Cluster) -> dict[str, int]:
    """The servers' pods by uid, with their restarts."""
    return {
        pod["metadata"]["uid"]: sum(c["restartCount"] for c in pod["status"]["containerStatuses"])
        for pod in cluster.pods().values()
    }


def test_a_key_that_is_not_there_is_refused(other: Cluster) -> None:
    made = restore(other, "nowhere", location(place.S3, key="nobody/none/once/x"))
    status = made.until_over()
    assert status["status"] == "failed"
    assert "nobody/none/once/x" in status["message"]


@pytest.mark.soak
def test_a_larger_ensemble_gets_the_same_data_on_every_server(
    product: Platform, shared_namespace: str, taken: Taken
) -> None:
    five = Cluster(product, shared_namespace, "five")
    five.apply(replicas=5, **WITH_TTL)
    five.until_settled(120)
    made = restore(five, "into-five", location(place.S3, key=taken.key))
    assert made.until_over(240)["status"] == "restarted", made.message
    taken.assert_is_in(five)
    five.until_settled()


def _killing_the_function(made: Asked) -> None:
    kubectl = made.cluster.platform.kubectl
    pods = ("pods", "-l", "serving.knative.dev/service=restore")
    gone = ("--grace-period=0", "--force", "--wait=false")
    kubectl("-n", FUNCTIONS_NAMESPACE, "delete", *pods, *gone, check=False)


def _killing_the_jobs_pods(made: Asked) -> None:
    for pod in made.pods():
        name = pod["metadata"]["name"]
        gone = ("--grace-period=0", "--force", "--wait=false")
        made.cluster.kubectl("delete", "pod", name, *gone, check=False)


def _killing_a_server(made: Asked) -> None:
    """One that runs: none does while all are stopped, and one may be about to start again."""
    cluster = made.cluster
    for name in cluster.pods():
        wish = Wish("kill", name, cluster.namespace, container="zookeeper")
        if fault(cluster.platform, wish, check=False).returncode == 0:
            return


def _stopping_the_api_server(made: Asked) -> None:
    with api_server_away(made.cluster.platform):
        pass


@pytest.mark.soak
@pytest.mark.parametrize(
    "trouble",
    [
        _killing_the_function,
        _killing_the_jobs_pods,
        _killing_a_server,
        _stopping_the_api_server,
    ],
    ids=lambda trouble: trouble.__name__.strip("_"),
)
def test_trouble_at_every_step_ends_in_the_old_data_or_the_new(
    full: Cluster, taken: Taken, trouble: Callable[[Asked], None]
) -> None:
    full.until_settled(120)
    full.write("/old", "data")
    old = dump(full)
    name = trouble.__name__.strip("_").replace("_", "-")
    made = restore(full, name, location(place.S3, key=taken.key))
    struck: list[str] = []

    def is_over() -> bool:
        step = made.status().get("step", "")
        if step and step not in struck and made.word not in ENDED:
            struck.append(step)
            trouble(made)
        return made.word in ENDED

    made.until(is_over, "the end", 400)
    assert len(struck) >= 4, struck
    full.until_settled(180)
    if made.word == "restarted":
        taken.assert_is_in(full)
    else:
        assert differences(old, dump(full)) == []


@pytest.mark.soak
def test_scale_and_roll_wait_for_a_restore(other: Cluster, taken: Taken) -> None:
    made = restore(other, "first", location(place.S3, key=taken.key))
    made.until(
        lambda: made.status().get("step") in ("Arm", "Stop", "Start"), "it holds the servers"
    )
    other.patch({"replicas": 3, "restartedAt": "2026-01-01T00:00:00Z"})
    assert _operation(other).get("type") == "Restore"
    assert made.until_over(180)["status"] == "restarted"
    assert len(other.until_settled(180)["members"]) == 3
    taken.assert_is_in(other)
    other.patch({"replicas": 1})
    other.until_settled(120)


def _operation(cluster: Cluster) -> Manifest:
    found: Manifest = cluster.status().get("operation") or {}
    return found
