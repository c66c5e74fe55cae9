"""The functions' World with a real API server, and servers of ZooKeeper that are only played."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import urllib3

import functions.backup
import functions.observe
import functions.reconcile_cluster
import functions.roll
import functions.scale  # noqa: F401 - importing a function deploys it
from functions.adapters.kubernetes.api import KubernetesApi
from functions.adapters.kubernetes.rest import Rest
from functions.adapters.memory import MemoryAdminServers, MemoryJobPrograms
from functions.adapters.memory.zookeeper import MemoryZooKeeper
from functions.api.kinds import Ref
from functions.runtime.events import Event, reference_event
from functions.runtime.function import FUNCTIONS, deliver
from functions.runtime.settings import Settings
from functions.runtime.world import World
from tests.contract.api_server import ApiServer

# What the functions call themselves in the Events that they make.
REPORTER = "zookeeper-functions"


class _Administrator:
    """Credentials that never expire."""

    def __init__(self, token: str) -> None:
        self._token = token

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def renew(self) -> None:
        """It is good for ever."""


def world(
    server: ApiServer, pool: urllib3.PoolManager, zookeeper: MemoryZooKeeper | None = None
) -> World:
    """Return what a function works with; every request goes through `pool`."""
    rest = Rest(pool, server.url, credentials=_Administrator(server.token), timeout=10.0)
    return World(
        kube=KubernetesApi(rest),
        zookeeper=zookeeper or MemoryZooKeeper(),
        programs=MemoryJobPrograms(),
        admin_servers=MemoryAdminServers(),
        now=lambda: datetime.now(UTC),
        emit=lambda _attributes, _data: None,
        fresh_password=lambda: "always the same",
        settings=Settings(conflict_pause=0.0),
    )


def send(it: World, function: str, about: Ref) -> int:
    """Hand an event about an object to a function; return how it answers."""
    attributes, data = reference_event(about)
    return deliver(FUNCTIONS[function], Event({**attributes, "id": "1"}, data), lambda: it).status
