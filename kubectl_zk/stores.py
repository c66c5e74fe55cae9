"""Where a backup lies or is to lie: said by flags, or taken over from a backup there is."""

from __future__ import annotations

import argparse
from typing import Any

from functions.api.backup import Record, ZooKeeperBackup
from functions.api.cluster import ZooKeeperCluster
from kubectl_zk import finding
from kubectl_zk.problem import USAGE, Problem
from kubectl_zk.session import Session

LATEST = "latest"
Place = dict[str, Any]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where without a backup to take it from."""
    group = parser.add_argument_group("the store, where no ZooKeeperBackup names it yet")
    group.add_argument("--s3", action="store_true", help="S3, or what speaks it")
    group.add_argument("--oss", action="store_true", help="Alibaba Cloud OSS")
    group.add_argument("--bucket", metavar="BUCKET")
    group.add_argument("--endpoint", metavar="URL")
    group.add_argument("--region", metavar="REGION")
    group.add_argument(
        "--secret", metavar="NAME", help="the Secret with the keys accessKey and secretKey"
    )


def is_given(asked: argparse.Namespace) -> bool:
    return bool(asked.s3 or asked.oss)


def described(asked: argparse.Namespace) -> Place:
    """Return the place that the flags describe, as spec.target has it."""
    if asked.s3 and asked.oss:
        raise Problem("Give --s3 or --oss, not both.", USAGE)
    if not asked.bucket:
        raise Problem("--bucket is missing: the name of the bucket.", USAGE)
    given = {"bucket": asked.bucket, "endpoint": asked.endpoint, "region": asked.region}
    store: Place = {key: value for key, value in given.items() if value}
    if asked.secret:
        store["accessKeySecret"] = {"name": asked.secret, "key": "accessKey"}
        store["secretKeySecret"] = {"name": asked.secret, "key": "secretKey"}
    return {"s3" if asked.s3 else "oss": store}


def place_of(backup: ZooKeeperBackup) -> Place:
    """Return where a backup lies, as its manifest has it."""
    return backup.spec.target.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)


def newest_of(session: Session, cluster: ZooKeeperCluster) -> ZooKeeperBackup:
    """Return the cluster's backup that was made last, whose place is the likeliest to be meant."""
    found = finding.backups_of(session, cluster)
    if not found:
        raise Problem(
            f"{cluster.metadata.name} was never backed up, so say where to: --from BACKUP with a "
            "ZooKeeperBackup of this namespace, or --s3 --bucket B --secret S (or --oss ...)."
        )
    return max(found, key=lambda it: it.metadata.creation_timestamp or "")


def record_of(backup: ZooKeeperBackup, key: str) -> Record:
    """Return an entry of the backup's record by its key, or the latest."""
    records, name = backup.status.record, backup.metadata.name
    if not records:
        raise Problem(
            f"ZooKeeperBackup {name} has no backup on record yet"
            + (f": {backup.status.message}" if backup.status.message else ".")
        )
    if key == LATEST:
        return records[-1]
    found = next((it for it in records if it.key.rstrip("/") == key.rstrip("/")), None)
    if found is None:
        known = "\n".join(f"  {it.key}" for it in records[-5:])
        raise Problem(f"ZooKeeperBackup {name} has no record {key}. The newest are:\n{known}")
    return found
