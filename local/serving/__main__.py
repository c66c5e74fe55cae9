"""`python -m local.serving`: Knative Serving's part of the laptop platform."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
from pathlib import Path

from local import knative_crds
from local.kube import KubeClient
from local.serving.control import Control


async def serve(kubeconfig: Path, procfile: Path) -> None:
    """Install the kind and follow it until cancelled."""
    async with KubeClient.from_kubeconfig(kubeconfig) as client:
        await knative_crds.install(client, "serving")
        await Control(client, procfile).run()


async def _main(chosen: argparse.Namespace) -> None:
    serving = asyncio.create_task(serve(chosen.kubeconfig, chosen.procfile))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.serving", description="Knative Serving for one laptop."
    )
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--state", type=Path, default=Path(".local"))
    parser.add_argument("--procfile", type=Path, default=Path("Procfile"))
    return parser


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(_main(_parser().parse_args()))
