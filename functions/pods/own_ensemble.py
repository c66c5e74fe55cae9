"""The ensemble around one agent: its member list, its spec and the way to its planner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.adapters.words import parse_conf
from functions.api.errors import Refused, Unavailable
from functions.api.kinds import CLUSTER, POD, Ref
from functions.planning.ensemble import EnsembleConfig
from functions.pods.member_requests import Ensemble
from functions.pods.server_reports import HOST, ask_first, server_ports
from functions.pods.telling import post_event
from functions.runtime.events import asked_event


def own_ensemble(environment: Mapping[str, str]) -> Ensemble:
    """Return what requests are held against, as a container's environment names it.

    A pod that was made before there were such requests names little of it, and may run this image
    all the same. Its agent must go on: without a digest it lets nobody in.
    """
    names = ("CLUSTER", "DOMAIN", "FOLLOWER_PORT", "LEADER_ELECTION_PORT", "SUPER_DIGEST")
    cluster, domain, follower, election, digest = (environment.get(name, "") for name in names)
    ports = f"{follower}:{election}"
    return Ensemble(
        digest=digest,
        address=lambda number: f"{cluster}-{number - 1}.{domain}:{ports}",
        read_cluster=lambda: _read_cluster(environment),
        members=lambda: _members(server_ports(environment)),
        wake=lambda: _wake(environment),
    )


def _read_cluster(environment: Mapping[str, str]) -> Mapping[str, Any] | None:
    # Imported late: it brings TLS along, which counts once per server.
    from functions.pods.record import read_object

    namespace, name = environment["NAMESPACE"], environment["CLUSTER"]
    path = f"/apis/{CLUSTER.api_version}/namespaces/{namespace}/{CLUSTER.plural}/{name}"
    try:
        return read_object(path)
    except Refused as error:
        raise Unavailable(str(error)) from error


def _members(ports: tuple[int, ...]) -> EnsembleConfig:
    return parse_conf(ask_first("conf", HOST, ports), "The server")


def _wake(environment: Mapping[str, str]) -> None:
    broker = environment.get("BROKER_URL", "")
    if not broker:
        raise Unavailable("Nobody can be told: the functions were installed without BROKER_URL.")
    post_event(broker, *asked_event(Ref(POD, environment["NAMESPACE"], environment["POD_NAME"])))
