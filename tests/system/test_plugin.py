"""`kubectl zk` as a person uses it: by kubectl, on a real platform, with the rights they have."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from local.platform.handle import Completed, Platform
from tests.pages import ROOT, commands
from tests.system.backups import give_keys
from tests.system.clusters import SMALL, Cluster
from tests.system.reader import Reader

pytestmark = [pytest.mark.system, pytest.mark.soak]

PAGE = ROOT / "docs/kubectl-zk.md"
# What one server shows as well as three do, and quickly.
QUICK = ("Look", "Back up and prove", "For scripts", "Completion")
SECONDS = 120
VIEWER = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "metadata": {"name": "viewer"},
    "rules": [
        {"apiGroups": ["zookeeper.example.com"], "resources": ["*"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
        {"apiGroups": ["apps"], "resources": ["statefulsets"], "verbs": ["get", "list"]},
    ],
}


@pytest.fixture(scope="module")
def small(product: Platform, shared_namespace: str) -> Cluster:
    """One server, under the name that the page has."""
    cluster = Cluster(product, shared_namespace, "small")
    cluster.apply(1)
    give_keys(cluster)
    cluster.until_settled()
    return cluster


def zk(cluster: Cluster, *words: str, kubeconfig: Path | None = None) -> Completed:
    """Run `kubectl zk` as admin, or as whom the kubeconfig names."""
    folder = cluster.platform.state / "bin"
    variables = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    where = (
        "--kubeconfig",
        str(kubeconfig or cluster.platform.kubeconfig),
        "-n",
        cluster.namespace,
    )
    return subprocess.run(
        [str(folder / "kubectl"), "zk", words[0], *where, *words[1:]],
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def told(done: Completed) -> Mapping[str, Any]:
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    found: Mapping[str, Any] = json.loads(done.stdout)
    assert found["version"] == 1
    return found


def test_the_commands_of_the_page_work_on_one_server(small: Cluster, tmp_path: Path) -> None:
    reader = Reader(small.platform, small.namespace, tmp_path)
    said = reader.run(command for heading in QUICK for command in commands(PAGE, heading))
    assert re.search(
        r"^small-0 +1 +leader +0x1\w+ +0 +\d+ +\S+ms +\d+ +node-\w$", said, re.MULTILINE
    )
    assert re.search(r"^scale \(ZooKeeperCluster small\): nothing to do$", said, re.MULTILINE)
    assert re.search(r"ZooKeeperCluster/small LeaderElected: small-0 leads", said)
    assert re.search(r"^\[zookeeper\]$", said, re.MULTILINE), "the client's answer, and no log"
    assert "INFO" not in said
    assert re.search(r"^PROVEN: \S+/once/once/backup-once-\w+$", said, re.MULTILINE)


def test_what_status_says_is_what_the_server_says(small: Cluster) -> None:
    found = told(zk(small, "status", "small", "-o", "json"))
    (server,) = found["servers"]
    assert found["cluster"]["isAsWanted"], found["conditions"]
    assert (server["name"], server["role"], server["ready"]) == ("small-0", "leader", True)
    before = int(server["counters"]["zxid"], 16)
    small.write("/written-meanwhile", "it")
    (server,) = told(zk(small, "status", "small", "-o", "json"))["servers"]
    assert int(server["counters"]["zxid"], 16) > before
    assert server["counters"]["lag"] == 0


def test_looking_writes_nothing(small: Cluster) -> None:
    version = small.get("zkcluster")["metadata"]["resourceVersion"]
    pods = small.uid_of_pods()
    for words in (("status",), ("plan", "small"), ("events", "small")):
        assert zk(small, *words).returncode == 0
    assert small.get("zkcluster")["metadata"]["resourceVersion"] == version
    assert small.uid_of_pods() == pods


def test_who_may_only_look_is_told_what_is_missing_and_nothing_is_guessed(
    small: Cluster, tmp_path: Path
) -> None:
    viewer = person(small, tmp_path, VIEWER)
    shown = zk(small, "status", kubeconfig=viewer)
    assert shown.returncode == 0, shown.stderr
    assert "small-0: not asked, you may not " in shown.stdout, shown.stdout
    assert re.search(r"^small-0 +1 +leader +- +- +- +- +- +node-\w$", shown.stdout, re.MULTILINE)
    plans = {
        it["function"]: it
        for it in told(zk(small, "plan", "small", "-o", "json", kubeconfig=viewer))["plans"]
    }
    assert plans["scale"]["unknown"].startswith("you may not ")
    assert plans["reconcile-cluster"]["unknown"].startswith("you may not get ")
    stopped = zk(small, "stop", "small", kubeconfig=viewer)
    assert stopped.returncode == 4
    assert "may not patch zookeeperclusters.zookeeper.example.com" in stopped.stderr
    assert not small.get("zkcluster")["spec"].get("stopped", False)


def test_completion_knows_the_names(small: Cluster, tmp_path: Path) -> None:
    reader = Reader(small.platform, small.namespace, tmp_path)
    asked = reader.output('kubectl __complete zk shell small ""')
    assert asked.splitlines() == ["leader", "follower", "small-0", ":4"]


def test_the_whole_page_works_on_three_servers(
    product: Platform, namespace: str, tmp_path: Path
) -> None:
    small = Cluster(product, namespace, "small")
    small.apply(replicas=3, probes=SMALL["probes"])
    give_keys(small)
    small.until_settled(90)
    before = small.uids()
    said = Reader(product, namespace, tmp_path).run(commands(PAGE))
    assert "small serves the backup, up to zxid 0x" in said
    assert "small: every server runs in a new pod." in said
    assert "small: no server runs; the volumes and the member list stay." in said
    assert "small: it serves." in said
    assert not before & small.uids()


def person(cluster: Cluster, folder: Path, role: Mapping[str, Any]) -> Path:
    """Make an account with this role in the cluster's namespace; return its kubeconfig."""
    name = role["metadata"]["name"]
    cluster.kubectl("create", "serviceaccount", name)
    cluster.kubectl("apply", "-f", "-", input=json.dumps(role))
    account = f"--serviceaccount={cluster.namespace}:{name}"
    cluster.kubectl("create", "rolebinding", name, f"--role={name}", account)
    token = cluster.kubectl("create", "token", name).stdout.strip()
    config = json.loads(cluster.platform.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path = folder / "kubeconfig-of-a-person"
    path.write_text(json.dumps(config))
    return path
