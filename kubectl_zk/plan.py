"""`kubectl zk plan`: what each function would do now, and what it waits for, in a person's words.

The functions themselves run here, on the real world without consequences (`dry.py`). They need the
rights they have in earnest as far as reading goes; what a person may not read is said.
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import MissingRight, Unavailable
from functions.api.kinds import BACKUP, CLUSTER, POD, RESTORE, Ref
from functions.manifests.names import selector
from functions.planning.seen import seen_pod
from functions.runtime.events import reference_event
from functions.runtime.function import FUNCTIONS
from functions.runtime.reading import port_to_ask
from functions.runtime.rendering import render
from functions.runtime.rendering_world import RenderedWorld
from functions.runtime.settings import Settings
from kubectl_zk import finding
from kubectl_zk.changes import changes, sentence
from kubectl_zk.dry import DryKube, DryServers, Looks
from kubectl_zk.installed import installation
from kubectl_zk.problem import DONE, may_not
from kubectl_zk.session import Session
from kubectl_zk.words import wrapped

# The conditions that say what a function waits for.
SAYS = {
    "reconcile-cluster": ("Reconciled", "SpecSafe"),
    "scale": ("Scaled",),
    "roll": ("Updated",),
    "observe": ("Available", "QuorumHealthy", "Spread"),
    "backup": ("Completed", "Scheduled", "Recent"),
    "restore": ("Staged", "Restored"),
}
OVER = frozenset({"restarted", "failed"})
ASKS_SERVERS = frozenset({"scale", "roll", "observe", "restore"})


@dataclass(frozen=True, slots=True)
class Planned:
    """One function about one object: the steps, what it waits for, or why it cannot be said."""

    function: str
    about: str
    steps: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()
    unknown: str = ""


def plan(session: Session, asked: argparse.Namespace) -> int:
    cluster = finding.cluster(session, asked.name)
    planned = list(plans(session, cluster))
    if session.terminal.is_json:
        told = [_as_json(it) for it in planned]
        session.terminal.show_json({"cluster": cluster.metadata.name, "plans": told})
        return DONE
    for it in planned:
        session.terminal.show("\n".join(_lines(it, session.terminal.width)))
    return DONE


def plans(session: Session, cluster: ZooKeeperCluster) -> Iterator[Planned]:
    """Yield what every function would do about the cluster, its backups and its restores."""
    looks, settings = Looks(session.kube), _settings(session)
    silent = _why_servers_cannot_be_asked(session, cluster)
    for function, ref in _deliveries(session, cluster):
        about = f"{ref.kind.name} {ref.name}"
        if silent and function in ASKS_SERVERS:
            yield Planned(function, about, unknown=silent)
            continue
        servers = DryServers(session.servers)
        kube = DryKube(looks, session.now())
        on = RenderedWorld(kube, servers, session.now(), settings, session.programs)
        yield _planned(function, ref, on, servers, looks)


def _settings(session: Session) -> Settings:
    given = installation(session)
    return Settings(
        functions_image=given.functions_image,
        broker_url=given.broker_url,
        conflict_pause=0.0,
        confirm_seconds=0.0,
    )


def _deliveries(session: Session, cluster: ZooKeeperCluster) -> Iterator[tuple[str, Ref]]:
    namespace, name = cluster.metadata.namespace, cluster.metadata.name
    for function in ("reconcile-cluster", "scale", "roll", "observe"):
        yield function, Ref(CLUSTER, namespace, name)
    for backup in finding.backups_of(session, cluster):
        yield "backup", Ref(BACKUP, namespace, backup.metadata.name)
    for restore in finding.restores_of(session, cluster):
        yield "restore", Ref(RESTORE, namespace, restore.metadata.name)


def _why_servers_cannot_be_asked(session: Session, cluster: ZooKeeperCluster) -> str:
    """Return which right is missing: to functions every server would seem to be silent."""
    found = session.kube.list(POD, cluster.metadata.namespace, selector(cluster))
    for pod in (seen_pod(it) for it in found):
        if pod.address:
            try:
                port = port_to_ask(pod, cluster.spec.config.client_port)
                session.servers.stats(pod.address, port)
            except MissingRight as error:
                return may_not(str(error))
            except Unavailable:
                continue
    return ""


def _planned(
    function: str, ref: Ref, on: RenderedWorld, servers: DryServers, looks: Looks
) -> Planned:
    importlib.import_module(f"functions.{function.replace('-', '_')}")
    attributes, data = reference_event(ref)
    event = {"specversion": "1.0", **attributes, "id": "plan", "data": data}
    body = json.dumps(event).encode()
    rendered = render(FUNCTIONS[function], body, on)
    assert isinstance(on.kube, DryKube)
    steps = [*changes(on.kube, looks, ref), *servers.changes]
    about = f"{ref.kind.name} {ref.name}"
    is_whole = rendered.answer.status == 204 or bool(servers.changes)
    if not is_whole:
        return Planned(function, about, tuple(steps), unknown=may_not(rendered.answer.text))
    waits = [it for it in _waits(function, on.kube, ref) if f"say {it}" not in steps]
    return Planned(function, about, tuple(steps), tuple(waits))


def _waits(function: str, kube: DryKube, ref: Ref) -> Iterator[str]:
    """Yield what the function says it waits for, with this plan carried out.

    What a restore left as it is once it is over (nothing is staged any more) is no wait.
    """
    status = (kube.get(ref) or {}).get("status", {})
    if function == "restore" and status.get("status") in OVER:
        return
    for told in status.get("conditions", ()):
        if told["type"] in SAYS[function] and told["status"] != "True":
            yield sentence(told)
    held = status.get("operation")
    if held and held.get("message"):
        yield f"{held['type']} {held.get('step', '')}: {held['message']}"


def _lines(planned: Planned, width: int) -> Sequence[str]:
    head = f"{planned.function} ({planned.about})"
    if not planned.steps and not planned.waits and not planned.unknown:
        return [f"{head}: nothing to do"]
    lines = [f"{head}:"]
    for number, step in enumerate(planned.steps, 1):
        lines += wrapped(f"{number}. {step}", width)
    because = "sees" if planned.function == "observe" else "waits"
    for wait in planned.waits:
        lines += wrapped(f"{because}: {wait}", width)
    if planned.unknown:
        lines += wrapped(f"cannot be said: {planned.unknown}", width)
    return lines


def _as_json(planned: Planned) -> dict[str, object]:
    return {
        "function": planned.function,
        "object": planned.about,
        "steps": list(planned.steps),
        "waits": list(planned.waits),
        "unknown": planned.unknown or None,
    }
