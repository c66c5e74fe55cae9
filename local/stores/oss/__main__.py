"""`python -m local.stores.oss`: the stand-in for Alibaba OSS on one port."""

from __future__ import annotations

import argparse
import json
import logging
from datetime import timedelta
from pathlib import Path

from aiohttp import web

from local.stores.oss.server import OssServer


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.stores.oss", description="A stand-in for Alibaba OSS on a folder."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="each folder in it is a bucket")
    parser.add_argument(
        "--credentials", type=Path, required=True, help="JSON with access_key and secret_key"
    )
    parser.add_argument("--region", default="laptop", help="what version 4 must sign")
    parser.add_argument("--ahead", type=float, default=0.0, help="seconds its clock is fast")
    return parser


def main() -> None:
    chosen = _parser().parse_args()
    keys = json.loads(chosen.credentials.read_text())
    server = OssServer(
        chosen.folder,
        {keys["access_key"]: keys["secret_key"]},
        chosen.region,
        timedelta(seconds=chosen.ahead),
    )
    web.run_app(server.application(), host=chosen.host, port=chosen.port, print=None)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    main()
