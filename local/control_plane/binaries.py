"""Find the programs of the control plane, or build them once from their Go modules.

Looked for in this order: the folder that KUBEBUILDER_ASSETS names (as far as it has them), the
cache, and last a build with Go. A build is written under a temporary name and renamed, so that an
interrupted one leaves nothing half-written.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

KUBERNETES_VERSION = "v1.36.3"
MODULE_FOLDER = Path(__file__).parent
BUILD_SECONDS = 1800
STRIPPED = "-s -w"

COMMANDS: Mapping[str, str] = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
}

Say = Callable[[str], None]


class NoBinaries(Exception):
    """The control plane's programs are not there and cannot be built; says what to do."""


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
    go = shutil.which("go")
    if go is None:
        raise NoBinaries(
            f"{name} {KUBERNETES_VERSION} is not in the cache and Go is not installed: install "
            "Go 1.26 or newer from go.dev, or set KUBEBUILDER_ASSETS to a folder with the programs."
        )
    target = cache_folder() / "control-plane" / KUBERNETES_VERSION / name
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{name}.{os.getpid()}")
    say(f"building {name} (the first build also downloads its modules, some minutes)")
    started = time.monotonic()
    try:
        _go_build(go, COMMANDS[name], unfinished)
        unfinished.rename(target)
    finally:
        unfinished.unlink(missing_ok=True)
    say(f"built {name} in {time.monotonic() - started:.0f} s")
    return target


def _go_build(go: str, package: str, output: Path) -> None:
    flags = ["-mod=readonly", "-trimpath", "-ldflags", f"{STRIPPED} {_version_flags()}"]
    command = [go, "build", *flags, "-o", str(output), package]
    environment = {**os.environ, "CGO_ENABLED": "0"}
    try:
        subprocess.run(
            command, cwd=MODULE_FOLDER, env=environment, timeout=BUILD_SECONDS, check=True
        )
    except subprocess.CalledProcessError as error:
        raise NoBinaries(
            f"{package} did not build (go build ended with {error.returncode}, its reason is above)"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise NoBinaries(f"{package} was not built within {BUILD_SECONDS} s") from error


def _version_flags() -> str:
    """Without these the server calls itself v0.0.0-master and kubectl complains."""
    _, minor, _ = KUBERNETES_VERSION.split(".")
    package = "k8s.io/component-base/version"
    values = {"gitVersion": KUBERNETES_VERSION, "gitMajor": "1", "gitMinor": minor}
    return " ".join(f"-X {package}.{name}={value}" for name, value in values.items())
