"""Where the eventing part listens and which API server it follows."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """The command line of the eventing part."""

    kubeconfig: Path
    state: Path
    host: str
    ingress_port: int
    faults_port: int
    webhook_port: int


def parse(arguments: Sequence[str] | None = None) -> Settings:
    parser = argparse.ArgumentParser(
        prog="python -m local.eventing", description="Knative Eventing for one laptop."
    )
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--state", type=Path, default=Path(".local"))
    parser.add_argument("--host", default="10.244.0.1", help="the address to listen on")
    parser.add_argument("--ingress-port", type=int, default=8480)
    parser.add_argument("--faults-port", type=int, default=8481)
    parser.add_argument("--webhook-port", type=int, default=8443)
    return Settings(**vars(parser.parse_args(arguments)))
