"""Many clusters, in small: the benchmark of a thousand runs on a platform, with a few."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from local.platform.parts import CHECKOUT

pytestmark = [pytest.mark.system, pytest.mark.soak]

SECONDS = 900
ACTIONS = ("An idle time", "A resync of all", "A change of each", "Ten events of each pod")


def test_the_benchmark_of_many_clusters_measures_and_breaks_no_bound() -> None:
    command = [sys.executable, "-m", "benchmarks", "load", "--sizes", "2,10", "--json"]
    done = subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    value = {(each["title"], each["name"]): each["samples"][0] for each in figures}
    for action in ACTIONS:
        assert value[f"{action}, events given up", "10 clusters"] == 0
        assert value[f"{action}, most memory of a function", "10 clusters"] > 10
    assert value["An idle time, writes per cluster", "10 clusters"] == 0
    assert value["A change of each, writes per cluster", "10 clusters"] >= 1
    assert value["Ten events of each pod, reads per cluster", "10 clusters"] >= 1
