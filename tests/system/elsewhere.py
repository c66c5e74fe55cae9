"""A cluster that is not ours: `make e2e` tests the one that KUBECONFIG names.

Nothing is used but kubectl. Programs that a test runs inside a platform's network run in a pod with
the functions' image, which has Python and a ZooKeeper client; files they name go there first.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.platform.handle import Completed, Platform, completed, eventually

FUNCTIONS = "zookeeper-functions"
CLIENT = "e2e-client"
# Images have to be pulled, and volumes made, by whoever does that there.
PATIENCE = 6.0
COMMAND_SECONDS = 700.0
POD_SECONDS = 300
PROXY_SECONDS = 20.0
UPLOAD = "cat > "


@dataclass(frozen=True, slots=True)
class Elsewhere(Platform):
    """The cluster of a kubeconfig. `state` is a folder of the test run, with what it needs."""

    theirs: Path

    @property
    def kubeconfig(self) -> Path:
        """The way through `kubectl proxy`, whatever the credentials are."""
        return self.state / "proxy.json"

    def kubectl(self, *words: str, input: str | None = None, check: bool = True) -> Completed:
        return self._said(["kubectl", *words], input, check=check)

    def run(self, *command: str, input: str | None = None, check: bool = True) -> Completed:
        """Run a command in the pod."""
        there = self.inside([self._placed(word) for word in command])
        return self._said(there, input, check=check)

    def inside(self, command: list[str]) -> list[str]:
        """Return the call of kubectl that runs a command in the pod, made at the first time."""
        _start_client(self)
        return ["kubectl", "exec", "-i", "-n", FUNCTIONS, CLIENT, "--", *command]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.theirs)}

    def put(self, file: Path) -> str:
        """Copy a file into the pod; return where it is there."""
        place = place_of(file)
        self._said(self.inside(["sh", "-c", f"{UPLOAD}{place}"]), file.read_text(), check=True)
        return place

    def _placed(self, word: str) -> str:
        if word == sys.executable:
            return "python3"
        return self.put(Path(word)) if word.startswith("/") and Path(word).is_file() else word

    def _said(self, command: list[str], text: str | None, *, check: bool) -> Completed:
        return completed(command, self.environment(), text, check=check, seconds=COMMAND_SECONDS)


def place_of(file: Path) -> str:
    """Return where a file of this machine is in the pod: its name may be that of another one."""
    return f"/tmp/{'-'.join(file.absolute().parts[-2:])}"


def patience(platform: Platform) -> float:
    """Return how many times longer than on a laptop's platform things may take."""
    return PATIENCE if isinstance(platform, Elsewhere) else 1.0


@contextmanager
def elsewhere(kubeconfig: Path, folder: Path) -> Iterator[Elsewhere]:
    """Lead to the cluster, and remove the pod afterwards; what was installed stays."""
    found = Elsewhere(folder, kubeconfig)
    with _proxy(found):
        yield found
        found.kubectl("delete", "pod", "-n", FUNCTIONS, CLIENT, "--ignore-not-found")


@contextmanager
def _proxy(cluster: Elsewhere) -> Iterator[None]:
    command = ["kubectl", "proxy", "--port=0"]
    told = cluster.state / "proxy.log"
    with (
        told.open("w") as output,
        subprocess.Popen(command, env=cluster.environment(), stdout=output) as proxy,
    ):
        try:
            eventually(told.read_text, seconds=PROXY_SECONDS, what="kubectl proxy says its address")
            server = f"http://{told.read_text().split()[-1]}"
            config = {"clusters": [{"cluster": {"server": server}}], "users": [{"user": {}}]}
            cluster.kubeconfig.write_text(json.dumps(config))
            yield
        finally:
            proxy.terminate()


@functools.cache
def _start_client(cluster: Elsewhere) -> None:
    cluster.kubectl("apply", "-f", "-", input=json.dumps(_client(_functions_image(cluster))))
    ready = ("--for=condition=Ready", f"--timeout={POD_SECONDS}s")
    cluster.kubectl("wait", "-n", FUNCTIONS, f"pod/{CLIENT}", *ready)


def _functions_image(cluster: Elsewhere) -> str:
    """Return the image of a function that runs there."""
    image = "{.items[0].spec.containers[0].image}"
    label = "app.kubernetes.io/part-of=zookeeper-functions"
    words = ("get", "pods", "-n", FUNCTIONS, "-l", label, "-o", f"jsonpath={image}")
    return cluster.kubectl(*words).stdout.strip()


def _client(image: str) -> dict[str, object]:
    """Return a pod that waits to be asked, as restricted as the standard of that name wants."""
    container = {
        "name": "client",
        "image": image,
        "command": ["sleep", "86400"],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": CLIENT, "namespace": FUNCTIONS},
        "spec": {
            "containers": [container],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
        },
    }
