"""A page of the documentation as somebody uses it: its commands, in its order, by copying them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from local.platform.handle import Platform
from local.platform.parts import python_path

SECONDS = 300
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def commands(page: Path, left_out: Collection[str] = ()) -> Iterator[str]:
    """Yield the lines of the page's blocks, without those below some headings."""
    for section in re.split(r"^## ", page.read_text(), flags=re.MULTILINE):
        if section.partition("\n")[0] not in left_out:
            for language, block in BLOCK.findall(section):
                # What a command prints is in blocks that name a language.
                yield from block.splitlines() if not language else ()


def script(platform: Platform, page: Path, left_out: Collection[str] = ()) -> str:
    """Return the page as one script that names each command before it runs."""
    lines = []
    for command in commands(page, left_out):
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
