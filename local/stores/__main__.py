"""`python -m local.stores s3|oss --state=FOLDER`: become one of the stores of a platform."""

from __future__ import annotations

import argparse
import os
import select
import socket
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
    serve = _serve_s3 if options.store == place.S3 else _serve_oss
    serve(State(options.state))
    return 1


def _serve_s3(state: State) -> None:
    address = f"{addresses.GATEWAY}:{place.PORTS[place.S3]}"
    command = s3.command_line(place.folder(state, place.S3), address)
    variables = {**os.environ, **s3.environment(place.credentials(state))}
    os.execve(command[0], command, variables)


def _serve_oss(state: State) -> None:
    """Listen at once, and load the server when somebody comes: few platforms ever need it."""
    listener = socket.create_server((addresses.GATEWAY, place.PORTS[place.OSS]), backlog=128)
    select.select([listener], [], [])
    from aiohttp import web

    from local.stores.oss.server import OssServer

    keys = place.credentials(state)
    known = {keys.access_key: keys.secret_key}
    server = OssServer(place.folder(state, place.OSS), known, place.REGION)
    web.run_app(server.application(), sock=listener, print=None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
