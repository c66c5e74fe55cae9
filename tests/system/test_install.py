"""Installing, upgrading and uninstalling, by the pages' own commands, beside a used ensemble.

On a platform of its own, because for a while it has no functions.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.go_tools import ensure
from local.platform.handle import Platform, eventually
from tests import pages
from tests.system.clusters import FUNCTIONS, FUNCTIONS_NAMESPACE, Cluster, fresh_namespace, now
from tests.system.reader import Reader
from tests.system.writing import Writes, continuous_writes

pytestmark = [pytest.mark.system, pytest.mark.soak]

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "operations"
BEFORE = "HEAD~1"
SECONDS = 300
OURS = "app.kubernetes.io/part-of=zookeeper-functions"
OLDER, NEXT = "zookeeper-functions:older", "zookeeper-functions:next"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("install") / "state")
    platform.local("up")
    kinds = ("services.serving", "brokers.eventing", "triggers.eventing")
    sources = ("apiserversources.sources", "pingsources.sources")
    try:
        for kind in (*kinds, *sources):
            crd = f"crd/{kind}.knative.dev"
            eventually(
                lambda crd=crd: (  # type: ignore[misc]
                    platform.kubectl("get", crd, check=False).returncode == 0
                ),
                what=f"{crd} is there",
            )
        yield platform
    finally:
        platform.local("down")


def commands(page: str, heading: str) -> list[str]:
    """Return the commands of a page below one heading, in their order."""
    return pages.commands(PAGES / page, heading)


def run(platform: Platform, *lines: str, namespace: str = "default") -> str:
    """Run commands of a page as its reader would, who has Helm too; return what they printed."""
    folder = platform.state / "reader"
    folder.mkdir(exist_ok=True)
    helm = ensure("helm", lambda _: None).parent
    return Reader(platform, namespace, folder, SECONDS, path=(helm,)).output(*lines)


def remains(platform: Platform) -> list[str]:
    """Return all that is labelled as part of the installation."""
    kinds = "ksvc,deployment,service,broker,trigger,apiserversource,pingsource,serviceaccount"
    rights = "role,rolebinding,clusterrole,clusterrolebinding"
    words = ("get", f"{kinds},{rights}", "-A", "-l", OURS, "-o", "name")
    return platform.kubectl(*words).stdout.split()


def templates(cluster: Cluster) -> Any:
    return cluster.get("statefulset")["spec"]["template"]


def claims(cluster: Cluster) -> dict[str, str]:
    return {c["metadata"]["name"]: c["metadata"]["uid"] for c in cluster.all_of("pvc")}


@pytest.fixture(scope="module")
def older(own: Platform) -> Path:
    """The manifests of the commit before, whose functions run from that commit too."""
    folder = own.state / "older"
    folder.mkdir()
    archived = subprocess.run(
        ["git", "archive", BEFORE], cwd=ROOT, capture_output=True, check=False
    )
    if archived.returncode != 0:
        pytest.skip(f"there is no {BEFORE} to upgrade from: {archived.stderr.decode().strip()}")
    subprocess.run(["tar", "x"], cwd=folder, input=archived.stdout, check=True, timeout=SECONDS)
    catalogue = yaml.safe_load((folder / "local/node/images.yaml").read_text())
    (entry,) = [e for e in catalogue if "zookeeper-functions:*" in e["names"]]
    entry = {**entry, "names": [OLDER], "mounts": {**entry["mounts"], "/app": str(folder)}}
    (own.state / "images.yaml").write_text(yaml.safe_dump([entry]))
    rendered = own.kubectl("kustomize", str(folder / "config/overlays/knative")).stdout
    manifests = folder / "install.yaml"
    manifests.write_text(rendered.replace("zookeeper-functions:latest", OLDER))
    return manifests


def upgraded(folder: Path) -> str:
    """Return the upgrade's command for an overlay that names another image."""
    patch = [
        {"op": "replace", "path": f"/spec/template/spec/containers/0/{at}", "value": NEXT}
        for at in ("image", "env/1/value")
    ]
    ups = "../" * len(folder.resolve().parts[1:])
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"{ups}{(ROOT / 'config/overlays/knative').relative_to('/')}"],
        "patches": [
            {
                "target": {"group": "serving.knative.dev", "kind": "Service"},
                "patch": json.dumps(patch),
            }
        ],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    command, _ = commands("upgrade.md", "Upgrade the functions")[:2]
    assert command.endswith("-k config/overlays/knative")
    return command.replace("config/overlays/knative", str(folder))


