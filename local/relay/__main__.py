"""`python -m local.relay`: connect the platform's network with the host's, where it is wanted."""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from local.following import run_part, until_it_succeeds
from local.kube import KubeClient
from local.platform import addresses
from local.relay.egress import serve_egress
from local.relay.host import Host
from local.relay.services import ServicePorts
from local.relay.streams import connect_inside, relay_to
from local.stores import services


async def relay(options: argparse.Namespace) -> None:
    """Serve until cancelled."""
    host = Host(options.outside_fd)
    async with (
        KubeClient.from_kubeconfig(options.kubeconfig) as client,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(_serve(options.api_fd, addresses.API_PORT))
        group.create_task(_serve(options.ingress_fd, addresses.INGRESS_PORT))
        group.create_task(serve_egress(host, addresses.GATEWAY, addresses.EGRESS_PORT))
        group.create_task(until_it_succeeds(lambda: services.install(client)))
        group.create_task(ServicePorts(client, host).run())


async def _serve(descriptor: int, port: int) -> None:
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(False)
    forward = relay_to(lambda: connect_inside(addresses.GATEWAY, port))
    server = await asyncio.start_server(forward, sock=listener)
    await server.serve_forever()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.relay", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    for descriptor in ("api", "ingress", "outside"):
        parser.add_argument(f"--{descriptor}-fd", type=int, required=True)
    options = parser.parse_args(arguments)
    return run_part(relay(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
