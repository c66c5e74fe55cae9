"""Reading what a cluster's status says inside a pod, with the standard library only.

A server's preparation must be quick and small, so the typed models stay out of it.
"""

from __future__ import annotations

import json
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from functions.api.errors import Refused, Unavailable
from functions.planning.preparation import Record, RecordState
from functions.planning.restoring import Verdict

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# Short, because a server with data asks once and starts all the same when there is no answer.
TIMEOUT_SECONDS = 2


def read_object(
    path: str, environment: Mapping[str, str] = os.environ, account: Path = SERVICE_ACCOUNT
) -> dict[str, Any] | None:
    """GET one object as this pod's ServiceAccount; None when there is none.

    Raises Unavailable when the API server cannot be reached, Refused when it says no.
    """
    host, port = (environment[f"KUBERNETES_SERVICE_{part}"] for part in ("HOST", "PORT"))
    server = f"https://{host}:{port}"
    token = (account / "token").read_text()
    request = urllib.request.Request(
        f"{server}{path}", headers={"Authorization": f"Bearer {token}"}
    )
    trust = ssl.create_default_context(cafile=str(account / "ca.crt"))
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=trust) as answer:
            loaded: dict[str, Any] = json.load(answer)
            return loaded
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        if error.code in (401, 403):
            raise Refused(f"the API server refuses {path}: {error.code} {error.reason}") from error
        raise Unavailable(f"the API server answers {error.code} for {path}") from error
    except (OSError, ValueError) as error:
        raise Unavailable(f"the API server cannot be reached: {error}") from error


def parse_record(cluster: dict[str, Any] | None) -> Record | None:
    """Return the record in a cluster's status, or None while there is none."""
    status = (cluster or {}).get("status", {})
    bootstrap = status.get("bootstrap")
    if not bootstrap:
        return None
    first = {int(member["id"]): "participant" for member in bootstrap.get("members", [])}
    members = status.get("members", [])
    listed = {int(member["id"]): str(member["role"]) for member in members}
    return Record(
        state=RecordState(bootstrap["state"]),
        roles=listed or first,
        volumes={volume["name"]: volume["uid"] for volume in bootstrap.get("volumes", [])},
        recovery={
            volume["name"]: volume.get("uid")
            for volume in status.get("recovery", {}).get("volumes", [])
        },
        version=max((int(member.get("configVersion", 0)) for member in members), default=0),
    )


def parse_verdict(cluster: dict[str, Any] | None) -> Verdict:
    """Return what a cluster's status says of restores."""
    status = (cluster or {}).get("status", {})
    operation = status.get("operation") or {}
    restored = str(status.get("restored") or "")
    if operation.get("type") != "Restore":
        return Verdict(restored=restored)
    uid, step = (str(operation.get(field) or "") for field in ("ownerUid", "step"))
    return Verdict(uid, step, restored)
