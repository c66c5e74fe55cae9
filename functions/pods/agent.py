"""Stay beside one server: `python -m functions.pods.agent`, the sidecar of every pod.

It answers what the server's volume holds (`GET /disk`), and it never ends because something else
is out of order: a pod is ready only while all its containers run. Memory counts here, once per
server: only the standard library and small modules of our own are imported.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from types import FrameType

from functions.pods.disk import Folders
from functions.pods.disk_report import disk_report
from functions.pods.endpoints import Endpoints

log = logging.getLogger("agent")

PAUSE_SECONDS = 1.0
# kube-proxy takes in changes once a second at most, and hears of them a moment late.
FAREWELL_SECONDS = 2.0
LOOK_SECONDS = 0.1


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    # The first process of a container does not hear SIGTERM unless it asks for it.
    signal.signal(signal.SIGTERM, _leave_last)
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
    address = ("127.0.0.1", int(os.environ["CLIENT_PORT"]))
    try:
        with socket.create_connection(address, timeout=PAUSE_SECONDS):
            return True
    except TimeoutError:
        return True  # It is there, and stuck.
    except OSError:
        return False


def serve(environment: Mapping[str, str]) -> None:
    """Answer requests for ever; a port that cannot be had is tried again."""
    folders = Folders.named_by(environment)
    address = ("", int(environment["AGENT_PORT"]))
    while True:
        try:
            Endpoints(address, {"/disk": lambda: disk_report(folders)}).serve_forever()
        except OSError as error:
            log.warning("cannot listen on port %s: %s", address[1], error)
            time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
