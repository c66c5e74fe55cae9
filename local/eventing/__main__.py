"""`python -m local.eventing`: Knative Eventing's part of the laptop platform."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import ssl
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web

from local import knative_crds
from local.eventing import certificates, ingress_service, settings, webhook
from local.eventing.control import Control
from local.eventing.dispatch import Dispatcher
from local.eventing.faults import Faults
from local.eventing.ingress import Ingress
from local.eventing.sender import IngressResolver, Sender
from local.eventing.settings import Settings
from local.kube import ApiError, KubeClient

log = logging.getLogger("local.eventing")

RETRY_SECONDS = 0.5
STOP_SECONDS = 0.3


async def serve(chosen: Settings) -> None:
    """Run all parts until cancelled."""
    resolver = IngressResolver(ingress_service.HOST, chosen.host, chosen.ingress_port)
    async with KubeClient.from_kubeconfig(chosen.kubeconfig) as client, Sender(resolver) as sender:
        faults = Faults()
        ingress = Ingress(Dispatcher(sender, faults))
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(ingress.close)
            await _listen(stack, ingress.app(), chosen.host, chosen.ingress_port)
            behind_the_scenes = faults.app()
            behind_the_scenes.router.add_get("/deliveries", ingress.show_deliveries)
            await _listen(stack, behind_the_scenes, chosen.host, chosen.faults_port)
            certificate = certificates.self_signed(chosen.host)
            await _listen(
                stack, webhook.app(), chosen.host, chosen.webhook_port, certificate.context
            )
            log.info("ingress on http://%s:%d", chosen.host, chosen.ingress_port)
            await _set_up(client, chosen, certificate.authority)
            await Control(client, sender, ingress, f"http://{ingress_service.HOST}").run()


async def _set_up(client: KubeClient, chosen: Settings, authority: bytes) -> None:
    await knative_crds.install(client, "eventing")
    webhooks = f"https://{chosen.host}:{chosen.webhook_port}"
    await _until_done(lambda: webhook.install(client, webhooks, authority))
    await _until_done(lambda: ingress_service.install(client, chosen.host, chosen.ingress_port))


async def _until_done(work: Callable[[], Awaitable[None]]) -> None:
    """Try for ever: the API server may come later than we do."""
    while True:
        try:
            return await work()
        except (ApiError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("cannot set up yet: %s", error)
            await asyncio.sleep(RETRY_SECONDS)


async def _listen(
    stack: contextlib.AsyncExitStack,
    app: web.Application,
    host: str,
    port: int,
    context: ssl.SSLContext | None = None,
) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, host, port, ssl_context=context).start()


async def _main(chosen: Settings) -> None:
    serving = asyncio.create_task(serve(chosen))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(_main(settings.parse()))
