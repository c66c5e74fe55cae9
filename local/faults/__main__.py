"""`python -m local.faults STATE WISH`: one fault, begun or ended inside the platform."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from local.faults import control, disks, in_force, links, processes
from local.faults.errors import CannotFault
from local.faults.pods import Container, Pod, all_pods, find_pod
from local.faults.wish import PODS, Wish
from local.platform.state import State


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code."""
    state, wish = State(Path(arguments[0])), Wish.of_json(arguments[1])
    try:
        told = _to_pod(wish) if wish.action in PODS else _to_platform(wish, state)
    except CannotFault as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in told))
    return 0


def _to_pod(wish: Wish) -> list[str]:
    pods = all_pods()
    pod = find_pod(pods, wish.namespace, wish.pod)
    match wish.action:
        case "kill":
            processes.kill(pod.running(wish.container))
        case "pause":
            processes.pause(pod.running(wish.container))
        case "resume":
            processes.resume(pod.running(wish.container))
        case "cut":
            links.cut(pod, [_peer(pods, pod, peer) for peer in wish.peers])
        case "join":
            links.join(pod)
        case _:
            _to_volumes(pod, wish)
    return []


def _peer(pods: Sequence[Pod], pod: Pod, text: str) -> Pod:
    namespace, _, name = text.rpartition("/")
    return find_pod(pods, namespace or pod.namespace, name)


def _to_volumes(pod: Pod, wish: Wish) -> None:
    folders = pod.volumes(wish.volume).values()
    if wish.action == "lose-volume":
        _lose(pod.running(wish.container), folders)
        return
    for folder in folders:
        if wish.action == "fill":
            disks.fill(folder)
        else:
            disks.free(folder)


def _lose(server: Container, folders: Iterable[Path]) -> None:
    """The server is held first: it must not write anything between the loss and its end."""
    processes.pause(server)
    for folder in folders:
        disks.empty(folder)
    processes.kill(server)


def _to_platform(wish: Wish, state: State) -> list[str]:
    match wish.action:
        case "stop-api":
            control.stop_api(state)
        case "start-api":
            control.start_api(state)
        case "stop-store":
            control.stop_stores(state)
        case "start-store":
            control.start_stores(state)
        case "drop-events":
            control.drop_events(wish.namespace)
        case "deliver-events":
            control.deliver_events()
        case "clear":
            in_force.clear(state, all_pods())
        case _:
            return in_force.in_force(state, all_pods()) or ["no fault is in force"]
    return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
