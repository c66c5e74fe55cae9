"""Make a backup: `python -m functions.pods.copy_out`, in a Job's pod that has a server's volume.

It reads the files of the server, which goes on writing them, and writes one backup to the store.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from functions.adapters.agent import AGENT_PORT, ask_stats
from functions.adapters.stores.connect import connect
from functions.adapters.stores.port import ObjectStore
from functions.adapters.words import ask, parse_stats
from functions.api.errors import Unavailable
from functions.backups.admin_snapshot import RATE_SECONDS, AdminServer, Snapping, take_snapshot
from functions.backups.keys import backup_key
from functions.backups.making import Made, Origin, Target, Work, make
from functions.backups.manifest import FILES, SNAPSHOT_COMMAND
from functions.backups.parts import Outbox
from functions.backups.taken import NotTaken, Taken
from functions.backups.taking import Committed, ServerFolders, Taking, take
from functions.planning.ensemble import ServerStats
from functions.pods.outcome import Failed, leave, run
from functions.pods.progress import Progress, served

log = logging.getLogger("copy_out")

ASK_SECONDS = 5.0
# How long a server may lead no quorum before it counts as one that does not serve.
SERVING_SECONDS = 30.0
DEFAULT_TIMEOUT_SECONDS = 3600


def main() -> None:
    leave(run(lambda: copy_out(os.environ, lambda: connect(os.environ)), os.environ))


def copy_out(environment: Mapping[str, str], store: Callable[[], ObjectStore]) -> dict[str, Any]:
    """Make the backup that the environment describes; return the result."""
    with served(environment) as progress:
        target = Target(
            store(), backup_key(environment["OBJECT_KEY"]), backup_key(environment["POD_NAME"])
        )
        log.info("backing up to %s in %s", target.key, target.store.name)
        made = make(target, origin(environment), _work(environment, progress))
    return _result(target, made)


def origin(environment: Mapping[str, str]) -> Origin:
    return Origin(
        cluster=environment["CLUSTER"],
        namespace=environment["OBJECT_KEY"].partition("/")[0],
        server=environment["SERVER"],
        server_id=int(environment["SERVER_ID"]),
        version=environment["ZK_VERSION"],
        members=tuple(json.loads(environment.get("MEMBERS") or "[]")),
    )


def _work(environment: Mapping[str, str], progress: Progress) -> Work:
    seconds = int(environment.get("TIMEOUT_SECONDS") or DEFAULT_TIMEOUT_SECONDS)
    return Work(
        take=lambda outbox: _take(environment, progress, outbox),
        sent=progress.add,
        verify=environment.get("VERIFY") == "true",
        verifying=lambda done, total: progress.tell(done, total, "verifying"),
        dead_after=timedelta(seconds=2 * seconds),
    )


def _take(
    environment: Mapping[str, str], progress: Progress, outbox: Outbox
) -> tuple[Taken, str, str]:
    """Return the state that was written, by which method, and a warning."""
    if environment.get("METHOD") != SNAPSHOT_COMMAND:
        return take(_taking(environment, progress, outbox)), FILES, ""
    try:
        return take_snapshot(_snapping(environment, progress, outbox)), SNAPSHOT_COMMAND, ""
    except NotTaken as problem:
        if not environment["SNAPSHOT_DIR"]:
            raise  # The server keeps its files in its pod, where nobody else can read them.
        log.warning("taking the files instead: %s", problem)
        outbox.discard()
        warning = f"The files were copied, for the method `snapshot` did not work: {problem}"
        return take(_taking(environment, progress, outbox)), FILES, warning


def _snapping(environment: Mapping[str, str], progress: Progress, outbox: Outbox) -> Snapping:
    seconds = int(environment.get("TIMEOUT_SECONDS") or DEFAULT_TIMEOUT_SECONDS)
    return Snapping(
        AdminServer(
            environment["ADMIN_HOST"],
            int(environment["ADMIN_PORT"]),
            environment.get("ADMIN_AUTH", ""),
        ),
        Path(environment["SNAPSHOT_DIR"]) if environment["SNAPSHOT_DIR"] else None,
        outbox,
        expect=lambda total: progress.begin("copying", total),
        # There must be time left for the files.
        rate_seconds=min(RATE_SECONDS, seconds / 2),
    )


def _taking(environment: Mapping[str, str], progress: Progress, outbox: Outbox) -> Taking:
    if not environment["SNAPSHOT_DIR"]:
        raise Failed(f"The files of {environment['SERVER']} lie on no volume: use `snapshot`.")
    folders = ServerFolders(Path(environment["SNAPSHOT_DIR"]), Path(environment["LOG_DIR"]))
    return Taking(
        folders,
        outbox,
        ask=lambda: committed(environment),
        expect=lambda total: progress.begin("copying", total),
    )


def committed(environment: Mapping[str, str], seconds: float = SERVING_SECONDS) -> Committed | None:
    """Ask the server how far it is; None when nobody serves, as the environment says."""
    host = environment.get("SERVER_HOST", "")
    if not host:
        return None
    port = int(environment["CLIENT_PORT"])
    deadline = time.monotonic() + seconds
    while True:
        problem = "it is in no quorum"
        try:
            stats = _stats(host, port, int(environment.get("AGENT_PORT", AGENT_PORT)))
            if stats.mode:
                return Committed(stats.zxid, stats.nodes)
        except Unavailable as error:
            problem = str(error)
        if time.monotonic() > deadline:
            raise NotTaken(f"The server {host} did not say how far it is: {problem}")
        time.sleep(0.25)


def _stats(host: str, port: int, agent_port: int) -> ServerStats:
    """Ask the server; one that takes clients by TLS alone tells only the agent beside it."""
    try:
        return parse_stats(ask("srvr", host, port, timeout=ASK_SECONDS), f"{host}:{port}")
    except Unavailable as error:
        try:
            return ask_stats(host, agent_port, timeout=ASK_SECONDS)
        except Unavailable:
            raise error from None


def _result(target: Target, made: Made) -> dict[str, Any]:
    manifest = made.manifest
    warning = {"warning": " ".join(made.warnings)} if made.warnings else {}
    return {
        "key": target.key,
        "startTime": manifest.start_time,
        "finishTime": manifest.finish_time,
        "size": manifest.size,
        "zxid": f"{manifest.zxid:#x}",
        "server": manifest.server,
        "version": manifest.version,
        "checksum": made.checksum,
        "verified": made.is_verified,
        "nodes": manifest.nodes,
        **warning,
    }


if __name__ == "__main__":
    main()
