"""`python -m local.stores s3 --state=FOLDER`: become one of the stores of a platform."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from local.platform import addresses
from local.platform.state import State
from local.stores import place, s3


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.stores", description=__doc__)
    parser.add_argument("store", choices=place.STORES)
    parser.add_argument("--state", type=Path, required=True)
    options = parser.parse_args(arguments)
    state = State(options.state)
    keys = place.credentials(state)
    folder = place.folder(state, options.store)
    command = s3.command_line(folder, f"{addresses.GATEWAY}:{place.PORTS[options.store]}")
    os.execve(command[0], command, {**os.environ, **s3.environment(keys)})
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
