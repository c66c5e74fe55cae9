"""Changing an ensemble's member list, and finding out whether a change took effect.

A server that loses its leader while it answers reports a lost connection although the change is
committed (zookeeper.md 4.1, tried): then the other members are asked, for a few seconds.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import ReconfigRefused, Refused, Unavailable
from functions.api.kinds import SECRET, Ref
from functions.manifests.access import passwords
from functions.manifests.names import super_user_secret_name
from functions.planning.ensemble import EnsembleConfig
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
    try:
        world.zookeeper.reconfigure(
            step.host,
            step.port or client_port,
            joining=step.joining,
            leaving=step.leaving,
            from_config=step.from_config,
            passwords=_passwords(cluster, world),
        )
    except Refused as error:
        raise ReconfigRefused(str(error)) from error
    except Unavailable:
        # The change may be the one that moves servers from their port to the clients'.
        ports = {step.port or client_port, client_port}
        if not _took_effect(step, sorted(ports), world):
            raise


def _passwords(cluster: ZooKeeperCluster, world: World) -> list[str]:
    name = super_user_secret_name(cluster)
    secret = world.kube.get(Ref(SECRET, cluster.metadata.namespace, name))
    if secret is None:
        raise Unavailable(f"The Secret {name} with the super user's password is not there yet.")
    return passwords(secret)


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
    if step.joining:
        return {parse_member(line) for line in step.joining.split(",")} <= set(seen.members)
    return int(step.leaving) not in {member.id for member in seen.members}


def _config(host: str, port: int, world: World) -> EnsembleConfig | None:
    try:
        return world.zookeeper.config(host, port)
    except Unavailable:
        return None
