"""Programs that only tests use, built once from their Go modules at exact versions.

Nothing is built before it is needed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.control_plane.binaries import cache_folder
from local.go_build import Say, Source, build

PROMTOOL = Path(__file__).parents[1] / "tests" / "contract" / "promtool"


@dataclass(frozen=True, slots=True)
class Tool:
    """A program in one version."""

    version: str
    source: Source


TOOLS: Mapping[str, Tool] = {
    "helm": Tool("v3.21.4", Source("helm.sh/helm/v3/cmd/helm@v3.21.4")),
    # Prometheus' own checker of rules; what it is made of is in the go.mod and go.sum there.
    "promtool": Tool(
        "v0.313.5",
        Source(
            "github.com/prometheus/prometheus/cmd/promtool",
            module=PROMTOOL,
            flags=("-mod=readonly", "-buildvcs=false"),
        ),
    ),
}


def ensure(name: str, say: Say) -> Path:
    """Return the program's path, building it if need be; raises NoBinaries."""
    tool = TOOLS[name]
    program = cache_folder() / "tools" / tool.version / name
    if os.access(program, os.X_OK):
        return program
    instead = f", or put {name} into {program.parent}"
    return build(program, tool.source, say, takes="once, some minutes", instead=instead)