def has_looked(cluster: Cluster) -> None:
    """Make an event about the cluster, and wait until the functions have looked at it."""
    since = now()
    cluster.kubectl("annotate", "zkcluster", cluster.name, "--overwrite", f"looked={since:%H%M%S}")
    functions = ("reconcile-cluster", "observe", "scale", "roll")
    cluster.until(
        lambda: all(cluster.calls(since, function) for function in functions),
        "every function has looked",
        seconds=240,
    )
    cluster.until_settled(240)


def test_upgrade_uninstall_and_install_again_lose_nothing_and_restart_nothing(
    own: Platform, older: Path, tmp_path: Path
) -> None:
    """From the commit before to this one, whose manifests name another image."""
    ready = commands("install.md", "Install")[1]
    with fresh_namespace(own) as namespace:
        cluster = Cluster(own, namespace)
        run(own, f"kubectl apply --server-side -f {older}", ready)
        cluster.apply(replicas=3)
        cluster.until_settled(240)
        pods, volumes, template = cluster.uid_of_pods(), claims(cluster), templates(cluster)
        with continuous_writes(cluster, tmp_path, "upgrade, uninstall, install") as writes:
            (tmp_path / "next").mkdir()
            run(own, upgraded(tmp_path / "next"), ready)
            _until_all_run(own, NEXT)
            has_looked(cluster)
            pods = _pods_after(cluster, pods, is_same=templates(cluster) == template)

            run(own, *commands("uninstall.md", "Uninstall"))
            assert remains(own) == []
            _lose_a_server(cluster, writes)

            run(own, *commands("install.md", "Install")[:2])
            has_looked(cluster)
            kept = {name: uid for name, uid in pods.items() if name != "zk-2"}
            assert kept.items() <= cluster.uid_of_pods().items()
            _bring_the_new_programs(cluster)
        assert claims(cluster) == volumes


def _until_all_run(own: Platform, image: str) -> None:
    """Wait until no function of another version is left."""
    path = "{.items[*].spec.containers[*].image}"
    words = ("get", "pods", "-n", FUNCTIONS_NAMESPACE, "-o", f"jsonpath={path}")
    eventually(
        lambda: set(own.kubectl(*words).stdout.split()) == {image},
        seconds=240,
        what=f"only {image} runs",
    )


def _pods_after(cluster: Cluster, before: dict[str, str], *, is_same: bool) -> dict[str, str]:
    """Return the pods: the very same, unless this commit changes what a server is told."""
    after = cluster.uid_of_pods()
    assert (after == before) == is_same
    return after


def _lose_a_server(cluster: Cluster, writes: Writes) -> None:
    """Delete a pod while there are no functions; it comes back with its data, without them."""
    before = writes.count()
    cluster.kubectl("delete", "pod", "zk-2")
    cluster.until(lambda: _is_ready(cluster, "zk-2"), "zk-2 is back by itself", 240)
    assert writes.count() > before


def _bring_the_new_programs(cluster: Cluster) -> None:
    before = cluster.uids()
    lines = [
        line.replace("small", cluster.name)
        for line in commands("upgrade.md", "Upgrade the functions")[2:]
    ]
    run(cluster.platform, *lines, namespace=cluster.namespace)
    assert not before & cluster.uids()


