"""The object stores one suite is held against: rclone's S3, the OSS stand-in, and the twin."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from functions.adapters.stores.bucket import BucketStore
from functions.adapters.stores.connect import connect
from functions.adapters.stores.patience import Patience
from local.stores import s3
from local.stores.place import Credentials
from tests.contract.processes import free_ports, until

ACCESS_KEY = "AKcontract"
SECRET_KEY = "SKcontract"
REGION = "laptop"
# A machine with other tests on it answers in that time; a stall is told apart soon.
PATIENCE = Patience(connect_seconds=2.0, answer_seconds=2.0, tries=3, wait_seconds=0.02)

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Server:
    """A running store; `environment` is what a Job's pod would have to reach a bucket of it."""

    kind: str
    port: int
    region: str = ""

    def environment(self, bucket: str) -> dict[str, str]:
        return {
            "STORE": self.kind,
            "ENDPOINT": f"http://127.0.0.1:{self.port}",
            "REGION": self.region,
            "BUCKET": bucket,
            "PATH_STYLE": "true",
            "CA_FILE": "",
            "ACCESS_KEY": ACCESS_KEY,
            "SECRET_KEY": SECRET_KEY,
        }


@dataclass(frozen=True)
class RealSide:
    """A bucket of its own in a running store."""

    server: Server
    bucket: str = field(default_factory=lambda: f"bucket-{next(_numbers)}")
    patience: Patience = PATIENCE

    def store(self, **changes: str) -> BucketStore:
        """Connect to the bucket, or with other settings to what those say."""
        return connect(self.server.environment(self.bucket) | changes, self.patience)


@contextmanager
def s3_server(folder: Path, *options: str) -> Iterator[Server]:
    """Run rclone's S3 server on a folder, with more options of its own."""
    (port,) = free_ports(1)
    keys = s3.environment(Credentials(ACCESS_KEY, SECRET_KEY))
    command = [*s3.command_line(folder / "objects", f"127.0.0.1:{port}"), *options]
    with _running(command, folder, port, keys):
        yield Server("s3", port)


@contextmanager
def oss_server(folder: Path, ahead: float = 0.0) -> Iterator[Server]:
    """Run the OSS stand-in on a folder; its clock is `ahead` by some seconds."""
    (port,) = free_ports(1)
    credentials = folder / "credentials.json"
    folder.mkdir(parents=True, exist_ok=True)
    credentials.write_text(json.dumps({"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}))
    command = [
        *(sys.executable, "-m", "local.stores.oss", "--port", str(port)),
        *("--folder", str(folder / "objects"), "--credentials", str(credentials)),
        *("--region", REGION, "--ahead", str(ahead)),
    ]
    with _running(command, folder, port, {}):
        yield Server("oss", port, REGION)


@contextmanager
def _running(
    command: list[str], folder: Path, port: int, variables: Mapping[str, str]
) -> Iterator[None]:
    (folder / "objects").mkdir(parents=True, exist_ok=True)
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],
            stdout=log,
            stderr=log,
            env={**os.environ, **variables},
        )
        try:
            until(lambda: _listens(port), f"{command[0]} on port {port}")
            yield
        finally:
            server.kill()
            server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
