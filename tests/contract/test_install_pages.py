"""The commands of the pages about installing and uninstalling, on a real API server.

Nothing runs behind it: no controllers, so no function and no server. What is applied, labelled,
kept and released is the API server's and Helm's to say; tests/system/test_install.py has the rest.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.go_tools import ensure
from tests import pages
from tests.contract.api_server import ApiServer, control_plane, started
from tests.contract.rendered import serve_knatives_kinds
from tests.pages import ROOT

pytestmark = [pytest.mark.contract, pytest.mark.soak]

SECONDS = 120
OURS = "app.kubernetes.io/part-of=zookeeper-functions"
INSTALLED = (
    "ksvc,service,deployment,broker,trigger,apiserversource,pingsource,serviceaccount,"
    "role,rolebinding,clusterrole,clusterrolebinding"
)
STAYS = {
    "customresourcedefinition.apiextensions.k8s.io/zookeeperbackups.zookeeper.example.com",
    "customresourcedefinition.apiextensions.k8s.io/zookeeperclusters.zookeeper.example.com",
    "customresourcedefinition.apiextensions.k8s.io/zookeeperrestores.zookeeper.example.com",
    "clusterrole.rbac.authorization.k8s.io/zookeeper-functions-server",
}
CLUSTER = {
    "apiVersion": "zookeeper.example.com/v1alpha1",
    "kind": "ZooKeeperCluster",
    "metadata": {"name": "small", "finalizers": ["zookeeper.example.com/clear"]},
    "spec": {"version": "3.9.5"},
}
OF_AN_ENSEMBLE = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {
        "name": "small",
        "labels": {"app.kubernetes.io/managed-by": "zookeeper-functions"},
    },
    "spec": {"podSelector": {}},
}

Shell = Callable[..., str]


def commands(page: str, heading: str) -> list[str]:
    return pages.commands(ROOT / "docs" / "operations" / page, heading)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server of its own, with Knative's kinds: what is removed here, others need."""
    with started(tmp_path_factory.mktemp("install")) as own:
        serve_knatives_kinds(own)
        own.call("POST", "/api/v1/namespaces", {"metadata": {"name": "elsewhere"}})
        yield own


@pytest.fixture
def shell(server: ApiServer, tmp_path: Path) -> Shell:
    """Runs commands with kubectl and helm; fails with what they say."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "kubectl").symlink_to(control_plane("kubectl"))
    (folder / "helm").symlink_to(ensure("helm", lambda _: None))
    variables = {
        "KUBECONFIG": str(server.kubeconfig),
        "PATH": f"{folder}:{os.environ['PATH']}",
        "HELM_CACHE_HOME": str(tmp_path / "helm"),
    }

    def run(*lines: str, input: str = "") -> str:
        return pages.run(*lines, variables=variables, seconds=SECONDS, input=input)

    return run


def _installed(shell: Shell) -> set[str]:
    return set(shell(f"kubectl get {INSTALLED} -A -l {OURS} -o name").split())


def _what_stays(shell: Shell) -> set[str]:
    names = " ".join(STAYS)
    return set(shell(f"kubectl get {names} --ignore-not-found -o name").split())


def test_what_is_installed_is_removed_and_the_definitions_stay(shell: Shell) -> None:
    install, _, apply_sample, _ = commands("install.md", "Install")
    shell(install, apply_sample)
    assert len(_installed(shell)) > 40
    shell(*commands("uninstall.md", "Uninstall"))
    assert (_installed(shell), _what_stays(shell)) == (set(), STAYS)
    assert "small" in shell("kubectl get zkcluster -o name"), "the ensembles stay"
    shell(install)
    assert len(_installed(shell)) > 40
    upgrade = commands("upgrade.md", "Upgrade the functions")[0]
    assert "serverside-applied" in shell(upgrade)
    shell(*commands("uninstall.md", "Uninstall"), "kubectl delete zkcluster --all")


def test_what_the_components_brought_is_removed_and_what_ensembles_have_stays(shell: Shell) -> None:
    parts = ("admission/secrets", "admission/status", "network-policy/policy")
    shell(
        "kubectl create namespace zookeeper-functions --dry-run=client -o yaml | kubectl apply -f -"
    )
    shell("kubectl apply -f " + " -f ".join(f"config/components/{part}.yaml" for part in parts))
    shell("kubectl create -n zookeeper-functions -f -", input=yaml.safe_dump(OF_AN_ENSEMBLE))
    kinds = "validatingadmissionpolicybinding,validatingadmissionpolicy,networkpolicy"
    assert len(shell(f"kubectl get {kinds} -A -o name").split()) == 6
    shell(*commands("uninstall.md", "Components and monitoring"))
    left = shell(f"kubectl get {kinds} -A -o name").split()
    assert left == ["networkpolicy.networking.k8s.io/small"]


def test_an_ensemble_is_released_by_one_command_and_all_by_another(shell: Shell) -> None:
    shell("kubectl apply --server-side -k config/definitions")
    for namespace in ("default", "elsewhere"):
        for name in ("small", "other"):
            one: dict[str, Any] = {
                **CLUSTER,
                "metadata": {**CLUSTER["metadata"], "name": name},  # type: ignore[dict-item]
            }
            shell(f"kubectl create -n {namespace} -f -", input=yaml.safe_dump(one))
    shell("kubectl delete zkcluster --all -A --wait=false")
    assert len(shell("kubectl get zkcluster -A -o name").split()) == 4, "they wait in deletion"
    one_command, several = commands("uninstall.md", "Deleting an ensemble without functions")
    shell(one_command)
    assert len(shell("kubectl get zkcluster -A -o name").split()) == 3
    shell(several)
    assert shell("kubectl get zkcluster,zkrestore -A -o name").split() == []


@pytest.mark.parametrize("values", ["", "--set serving=deployments", "--set scope=namespace"])
def test_helm_takes_over_what_kubectl_applied_and_leaves_the_definitions(
    shell: Shell, values: str
) -> None:
    shell("kubectl apply --server-side -k config/definitions")
    install, cluster = commands("install.md", "Helm")
    shell(f"{install} --take-ownership {values}", cluster)
    assert len(_installed(shell)) > 40
    upgrade = "helm upgrade zookeeper-functions charts/zookeeper-functions -n zookeeper-functions"
    assert upgrade in " ".join((ROOT / "docs/operations/upgrade.md").read_text().split())
    shell(f"{upgrade} --reset-then-reuse-values --set image=registry.example/zf:2")
    kind = "deployment" if "deployments" in values else "ksvc"
    path = "{.items[*].spec.template.spec.containers[*].image}"
    images = shell(f"kubectl get {kind} -n zookeeper-functions -o jsonpath='{path}'").split()
    assert set(images) == {"registry.example/zf:2"}
    shell("helm uninstall zookeeper-functions -n zookeeper-functions")
    assert (_installed(shell), _what_stays(shell)) == (set(), STAYS)
    assert "small" in shell("kubectl get zkcluster -o name"), "the ensembles stay"
    shell("helm uninstall small")


def test_everything_goes_where_that_is_asked_for(shell: Shell) -> None:
    shell("kubectl apply --server-side -k config/definitions")
    bare = {**CLUSTER, "metadata": {"name": "small"}}
    shell("kubectl create -f -", input=yaml.safe_dump(bare))
    shell(*commands("uninstall.md", "Everything, ensembles included"))
    assert shell("kubectl get zkcluster -A -o name").split() == []
    assert (
        "kubectl delete -k config/definitions"
        in (ROOT / "docs/operations/uninstall.md").read_text()
    )
    shell("kubectl delete -k config/definitions")
    assert _what_stays(shell) == set()
