"""Stopping an ensemble under a continuous writer and waking it, by the commands of the manual."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.system.clusters import Cluster
from tests.system.writing import continuous_writes

pytestmark = pytest.mark.system

PAGE = Path("docs/operations/stop-and-wake.md")


def _run(cluster: Cluster, commands: str) -> str:
    """Run the page's commands one by one; return what they printed."""
    said = [cluster.kubectl(*shlex.split(line)[1:]).stdout for line in commands.splitlines()]
    assert len(said) > 1
    return "".join(said)


@pytest.mark.soak
@pytest.mark.anywhere
def test_a_stopped_ensemble_wakes_with_every_acknowledged_write(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    small = Cluster(cluster.platform, namespace, "small")
    stop, wake = re.findall(r"```\n(.*?)```", PAGE.read_text(), re.DOTALL)
    small.apply(replicas=3)
    small.until_settled()
    volumes = {claim["metadata"]["uid"] for claim in small.all_of("pvc")}
    with continuous_writes(small, tmp_path, "stop and wake"):
        assert re.search(r"^small +3 +0 +False ", _run(small, stop), re.MULTILINE)
        assert small.pods() == {}
        small.until(
            lambda: {server["message"] for server in small.servers().values()} == {"is stopped"},
            "status to say of every server that it is stopped",
        )
        _run(small, wake)
        small.until_settled()
    assert {claim["metadata"]["uid"] for claim in small.all_of("pvc")} == volumes
    told = small.events()
    assert {"Stopping", "Stopped"} <= set(told)
    assert "NoQuorum" not in told
