"""Users by the commands of docs/operations/users.md: a first one, a new password, nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import pages
from tests.system.clusters import Cluster
from tests.system.test_cluster_tls import Manual

pytestmark = [pytest.mark.system, pytest.mark.soak]

PAGE = pages.ROOT / "docs/operations/users.md"
FLAGS = "-Djava.security.auth.login.config=/tmp/alice.jaas -Dzookeeper.fips-mode=false"
ALICE = f"env CLIENT_JVMFLAGS='{FLAGS}'"


def _get(cluster: Cluster, node: str, who: str = "") -> str:
    """Return what ZooKeeper's client says to somebody who wants to read a node."""
    command = f"{who} zkCli.sh get {node} 2>&1"
    return cluster.kubectl("exec", "small-0", "--", "sh", "-c", command, check=False).stdout


def test_users_are_known_demanded_changed_and_taken_out(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    blocks = ["\n".join(block.commands) for block in pages.blocks(PAGE)]
    make, log_in, require, renew, take_out = blocks
    bring_file = log_in.splitlines()[1]
    small = Cluster(cluster.platform, namespace, "small")
    manual = Manual(small, tmp_path).prepare()
    small.apply(replicas=3)
    small.until_settled(120)
    manual.run(make)
    assert "Refused, as it should be" in manual.run(log_in)

    manual.run(require)
    small.until_settled(120)
    assert "alices-own" not in _get(small, "/shop")
    # The file went with the pod that had it.
    manual.run(bring_file)
    assert "alices-own" in _get(small, "/shop", ALICE)
    small.patch({"replicas": 1})
    small.until_settled(120)

    manual.run(renew)
    small.until_settled(120)
    manual.run(bring_file)
    assert "alices-own" not in _get(small, "/shop", ALICE)
    manual.run(f"sed -i s/wonderland/looking-glass/ alice.jaas; {bring_file}")
    assert "alices-own" in _get(small, "/shop", ALICE)

    manual.run(take_out)
    small.until_settled(120)
    assert "cversion" in _get(small, "-s /zookeeper")
