"""promtool, Prometheus' own checker of rules; which version is in local/go_tools.py."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

from local.go_tools import ensure

RUN_SECONDS = 60


def run(folder: Path, what: str, content: dict[str, Any]) -> str:
    """Run `promtool <what> FILE` on this content; return what it found wrong, empty for nothing."""
    file = folder / "it.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    done = subprocess.run(
        [str(ensure("promtool", print)), *what.split(), str(file)],
        cwd=folder, capture_output=True, text=True, timeout=RUN_SECONDS, check=False,
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout + done.stderr
