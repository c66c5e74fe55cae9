"""`python -m local.knative_eventing`: put the real Knative Eventing in place, and lead to it.

The part answers on the ingress's port of the platform, as our own eventing does, once the real
ingress takes events: that is what `up` waits for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
from contextlib import suppress
from pathlib import Path

import yaml

from local.knative_eventing.manifests import Manifest, catalogue, manifests
from local.platform import addresses
from local.platform.state import write_atomically
from local.relay.streams import connect_inside, relay_to

NAMESPACE = "knative-eventing"
INGRESS = f"broker-ingress.{NAMESPACE}.svc.{addresses.CLUSTER_DOMAIN}"
# The way of an event, and the webhooks that are asked about each object.
SERVES = (
    "eventing-webhook",
    "imc-controller",
    "imc-dispatcher",
    "mt-broker-ingress",
    "mt-broker-filter",
)
APPLY_SECONDS = 60.0
WAIT_SECONDS = 120
RETRY_SECONDS = 0.5

log = logging.getLogger("local.knative_eventing")


async def serve(options: argparse.Namespace) -> None:
    """Install what the checkout says, wait until it serves, then lead to its ingress."""
    _describe_images(options.state / "images.yaml", options.programs)
    wanted = manifests(options.checkout)
    while not await _apply(wanted):
        await asyncio.sleep(RETRY_SECONDS)
    deployments = [f"deployment/{name}" for name in SERVES]
    await _kubectl(
        *("wait", "-n", NAMESPACE, *deployments),
        *("--for=condition=Available", f"--timeout={WAIT_SECONDS}s"),
    )
    relay = relay_to(lambda: connect_inside(INGRESS, 80))
    server = await asyncio.start_server(relay, addresses.GATEWAY, addresses.INGRESS_PORT)
    log.info("Knative Eventing of %s takes events", options.checkout)
    await server.serve_forever()


def _describe_images(path: Path, programs: Path) -> None:
    """Add the programs to the node's catalogue; what the user wrote there stays."""
    ours = catalogue(programs)
    names = [entry["names"] for entry in ours]
    written = yaml.safe_load(path.read_text()) if path.exists() else []
    others = [entry for entry in written or [] if entry["names"] not in names]
    write_atomically(path, yaml.safe_dump([*others, *ours]))


async def _apply(wanted: list[Manifest]) -> bool:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": wanted})
    options = ("--server-side", "--force-conflicts", "--field-manager=knative-eventing")
    return await _kubectl("apply", *options, "-f", "-", said=text)


async def _kubectl(*words: str, said: str = "") -> bool:
    """Run kubectl against the platform; says whether it did it, its words go to the log."""
    process = await asyncio.create_subprocess_exec(
        "kubectl", *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(APPLY_SECONDS + WAIT_SECONDS):
        await process.communicate(said.encode())
    return process.returncode == 0


async def _main(options: argparse.Namespace) -> None:
    serving = asyncio.create_task(serve(options))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    with suppress(asyncio.CancelledError):
        await serving


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.knative_eventing")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--checkout", type=Path, required=True)
    parser.add_argument("--programs", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(_main(_options()))
