"""Where the stores are: their addresses, folders, bucket, and who may use them."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from local.platform import addresses
from local.platform.state import State

S3 = "s3"
OSS = "oss"
STORES = (S3, OSS)
PORTS = {S3: addresses.S3_PORT, OSS: addresses.OSS_PORT}
BUCKET = "backups"
REGION = "laptop"
NAMESPACE = "zookeeper-local"
SECRET = "store"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The one pair of keys that both stores of a platform accept."""

    access_key: str
    secret_key: str


def new_credentials() -> Credentials:
    return Credentials(secrets.token_hex(10), secrets.token_hex(20))


def credentials_file(state: State) -> Path:
    return state.folder / "inside" / "store.json"


def write_credentials(state: State, found: Credentials) -> None:
    path = credentials_file(state)
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(found)))


def credentials(state: State) -> Credentials:
    """The running platform's; raises FileNotFoundError when there is none."""
    return Credentials(**json.loads(credentials_file(state).read_text()))


def folder(state: State, store: str) -> Path:
    """Each folder in it is a bucket, and each file in that an object."""
    return state.folder / "stores" / store


def endpoint(store: str) -> str:
    """Where pods reach a store."""
    return f"http://{store}.{NAMESPACE}.svc.{addresses.CLUSTER_DOMAIN}:{PORTS[store]}"


def secret(state: State, namespace: str) -> dict[str, Any]:
    """The Secret that backups and restores name for their credentials."""
    found = credentials(state)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, **({"namespace": namespace} if namespace else {})},
        "stringData": {"accessKey": found.access_key, "secretKey": found.secret_key},
    }
