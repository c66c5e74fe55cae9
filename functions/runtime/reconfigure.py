"""Changing an ensemble's member list, and finding out whether a change took effect.

A server that loses its leader while it answers reports a lost connection although the change is
committed (zookeeper.md 4.1, tried): then the other members are asked, for a few seconds.
"""

from __future__ import annotations

import base64
import itertools
import time
from collections.abc import Sequence

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import ReconfigRefused, Refused, Unavailable
from functions.api.kinds import SECRET, Ref
from functions.api.manifest import Manifest
from functions.api.ports import AGENT_PORT
from functions.manifests.access import passwords
from functions.manifests.names import super_user_secret_name
from functions.planning.ensemble import EnsembleConfig, Login, Trust
from functions.planning.member_list import parse_member
from functions.planning.steps import Reconfigure
from functions.runtime.world import World

POLL_SECONDS = 0.05


def reconfigure(step: Reconfigure, cluster: ZooKeeperCluster, world: World) -> None:
    """Change the list, or raise why not.

    Conflict when it is another one by now, Unavailable when it is not known, ReconfigRefused when
    the servers will not have it.
    """
    client_port = cluster.spec.config.client_port
    login = _login(step, cluster, world)
    try:
        world.zookeeper.reconfigure(
            step.host,
            step.port or client_port,
            joining=step.joining,
            leaving=step.leaving,
            from_config=step.from_config,
            login=login,
        )
    except Refused as error:
        raise ReconfigRefused(str(error)) from error
    except Unavailable:
        # The change may be the one that moves servers from their port to the clients'.
        ports = {AGENT_PORT} if step.tls_name else {step.port or client_port, client_port}
        if not _took_effect(step, sorted(ports), world):
            raise


def _login(step: Reconfigure, cluster: ZooKeeperCluster, world: World) -> Login:
    trust = _trust(step, cluster, world) if step.tls_name else None
    return Login(_passwords(cluster, world), trust)


def _passwords(cluster: ZooKeeperCluster, world: World) -> list[str]:
    name = super_user_secret_name(cluster)
    secret = world.kube.get(Ref(SECRET, cluster.metadata.namespace, name))
    if secret is None:
        raise Unavailable(f"The Secret {name} with the super user's password is not there yet.")
    return passwords(secret)


def _trust(step: Reconfigure, cluster: ZooKeeperCluster, world: World) -> Trust:
    """Return what the clients' Secret says, and its key only where clients have to show one."""
    client = cluster.spec.tls.client
    name = client.secret_name if client is not None else ""
    secret = world.kube.get(Ref(SECRET, cluster.metadata.namespace, name)) if name else None
    if client is None or secret is None:
        raise Unavailable(
            f"The Secret {name} is not there: the servers take sessions by TLS alone, and without "
            "it nobody knows whom to trust."
        )
    shows = client.client_auth == "need"
    return Trust(
        name=step.tls_name,
        chain=_text(secret, "tls.crt"),
        authority=_text(secret, "ca.crt"),
        key=_text(secret, "tls.key") if shows else "",
    )


def _text(secret: Manifest, key: str) -> str:
    return base64.b64decode(secret.get("data", {}).get(key, "")).decode(errors="replace")


def _took_effect(step: Reconfigure, ports: Sequence[int], world: World) -> bool:
    """Ask the witnesses until one knows a newer list, or the time is up; it must be ours."""
    until = time.monotonic() + world.settings.confirm_seconds
    while time.monotonic() < until:
        for host, port in itertools.product(step.witnesses, ports):
            seen = _config(host, port, world)
            if seen is not None and seen.version > step.from_config:
                return _is_as_asked(step, seen)
        time.sleep(POLL_SECONDS)
    return False


def _is_as_asked(step: Reconfigure, seen: EnsembleConfig) -> bool:
    joining = {parse_member(line) for line in step.joining.split(",") if line}
    leaving = {int(step.leaving)} if step.leaving else set()
    return joining <= set(seen.members) and not leaving & {member.id for member in seen.members}


def _config(host: str, port: int, world: World) -> EnsembleConfig | None:
    try:
        return world.zookeeper.config(host, port)
    except Unavailable:
        return None
