"""`python -m functions verify`: a person proves a backup, in a store or in a folder.

Credentials come from the environment (ACCESS_KEY and SECRET_KEY), never from the command line,
where everybody on the machine can read them.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from functions.api.errors import FunctionError
from functions.backups.keys import backup_key
from functions.backups.proof import prove_folder, prove_prefix
from functions.backups.proven import Depth, Proof
from functions.backups.reading import Tell

DONE, NOT_PROVEN = 0, 1
_MEGABYTE = 1_000_000
_STEP = 10  # percent


def add_options(parser: argparse.ArgumentParser, *, is_required: bool = True) -> None:
    where = parser.add_mutually_exclusive_group(required=is_required)
    where.add_argument("--folder", type=Path, help="a folder with the files of a backup")
    where.add_argument("--s3", action="store_true", help="a bucket that S3 is spoken to")
    where.add_argument("--oss", action="store_true", help="a bucket of Alibaba OSS")
    parser.add_argument("--key", help="where the backup lies: a record's `key`")
    parser.add_argument("--bucket", default="")
    parser.add_argument("--endpoint", default="", help="the store's address (default: AWS)")
    parser.add_argument("--region", default="")
    parser.add_argument("--path-style", choices=("true", "false"), default="")
    parser.add_argument("--ca-file", default="", help="the store's certificate authority (PEM)")
    parser.add_argument(
        "--depth",
        type=Depth,
        choices=list(Depth),
        default=Depth.FILES,
        help="files: every byte and transaction (default); tree: the whole tree too, in memory",
    )


def verify(
    asked: argparse.Namespace, say: Callable[[str], None], answer: Callable[[str], None]
) -> int:
    """Prove what is asked for: say how far it is, answer what was proven."""
    try:
        proof = _prove(asked, _telling(say))
    except FunctionError as problem:
        answer(f"NOT PROVEN: {problem}")
        return NOT_PROVEN
    answer("\n".join(_lines(proof)))
    return DONE


def _prove(asked: argparse.Namespace, tell: Tell) -> Proof:
    if asked.folder is not None:
        return prove_folder(asked.folder, depth=asked.depth, tell=tell)
    # A folder is proven without a store's library.
    from functions.adapters.stores.connect import connect

    key = backup_key(asked.key or "")
    return prove_prefix(connect(_environment(asked)), key, depth=asked.depth, tell=tell)


def _environment(asked: argparse.Namespace) -> Mapping[str, str]:
    return {
        "STORE": "s3" if asked.s3 else "oss",
        "ENDPOINT": asked.endpoint,
        "REGION": asked.region,
        "BUCKET": asked.bucket,
        "PATH_STYLE": asked.path_style,
        "CA_FILE": asked.ca_file,
        "ACCESS_KEY": os.environ.get("ACCESS_KEY", ""),
        "SECRET_KEY": os.environ.get("SECRET_KEY", ""),
    }


def _telling(say: Callable[[str], None]) -> Tell:
    said = -1

    def tell(done: int, total: int) -> None:
        nonlocal said
        step = done * 100 // total // _STEP if total else 0
        if step != said:
            said = step
            say(f"read {done / _MEGABYTE:.1f} MB of {total / _MEGABYTE:.1f} MB")

    return tell


def _lines(proof: Proof) -> Iterator[str]:
    yield f"PROVEN: {proof.name}"
    if (manifest := proof.manifest) is not None:
        yield (
            f"  from      server {manifest.server} of {manifest.namespace}/{manifest.cluster}, "
            f"ZooKeeper {manifest.version}"
        )
        yield f"  taken     {manifest.start_time} to {manifest.finish_time}"
        yield "  objects   all are there, no others, and every byte is as it was written"
    yield f"  snapshot  {proof.snapshot.name}, {proof.nodes} nodes"
    yield (
        f"  log       {len(proof.logs)} files; no transaction is missing up to {proof.zxid:#x}, "
        f"epoch {proof.epoch}"
    )
    yield f"  size      {proof.size} bytes in {len(proof.files)} files"
    yield f"  tree      {_tree(proof)}"
    for warning in proof.warnings:
        yield f"  WARNING   {warning}"


def _tree(proof: Proof) -> str:
    if proof.depth is Depth.TREE:
        return f"{proof.nodes} nodes at the end; {proof.digests} digests of the leader fit"
    if proof.digests:
        return "the snapshot's digest fits its nodes"
    return "not made: `--depth tree` does, and compares it with the leader's digests"
