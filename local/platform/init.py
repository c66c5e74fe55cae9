"""The first process inside the platform's namespaces.

It takes in every orphan, as the first process of a PID namespace must, and ends everything by
ending itself. The work is done by its one child, the supervisor.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    supervisor = os.fork()
    if supervisor == 0:
        # Imported here so that this process, which only waits, stays small.
        from local.platform import supervisor as work

        os._exit(work.main(options))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.kill(supervisor, signal.SIGTERM))
    while True:
        ended, status = os.wait()
        if ended == supervisor:
            return os.waitstatus_to_exitcode(status)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.platform.init")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--without", default="")
    parser.add_argument("--eventing", default="")
    for descriptor in ("api", "ingress", "outside", "lifeline"):
        parser.add_argument(f"--{descriptor}-fd", type=int, required=True)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
