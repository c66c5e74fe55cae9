"""The real World: connected once in a process, at the first event."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from functions.adapters.broker import Broker
from functions.adapters.job_programs import HttpAdminServers, HttpJobPrograms
from functions.adapters.kubernetes import connect as connect_kubernetes
from functions.adapters.zookeeper import ZooKeeperServers
from functions.runtime.logs import set_up_logs
from functions.runtime.settings import read_settings
from functions.runtime.world import World


def connect() -> World:
    """Return the World of this process; raises Unavailable when there is no cluster to talk to."""
    set_up_logs()
    settings = read_settings()
    return World(
        kube=connect_kubernetes(settings.kubernetes_timeout),
        zookeeper=ZooKeeperServers(look_seconds=settings.zookeeper_timeout),
        programs=HttpJobPrograms(timeout=settings.zookeeper_timeout),
        admin_servers=HttpAdminServers(timeout=settings.zookeeper_timeout),
        now=lambda: datetime.now(UTC),
        emit=Broker(settings.broker_url, settings.kubernetes_timeout).send,
        fresh_password=lambda: secrets.token_urlsafe(24),
        settings=settings,
    )
