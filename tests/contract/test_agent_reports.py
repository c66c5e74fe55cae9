"""What the agent answers about a real server: its own words, in the seed system's JSON."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kazoo.client import KazooClient

from functions.adapters.words import ask as ask_word
from functions.adapters.words import parse_stats
from functions.pods.endpoints import Endpoints
from functions.pods.server_reports import reports
from tests.contract.ensemble import PORT, RealEnsemble
from tests.contract.processes import until

pytestmark = pytest.mark.contract

TICK_TIME = 500
WORDS = {"4lw.commands.whitelist": "srvr,cons,ruok,conf"}
CLOSED_PORT = 2189


@contextmanager
def _agent(host: str) -> Iterator[Callable[[str], tuple[int, Any]]]:
    server = Endpoints((host, 0), reports((PORT, CLOSED_PORT), host))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()

    def ask(path: str) -> tuple[int, Any]:
        try:
            url = f"http://{host}:{server.server_address[1]}{path}"
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    try:
        yield ask
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.mark.parametrize(
    "version",
    ["3.9.5", *(pytest.param(older, marks=pytest.mark.soak) for older in ("3.6.4", "3.8.4"))],
)
def test_the_agent_tells_what_a_real_server_says(
    ensemble_of: Callable[..., RealEnsemble], version: str
) -> None:
    ensemble = ensemble_of(1, settings=WORDS, version=version)
    (host,) = [line.partition("=")[2].partition(":")[0] for line in ensemble.lines]
    with _agent(host) as ask:
        assert ask("/health") == (200, "healthy")
        assert ask("/runok") == (503, False)
        assert [ask(path)[0] for path in ("/status", "/client", "/get")] == [503] * 3
        ensemble.start(1)
        until(lambda: ask("/status")[0] == 200, "it to lead", 30)
        assert ask("/runok") == (200, True)
        client = KazooClient(hosts=f"{host}:{PORT}", timeout=15)
        client.start(timeout=15)
        try:
            _look(ask, client, version, host)
        finally:
            client.stop()
            client.close()


def _look(
    ask: Callable[[str], tuple[int, Any]], client: KazooClient, version: str, host: str
) -> None:
    status, told = ask("/status")
    assert (status, told["Mode"], told["Role"], told["Error"]) == (200, 1, "leader", None)
    assert told["Version"].startswith(version)
    assert told["BuildTime"] > "2018"
    assert told["Received"] > 0
    assert (
        told["Epoch"] << 32 | told["Counter"]
        == parse_stats(ask_word("srvr", host, PORT, timeout=5), host).zxid
    )
    _, clients = ask("/client")
    sessions = {it["SessionID"]: it for it in clients["Clients"]}
    assert sessions[client.client_id[0]]["Timeout"] == 20 * TICK_TIME
    assert sessions[client.client_id[0]]["Established"] > "2020"
    listed, _ = client.get("/zookeeper/config")
    assert ask("/get") == (200, {"record": listed.decode()})
