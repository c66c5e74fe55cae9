"""The faults in force, read off the platform, and the end of all of them."""

from __future__ import annotations

from collections.abc import Sequence

from local.faults import control, disks, links, processes
from local.faults.errors import CannotFault
from local.faults.pods import Pod
from local.platform.state import State


def in_force(state: State, pods: Sequence[Pod]) -> list[str]:
    """Return one line per fault."""
    down = links.links_down()
    names = {pod.address: str(pod) for pod in pods if pod.address}
    found = [line for pod in pods for line in _of_pod(pod, down, names)]
    if control.is_api_stopped(state):
        found.append("stopped  the API server")
    if control.are_stores_stopped(state):
        found.append("stopped  the object stores")
    return [*found, *_of_events()]


def _of_pod(pod: Pod, down: set[str], names: dict[str, str]) -> list[str]:
    paused = [c.name for c in pod.containers if processes.is_paused(c)]
    peers = [names.get(address, address) for address in _cut_from(pod)]
    full = [name for name, path in pod.claims.items() if disks.is_full(path)]
    return [
        *(f"paused   {pod}, container {name}" for name in paused),
        *([f"cut      {pod}"] if pod.link in down else []),
        *([f"cut      {pod} from {', '.join(peers)}"] if peers else []),
        *(f"full     {pod}, volume {name}" for name in full),
    ]


def _cut_from(pod: Pod) -> list[str]:
    """Like the links say; nothing for a pod that goes away at this moment."""
    try:
        return links.cut_from(pod)
    except CannotFault:
        if links.is_there(pod):
            raise
        return []


def _of_events() -> list[str]:
    try:
        found = control.delivery()
    except CannotFault:
        return []  # A platform without eventing loses no events.
    effects = [name for name in ("drop", "duplicate", "delay", "reorder") if found[name]]
    if not effects:
        return []
    where = f"about namespace {found['namespace']}" if found["namespace"] else "of all namespaces"
    return [f"events   {', '.join(effects)}: those {where}, {found['touched']} so far"]


def clear(state: State, pods: Sequence[Pod]) -> None:
    """End every fault, and what cannot be ended last; the API server takes longest."""
    problems = [problem for pod in pods if (problem := _mend(pod))]
    if _of_events():
        control.deliver_events()
    if control.are_stores_stopped(state):
        control.start_stores(state)
    if control.is_api_stopped(state):
        control.start_api(state)
    if problems:
        raise CannotFault("\n".join(problems))


def _mend(pod: Pod) -> str:
    """Return what went wrong; a pod that went away meanwhile took its faults along."""
    try:
        for container in pod.containers:
            if processes.is_paused(container):
                processes.resume(container)
        for folder in pod.claims.values():
            disks.free(folder)
        links.join(pod)
    except CannotFault as problem:
        return str(problem) if links.is_there(pod) else ""
    return ""
