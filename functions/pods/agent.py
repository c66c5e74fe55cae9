"""Stay beside one server: `python -m functions.pods.agent`, the sidecar of every pod.

It tells the broker when the server's role changes, answers what the server says and its volume
holds, takes what may be asked of the planner (docs/agent.md), and renews the server's key stores
when their Secrets change. It never ends because something else is out of order: a pod is ready only
while all its containers run.
Memory counts here, once per server: only the standard library and small modules of our own are
imported.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from types import FrameType

from functions.api.kinds import POD, Ref
from functions.pods.disk import Folders
from functions.pods.disk_report import disk_report
from functions.pods.endpoints import Endpoints, Paths, showing
from functions.pods.member_requests import member_requests
from functions.pods.own_ensemble import own_ensemble
from functions.pods.role import roles
from functions.pods.server_metrics import metrics
from functions.pods.server_reports import reports, server_ports
from functions.pods.stores import Stores, every_moment, renew_stores
from functions.pods.telling import Teller, post_event
from functions.runtime.events import role_event

log = logging.getLogger("agent")

PAUSE_SECONDS = 1.0
# How often the HTTP server looks whether it shall stop; it never shall.
POLL_SECONDS = 60.0
# kube-proxy takes in changes once a second at most, and hears of them a moment late.
FAREWELL_SECONDS = 2.0
LOOK_SECONDS = 0.1


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    # The first process of a container does not hear SIGTERM unless it asks for it.
    signal.signal(signal.SIGTERM, _leave_last)
    for work in (*report_roles(os.environ), *keep_stores(os.environ)):
        threading.Thread(target=_go_on, args=(work,), daemon=True).start()
    serve(os.environ)


def _leave_last(number: int, frame: FrameType | None) -> None:
    """Keep the pod's address alive for a moment after the server's end, then end.

    A Service goes on sending clients to a stopped server until every proxy knows. While a container
    runs, the address refuses them and they try the next server at once. An address that is gone
    answers nothing: a client then waits as long as its session lasts (tried: 10 s).
    """
    del number, frame
    threading.Thread(target=_end_after_server, daemon=True).start()


def _end_after_server() -> None:
    while _server_accepts():
        time.sleep(LOOK_SECONDS)
    time.sleep(FAREWELL_SECONDS)
    os._exit(0)


def _server_accepts() -> bool:
    return any(map(_accepts, server_ports(os.environ)))


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PAUSE_SECONDS):
            return True
    except TimeoutError:
        return True  # It is there, and stuck.
    except OSError:
        return False


def report_roles(environment: Mapping[str, str]) -> tuple[Callable[[], None], ...]:
    """Return what has to go on so that the broker hears of every change; nothing without one."""
    broker = environment.get("BROKER_URL", "")
    if not broker:
        return ()
    pod = Ref(POD, environment["NAMESPACE"], environment["POD_NAME"])
    teller = Teller(lambda role: post_event(broker, *role_event(pod, role)))
    port, closed = server_ports(environment)
    return (
        lambda: watch(roles(port, closed_port=closed), teller.tell),
        teller.tell_next,
    )


def keep_stores(environment: Mapping[str, str]) -> tuple[Callable[[], None], ...]:
    """Return what has to go on so that a renewed certificate is served; nothing without TLS."""
    stores = Stores.named_by(environment)
    return () if stores is None else (lambda: renew_stores(stores, every_moment()),)


def watch(seen: Iterable[str], tell: Callable[[str], None]) -> None:
    """Tell of the first role and of every one that is another than the one before."""
    before = ""
    for role in seen:
        if role != before:
            log.info("the server's role is %s", role)
            tell(role)
        before = role


def _go_on(work: Callable[[], None]) -> None:
    """Do it again and again; a defect in it must not end the agent, nor stay unseen."""
    while True:
        try:
            work()
        except Exception:
            log.exception("bug")
            time.sleep(PAUSE_SECONDS)


def serve(environment: Mapping[str, str]) -> None:
    """Answer requests for ever; a port that cannot be had is tried again."""
    paths = paths_of(environment)
    address = ("", int(environment["AGENT_PORT"]))
    while True:
        try:
            Endpoints(address, paths).serve_forever(POLL_SECONDS)
        except OSError as error:
            log.warning("cannot listen on port %s: %s", address[1], error)
            time.sleep(PAUSE_SECONDS)


def paths_of(environment: Mapping[str, str]) -> Paths:
    """Return all that this agent answers."""
    folders = Folders.named_by(environment)
    return {
        "/disk": showing(lambda: disk_report(folders)),
        **reports(server_ports(environment)),
        **metrics(folders, server_ports(environment)),
        **member_requests(own_ensemble(environment)),
    }


if __name__ == "__main__":
    main()
