"""What a person is told about a spec that is followed all the same."""

from __future__ import annotations

from typing import Any

import pytest

from functions.api.cluster import ZooKeeperCluster
from functions.planning.advice import concerns, spec_safe

USERS = {"login": {"users": [{"secretName": "alice"}]}}


def _cluster(**spec: Any) -> ZooKeeperCluster:
    return ZooKeeperCluster.parse({"metadata": {"name": "zk"}, "spec": spec})


@pytest.mark.parametrize(
    ("version", "issues"),
    [
        ("3.9.5", []),
        ("3.9.4", []),
        ("3.9.3", ["ZOOKEEPER-4925", "ZOOKEEPER-4846"]),
        ("3.9.2", ["ZOOKEEPER-4846"]),
        ("3.9.1", ["ZOOKEEPER-4785", "ZOOKEEPER-4846"]),
        ("3.8.5", []),
        ("3.8.4", ["ZOOKEEPER-4785", "ZOOKEEPER-4846"]),
        ("3.7.0", ["ZOOKEEPER-4785", "ZOOKEEPER-4846"]),
        ("3.6.4", ["ZOOKEEPER-4785", "ZOOKEEPER-4846"]),
        ("3.10.0", []),
    ],
)
def test_a_version_with_known_defects_is_named_with_each_of_them(
    version: str, issues: list[str]
) -> None:
    told = " ".join(concern.sentence for concern in concerns(_cluster(version=version)))
    assert [
        issue for issue in ("ZOOKEEPER-4925", "ZOOKEEPER-4785", "ZOOKEEPER-4846") if issue in told
    ] == issues


@pytest.mark.parametrize(
    ("spec", "reasons"),
    [
        pytest.param({"replicas": 3}, [], id="three-voters"),
        pytest.param({"replicas": 1}, ["DrainBlocked"], id="one-voter"),
        pytest.param({"replicas": 2}, ["DrainBlocked", "EvenVoters"], id="two-voters"),
        pytest.param({"replicas": 4}, ["EvenVoters"], id="four-voters"),
        pytest.param({"storage": {"ephemeral": True}}, ["EphemeralStorage"], id="ephemeral"),
        pytest.param({**USERS, "version": "3.9.3"}, ["KnownDataLoss"], id="users-kept-apart"),
        pytest.param({**USERS, "version": "3.8.5"}, ["UsersMixedUp"], id="users-that-are-mixed-up"),
        pytest.param({**USERS, "image": "zookeeper:3.8"}, [], id="users-of-half-a-version"),
        pytest.param({"image": "zookeeper@sha256:00"}, [], id="unknown-version"),
        pytest.param({"image": "zookeeper:3.9"}, [], id="half-a-version"),
        pytest.param(
            {"version": "3.9.3", "replicas": 2, "storage": {"ephemeral": True}},
            ["KnownDataLoss", "EphemeralStorage", "DrainBlocked", "EvenVoters"],
            id="the-most-serious-first",
        ),
    ],
)
def test_every_concern_is_told(spec: dict[str, Any], reasons: list[str]) -> None:
    cluster = _cluster(**spec)
    assert [concern.reason for concern in concerns(cluster)] == reasons
    wanted = spec_safe(cluster)
    assert wanted.status == ("False" if reasons else "True")
    assert wanted.reason == (reasons[0] if reasons else "NoConcerns")
