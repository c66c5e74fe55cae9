"""Find the programs of the control plane, or build them once from their Go modules.

Looked for in this order: the folder that KUBEBUILDER_ASSETS names (as far as it has them), the
cache, and last a build with Go.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local import go_build
from local.go_build import STRIPPED, Say, Source

KUBERNETES_VERSION = "v1.36.3"
MODULE_FOLDER = Path(__file__).parent

COMMANDS: Mapping[str, str] = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
}


@dataclass(frozen=True, slots=True)
class Binaries:
    """The path of every program of the control plane."""

    paths: Mapping[str, Path]

    def __getitem__(self, name: str) -> Path:
        return self.paths[name]


def cache_folder() -> Path:
    """Where everything that is worth keeping between platforms is kept."""
    if named := os.environ.get("ZOOKEEPER_FUNCTIONS_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "zookeeper-functions"


def find(name: str) -> Path | None:
    """Return the program's path, or None when it has to be built."""
    folders = [cache_folder() / "control-plane" / KUBERNETES_VERSION]
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        folders.insert(0, Path(assets))
    candidates = (folder / name for folder in folders)
    return next((path for path in candidates if os.access(path, os.X_OK)), None)


def ensure(say: Say) -> Binaries:
    """Return every program, building what is missing; raises NoBinaries."""
    return Binaries({name: find(name) or build(name, say) for name in COMMANDS})


def build(name: str, say: Say) -> Path:
    """Build one program into the cache; raises NoBinaries."""
    linker = f"{STRIPPED} {_version_flags()}"
    assets = f"a folder with the programs of Kubernetes {KUBERNETES_VERSION}"
    return go_build.build(
        cache_folder() / "control-plane" / KUBERNETES_VERSION / name,
        Source(COMMANDS[name], module=MODULE_FOLDER, flags=("-mod=readonly",), linker=linker),
        say,
        takes="the first build also downloads its modules, some minutes",
        instead=f", or set KUBEBUILDER_ASSETS to {assets}",
    )


def _version_flags() -> str:
    """Without these the server calls itself v0.0.0-master and kubectl complains."""
    _, minor, _ = KUBERNETES_VERSION.split(".")
    package = "k8s.io/component-base/version"
    values = {"gitVersion": KUBERNETES_VERSION, "gitMajor": "1", "gitMinor": minor}
    return " ".join(f"-X {package}.{name}={value}" for name, value in values.items())
