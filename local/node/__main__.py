"""`python -m local.node`: run the laptop's nodes until a SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path

from local.kube import KubeClient
from local.node.agent import Agent
from local.node.kubelet_api import KubeletApi
from local.node.nodes import places


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.node", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--state", type=Path, default=Path(".local"), help="the state folder")
    parser.add_argument("--nodes", type=int, default=3, help="how many nodes to be (default 3)")
    parser.add_argument(
        "--restart-delay",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="the first back-off of a crashing container (a cluster has 10)",
    )
    parser.add_argument(
        "--without-policies", action="store_true", help="let NetworkPolicies be objects only"
    )
    return parser.parse_args()


def _tell_tasks() -> None:
    """On SIGUSR1: where every task is, for a pod that does not get on."""
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)


async def _run(arguments: argparse.Namespace) -> None:
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    assert main is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, main.cancel)
    loop.add_signal_handler(signal.SIGUSR1, _tell_tasks)
    state = arguments.state.resolve()
    async with KubeClient.from_kubeconfig(arguments.kubeconfig) as client:
        agent = Agent(
            client,
            places(arguments.nodes),
            state,
            restart_delay=arguments.restart_delay,
            has_policies=not arguments.without_policies,
        )
        api = KubeletApi(agent)
        with contextlib.suppress(asyncio.CancelledError):
            async with asyncio.TaskGroup() as group:
                group.create_task(agent.run())
                group.create_task(api.run())


def main() -> None:
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(_run(arguments))
    except ValueError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
