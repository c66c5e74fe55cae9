"""Stay beside one server: `python -m functions.pods.agent`, the sidecar of every pod.

It answers what the server's volume holds (`GET /disk`), and it never ends because something else
is out of order: a pod is ready only while all its containers run. Memory counts here, once per
server: only the standard library and small modules of our own are imported.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from types import FrameType

from functions.pods.disk import Folders
from functions.pods.disk_report import disk_report
from functions.pods.endpoints import Endpoints

log = logging.getLogger("agent")

PAUSE_SECONDS = 1.0


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    # The first process of a container does not hear SIGTERM unless it asks for it.
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    serve(os.environ)


def _end(number: int, frame: FrameType | None) -> None:
    """End at once: there is nothing to put away, and a pod waits for its last container."""
    del number, frame
    os._exit(0)


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
