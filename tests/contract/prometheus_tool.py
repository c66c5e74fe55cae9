"""promtool, Prometheus' own checker of rules: built once from its Go modules, as the servers are.

Which version, and of what it is made, is in promtool/go.mod and go.sum beside this file.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.api_server import cache_folder

MODULE = Path(__file__).parent / "promtool"
PACKAGE = "github.com/prometheus/prometheus/cmd/promtool"
# Seven minutes of a processor's time, and of an idle machine's two about half as long.
BUILD_SECONDS = 3600
RUN_SECONDS = 60


def promtool() -> Path:
    """Return the program, building it first where it is missing."""
    found: list[str] = re.findall(
        r"^\s*github.com/prometheus/prometheus (\S+)", (MODULE / "go.mod").read_text(), re.MULTILINE
    )
    (version,) = found
    program: Path = cache_folder() / "promtool" / version / "promtool"
    if not program.is_file():
        _build(program)
    return program


def _build(program: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.fail("promtool is not in the cache and Go is not installed: run `make setup`")
    program.parent.mkdir(parents=True, exist_ok=True)
    unfinished = program.with_name(f".promtool.{os.getpid()}")
    command = [go, "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", str(unfinished)]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
    try:
        subprocess.run(
            ["nice", "-n", "19", *command, PACKAGE],
            cwd=MODULE, env=environment, timeout=BUILD_SECONDS, check=True,
        )  # fmt: skip
        unfinished.rename(program)
    finally:
        unfinished.unlink(missing_ok=True)


def run(folder: Path, what: str, content: dict[str, Any]) -> str:
    """Run `promtool <what> FILE` on this content; return what it found wrong, empty for nothing."""
    file = folder / "it.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    done = subprocess.run(
        [str(promtool()), *what.split(), str(file)],
        cwd=folder, capture_output=True, text=True, timeout=RUN_SECONDS, check=False,
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout + done.stderr
