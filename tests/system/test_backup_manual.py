"""The page about backups: every command of it, in its order, by somebody who copies them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.platform.handle import Platform
from local.platform.parts import python_path
from tests.system.clusters import SMALL, Cluster

pytestmark = pytest.mark.system

PAGE = Path("docs/operations/backup.md")
SECONDS = 300
CLUSTER = "config/samples/cluster-small.yaml"


def commands() -> Iterator[str]:
    """Yield the lines of the page's blocks."""
    for block in re.findall(r"^```\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        yield from block.splitlines()


def script(platform: Platform) -> str:
    """Return the page as one script that names each command before it runs."""
    lines = []
    for command in commands():
        # The page means the demo; its platform has the folder .local.
        ours = re.sub(r"-m local ([a-z-]+)", rf"-m local \1 --state={platform.state}", command)
        ours = ours.replace(".venv/bin/python", sys.executable)
        lines += [f"echo {shlex.quote(f'$ {command}')}", ours]
    return "\n".join(["set -euo pipefail", *lines])


def run(platform: Platform, namespace: str, folder: Path, text: str) -> tuple[int, str]:
    """Run a script whose kubectl means that namespace; return its exit code and what it said."""
    config = json.loads(platform.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = namespace
    own = folder / "kubeconfig"
    own.write_text(json.dumps(config))
    variables = {
        **os.environ,
        "KUBECONFIG": str(own),
        "PATH": f"{platform.state / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": python_path(),
    }
    told = folder / "told"
    with told.open("w") as output:
        code = subprocess.call(
            ["timeout", str(SECONDS), "bash", "-c", text],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    return code, told.read_text()


# The demo backs up and restores in `make test`; the page, with two restores, takes longer.
@pytest.mark.soak
def test_the_page_backs_up_destroys_restores_and_checks(
    product: Platform, namespace: str, tmp_path: Path
) -> None:
    small = Cluster(product, namespace, "small")
    small.apply(replicas=3, probes=SMALL["probes"])
    small.until_settled(90)
    code, said = run(product, namespace, tmp_path, script(product))
    assert code == 0, said
    assert "PROVEN" in said
    assert re.search(r"^worth-keeping$", said, re.MULTILINE), "it was lost, and is there again"
    assert re.search(r"^once +once +.*completed", said, re.MULTILINE)
    assert re.search(rf"^{namespace}/once/once/backup-once-\w+$", said, re.MULTILINE)
