"""The HTTPS interface of a kubelet, asked by the API server: logs, commands, ports.

It listens on each node's address, with a certificate of its own that nobody checks; it is
reachable only inside the platform's network.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local.node.agent import Agent
from local.node.container_logs import LogOptions, read
from local.node.exec_session import run_exec
from local.node.nodes import KUBELET_PORT
from local.node.pod import PodKeeper
from local.node.port_forward import serve_port_forward
from local.node.records import Record
from local.node.whereabouts import whereabouts

RETRY_SECONDS = 1.0
STOP_SECONDS = 1.0
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class KubeletApi:
    """One HTTP application for all nodes of the program."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def run(self) -> None:
        """Serve until cancelled."""
        runner = web.AppRunner(self._application(), access_log=None)
        await runner.setup()
        try:
            context = server_context()
            for place in self._agent.places:
                await self._listen(runner, place.address, context)
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner, address: str, context: ssl.SSLContext) -> None:
        """The address may come a moment later than this program."""
        while True:
            site = web.TCPSite(
                runner, address, KUBELET_PORT, ssl_context=context, shutdown_timeout=STOP_SECONDS
            )
            try:
                await site.start()
            except OSError:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def _application(self) -> web.Application:
        application = web.Application()
        add = application.router.add_route
        add("GET", "/healthz", self._healthz)
        add("GET", "/pods", self._pods)
        add("GET", "/laptop", self._laptop)
        add("GET", "/containerLogs/{namespace}/{pod}/{container}", self._logs)
        for path in (
            "/exec/{namespace}/{pod}/{container}",
            "/exec/{namespace}/{pod}/{uid}/{container}",
        ):
            add("*", path, self._exec)
        add("*", "/attach/{rest:.*}", self._attach)
        for path in ("/portForward/{namespace}/{pod}", "/portForward/{namespace}/{pod}/{uid}"):
            add("*", path, self._port_forward)
        return application

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _pods(self, _request: web.Request) -> web.Response:
        items = [keeper.pod for keeper in self._agent.keepers.values()]
        return web.json_response({"apiVersion": "v1", "kind": "PodList", "items": items})

    async def _laptop(self, _request: web.Request) -> web.Response:
        """Where each pod is on this machine; no kubelet has this, faults on purpose need it."""
        items = [whereabouts(keeper) for keeper in self._agent.keepers.values()]
        return web.json_response({"items": items})

    async def _attach(self, _request: web.Request) -> web.Response:
        return _refusal(501, "kubectl attach is not served on the laptop; use exec or logs")

    async def _port_forward(self, request: web.Request) -> web.StreamResponse:
        return await serve_port_forward(request, self._find_pod(request).network)

    def _find_pod(self, request: web.Request) -> PodKeeper:
        """The pod a path names; raises 404 with a sentence."""
        key = request.match_info["namespace"], request.match_info["pod"]
        found = [keeper for keeper in self._agent.keepers.values() if keeper.key == key]
        if not found:
            raise web.HTTPNotFound(text=f'pod "{key[0]}/{key[1]}" is not on this node')
        return found[-1]

    def _find(self, request: web.Request) -> tuple[PodKeeper, Record]:
        """The pod and container a path names; raises 404 with a sentence."""
        keeper, name = self._find_pod(request), request.match_info["container"]
        record = keeper.record(name)
        if record is None:
            raise web.HTTPNotFound(text=f'pod "{keeper.key[1]}" has no container "{name}"')
        return keeper, record

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        keeper, record = self._find(request)
        previous = request.query.get("previous") == "true"
        path = keeper.log_path(record, previous=previous)
        if not path.exists():
            what = "previous terminated container" if previous else "container"
            raise web.HTTPBadRequest(
                text=f'{what} "{record.name}" in pod "{keeper.key[1]}" not found: it has no log yet'
            )
        options = LogOptions.from_query(dict(request.query), datetime.now(UTC))
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        running = record.running

        def still_written() -> bool:
            return not previous and running is not None and not running.has_ended

        async for chunk in read(path, options, still_written):
            await response.write(chunk)
        await response.write_eof()
        return response

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        _, record = self._find(request)
        if not record.is_running or record.running is None:
            raise web.HTTPBadRequest(text=f'container "{record.name}" is not running')
        return await run_exec(request, record.running)


def _refusal(status: int, sentence: str) -> web.Response:
    return web.Response(status=status, text=sentence)


def server_context() -> ssl.SSLContext:
    """A TLS context with a fresh self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "laptop-node")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "both.pem"
        path.touch(mode=0o600)
        path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(path)
    return context
