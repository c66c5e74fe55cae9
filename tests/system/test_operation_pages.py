"""The pages about operating: every command of each, in its order, by somebody who copies them."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local.platform.handle import Platform
from tests.pages import ROOT, commands
from tests.system.clusters import SMALL, Cluster
from tests.system.reader import Reader

pytestmark = pytest.mark.system

HEALTHY = "kubectl wait zkcluster/small --for=condition=QuorumHealthy --timeout=90s"
SCALED = '{.status.conditions[?(@.type=="Scaled")].reason}'
MISSING = (
    "kubectl get zkcluster small -o "
    "jsonpath='{.status.conditions[?(@.type==\"QuorumHealthy\")].message}'"
)
WRITES = r'for n in $(seq 40); do printf "create /n$n %04000d\n" 0; done | zkCli.sh'
INCIDENT = "$(kubectl get zkcluster small -o jsonpath={.status.incident})"


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and what the reader has to have happen meanwhile to the cluster `small`.

    `before`: the beginning of a command to what happens before the first of that kind.
    `instead`: what every reader has to put in with a name of their own.
    """

    name: str
    replicas: int = 3
    spec: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)
    heading: str = ""
    is_gone: bool = False
    # The page itself applies a sample, of this name.
    makes: bool = False

    def commands(self) -> Iterator[str]:
        """Yield the page's commands with what comes before them; each cause happens once."""
        causes = dict(self.before)
        for command in commands(ROOT / self.name, self.heading):
            for begins in [begins for begins in causes if command.startswith(begins)]:
                yield from causes.pop(begins)
            yield _in_the_second_terminal(self._own(command))

    def _own(self, command: str) -> str:
        for written, own in self.instead.items():
            command = command.replace(written, own)
        return command


def _in_the_second_terminal(command: str) -> str:
    """Return the command; what serves goes to the background, and who asks it waits for it."""
    if "functions-framework" in command:
        limited = command.replace("functions-framework", "timeout 90 functions-framework")
        return f"{limited.replace('.venv/bin/timeout', 'timeout')} >/dev/null 2>&1 &"
    patient = "curl --silent --show-error --fail --retry 60 --retry-connrefused --retry-delay 1"
    return command.replace("curl -i", f"{patient} -i", 1)


def _free_port() -> str:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return str(listening.getsockname()[1])


def _lost(*ordinals: int) -> tuple[str, ...]:
    """Return the loss of these servers' volumes, with the pods that come back empty."""
    lost = [f"python -m local fault lose-volume small-{n}" for n in ordinals]
    return (*lost, f"kubectl delete pod {' '.join(f'small-{n}' for n in ordinals)}")


# The server has a log of the time before only once it was started again; the shell has a deadline.
STARTED_AGAIN = (
    "until kubectl logs small-1 -c zookeeper --previous; do sleep 0.3; done >/dev/null 2>&1"
)

soak = pytest.mark.soak
PORT = _free_port()
# The port that the pages mean may be taken here.
OWN_PORT = {
    "KUBECONFIG=~/.kube/config": f"PORT={PORT}",
    "KUBECONFIG=.local/kubeconfig": f"PORT={PORT}",
    "localhost:8080": f"localhost:{PORT}",
}
PAGES = (
    pytest.param(
        Page("docs/functions.md", instead={**OWN_PORT, " case": " $OWN/case"}),
        id="functions",
        marks=soak,
    ),
    pytest.param(Page("docs/local.md"), id="local", marks=soak),
    pytest.param(
        Page("README.md", heading="One function without a cluster", instead=OWN_PORT),
        id="readme",
        marks=soak,
    ),
    pytest.param(Page("docs/conditions.md", replicas=1), id="conditions"),
    pytest.param(Page("docs/failures.md"), id="failures", marks=soak),
    pytest.param(
        Page(
            "docs/operations/monitoring.md",
            # The functions have logged it, and there is a server to ask.
            before={
                "kubectl logs": (
                    "kubectl wait zkcluster/small --for=condition=Available --timeout=180s",
                )
            },
            makes=True,
        ),
        id="monitoring",
        marks=soak,
    ),
    pytest.param(Page("docs/security.md"), id="security", marks=soak),
    pytest.param(Page("docs/operations/scale.md"), id="scale", marks=soak),
    pytest.param(Page("docs/operations/roll.md"), id="roll", marks=soak),
    pytest.param(
        Page("docs/operations/upgrade-zookeeper.md", spec={"version": "3.8.4"}),
        id="upgrade",
        marks=soak,
    ),
    pytest.param(Page("docs/operations/stop-and-wake.md"), id="stop-and-wake", marks=soak),
    pytest.param(Page("docs/operations/spread.md"), id="spread", marks=soak),
    pytest.param(Page("docs/operations/connect.md"), id="connect", marks=soak),
    pytest.param(Page("docs/operations/delete.md", is_gone=True), id="delete", marks=soak),
    pytest.param(Page("docs/operations/drain.md"), id="drain", marks=soak),
    pytest.param(
        Page(
            "docs/operations/full-disk.md",
            spec={"storage": {"size": "128Mi", "storageClassName": "sized"}},
            before={
                "kubectl get zkcluster": (
                    "python -m local fault fill small-1",
                    # What was allocated before is still written to: it takes more than one write.
                    f"kubectl exec small-0 -c zookeeper -- bash -c '{WRITES}' >/dev/null 2>&1",
                    f"while {MISSING} | grep -q 'All 3 voters serve'; do sleep 0.3; done",
                )
            },
            instead={"20Gi": "256Mi"},
        ),
        id="full-disk",
        marks=soak,
    ),
    pytest.param(
        Page(
            "docs/operations/lost-disk.md",
            before={
                "kubectl get zkcluster": _lost(1),
                "kubectl logs": (
                    HEALTHY,
                    "python -m local fault kill small-1",
                    STARTED_AGAIN,
                ),
            },
        ),
        id="lost-disk",
        marks=soak,
    ),
    pytest.param(
        Page(
            "docs/operations/lost-majority.md",
            before={
                "kubectl get zkcluster": (
                    *_lost(0, 1),
                    f"kubectl wait zkcluster/small --for='jsonpath={SCALED}=MajorityLost' "
                    "--timeout=90s",
                )
            },
            instead={"0123456789": f"'{INCIDENT}'"},
            is_gone=True,
        ),
        id="lost-majority",
        marks=soak,
    ),
)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_page_works(
    product: Platform, namespace: str, tmp_path: Path, page: Page
) -> None:
    cluster = Cluster(product, namespace, "small")
    if not page.makes:
        cluster.apply(page.replicas, **{**SMALL, **page.spec})
        cluster.until_settled(120)
    Reader(product, namespace, tmp_path).run(page.commands())
    if page.is_gone:
        cluster.until(lambda: not cluster.get("zkcluster"), "the cluster to be gone")
    else:
        cluster.until_settled(120)