def _is_ready(cluster: Cluster, name: str) -> bool:
    conditions = cluster.pods().get(name, {}).get("status", {}).get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def test_without_functions_an_ensemble_can_be_deleted_and_keeps_its_volumes(own: Platform) -> None:
    run(own, *commands("install.md", "Install")[:2])
    with fresh_namespace(own) as namespace:
        clusters = [Cluster(own, namespace, name) for name in ("small", "other")]
        for cluster in clusters:
            cluster.apply(clearPersistence=True)
        for cluster in clusters:
            cluster.until_settled(240)
        volumes = claims(clusters[0])
        run(own, *commands("uninstall.md", "Uninstall"))
        for cluster in clusters:
            cluster.kubectl("delete", "zkcluster", cluster.name, "--wait=false")
        assert all(cluster.get("zkcluster") for cluster in clusters), "they wait in deletion"
        one, several = commands("uninstall.md", "Deleting an ensemble without functions")
        run(own, one, namespace=namespace)
        clusters[0].until(lambda: not clusters[0].get("zkcluster"), "the released one goes")
        assert clusters[1].get("zkcluster")
        run(own, several)
        clusters[1].until(lambda: not clusters[1].get("zkcluster"), "the other one goes too")
        clusters[0].until(lambda: not clusters[0].pods(), "its servers go", 60)
        assert claims(clusters[0]) == volumes


@pytest.fixture(params=["serving=deployments", "scope=namespace"])
def installed(own: Platform, request: pytest.FixtureRequest) -> Iterator[str]:
    """An installation by Helm, whose objects are those of an overlay (test_charts.py)."""
    run(own, *commands("uninstall.md", "Uninstall"))
    # Helm makes it anew, and uninstalling leaves it.
    own.kubectl("delete", "namespace", FUNCTIONS_NAMESPACE, "--ignore-not-found")
    run(own, f"{commands('install.md', 'Helm')[0]} --take-ownership --set {request.param}")
    if request.param == "serving=deployments":
        run(own, *commands("install.md", "Without Knative Serving"))
    else:
        run(own, commands("install.md", "Install")[1])
    yield str(request.param)
    run(own, "helm uninstall zookeeper-functions -n zookeeper-functions")
    assert remains(own) == []
    kept = own.kubectl("get", "crd", "zookeeperclusters.zookeeper.example.com", "-o", "name")
    assert kept.stdout, "the definitions stay"


def test_each_kind_of_installation_runs_an_ensemble(own: Platform, installed: str) -> None:
    small = Cluster(own, FUNCTIONS_NAMESPACE, "small")
    memory = "spec.resources.limits.memory=256Mi,spec.resources.requests.memory=256Mi"
    chart = commands("install.md", "Helm")[1]
    run(own, f"{chart} --set {memory}", namespace=FUNCTIONS_NAMESPACE)
    small.until_settled(240)
    if installed == "serving=deployments":
        shown = own.kubectl("get", "deployment", "-n", FUNCTIONS_NAMESPACE, "-o", "name").stdout
        assert {line.rpartition("/")[2] for line in shown.split()} == set(FUNCTIONS)
    before = small.uids()
    small.kubectl("delete", "pod", "small-1")
    small.until(lambda: len(small.uids() - before) == 1, "small-1 is another pod", 60)
    small.until_settled(240)
    _check_elsewhere(own, small, installed)
    if installed == "scope=namespace":
        run(own, "helm uninstall small", namespace=FUNCTIONS_NAMESPACE)
    else:
        run(own, *commands("uninstall.md", "Everything, ensembles included"))
    small.until(lambda: not small.get("zkcluster"), "the ensemble goes", 60)
    assert claims(small), "its volumes stay"
    small.kubectl("delete", "pvc", "--all", "--wait=false")


def _check_elsewhere(own: Platform, small: Cluster, installed: str) -> None:
    """An ensemble in another namespace is looked after, or left alone, as the scope says."""
    with fresh_namespace(own) as namespace:
        other = Cluster(own, namespace)
        other.apply()
        if installed == "scope=namespace":
            has_looked(small)
            assert other.status() == {}
        else:
            other.until_settled(240)
            other.kubectl("delete", "zkcluster", "zk", "--timeout=60s")
