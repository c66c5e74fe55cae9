"""Where backups lie: a bucket of an S3 store or of Alibaba OSS, and the Secrets to reach it."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from functions.api.rules import Rule, Spec
from functions.api.values import Bool

_KEY = r"^[^/\x00-\x1f][^\x00-\x1f]*$"


def _is_endpoint(text: str) -> bool:
    return re.fullmatch(r"(https?://)?[A-Za-z0-9._-]+(:[0-9]{1,5})?/?", text) is not None


def _stays_below(key: str) -> bool:
    parts = key.rstrip("/").split("/")
    return not any(part in ("", ".", "..") for part in parts)


Endpoint = Annotated[
    str,
    Field(min_length=1, max_length=512),
    Rule(
        "self.matches('^(https?://)?[A-Za-z0-9._-]+(:[0-9]{1,5})?/?$')",
        "This must be the address of the store, such as https://s3.example.com:9000.",
        _is_endpoint,
    ),
]
Bucket = Annotated[
    str, Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
]
Key = Annotated[
    str,
    Field(min_length=1, max_length=1024, pattern=_KEY),
    Rule(
        "!self.split('/').exists(part, part == '.' || part == '..') && !self.contains('//')",
        "A key is a path below the bucket, such as default/nightly/once/backup-nightly-x7k2p, "
        "without empty parts, '.' and '..'.",
        _stays_below,
    ),
]


class SecretKey(Spec):
    """One value in a Secret of the same namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """The Secret's name."""
    key: Annotated[str, Field(min_length=1, max_length=253)]
    """The key in it."""
    optional: Bool = False
    """Whether the program may run without it."""


class Oss(Spec):
    """A bucket of Alibaba Cloud OSS."""

    endpoint: Endpoint
    """The address of OSS, such as https://oss-cn-hangzhou.aliyuncs.com."""
    bucket: Bucket
    """The bucket."""
    region: Annotated[str, Field(max_length=64)] | None = None
    """The region, such as cn-hangzhou. With it requests are signed with version 4, else 1."""
    access_key_secret: SecretKey
    """The access key's id."""
    secret_key_secret: SecretKey
    """The access key's secret."""
    key: Key | None = None
    """For a restore: the backup's directory, as status.record[].key says. Ignored for a backup."""
    create_bucket_if_not_present: Bool = False
    """Make the bucket if there is none."""
    path_style: Bool = False
    """Put the bucket into the path of requests, not into the host name."""
    ca_secret: SecretKey | None = None
    """The certificate authority of the endpoint, in PEM. Default: the usual public ones."""


class S3(Spec):
    """A bucket of S3, or of a store that speaks it."""

    endpoint: Endpoint | None = None
    """The address of the store. Default: Amazon's own, by the region."""
    region: Annotated[str, Field(max_length=64)] | None = None
    """The region. Default: us-east-1, which most other stores take."""
    bucket: Bucket
    """The bucket."""
    access_key_secret: SecretKey | None = None
    """The access key's id. Default: what the pod's surroundings give it."""
    secret_key_secret: SecretKey | None = None
    """The access key's secret."""
    key: Key | None = None
    """For a restore: the backup's directory, as status.record[].key says. Ignored for a backup."""
    create_bucket_if_not_present: Bool = False
    """Make the bucket if there is none."""
    path_style: Bool | None = None
    """Put the bucket into the path of requests, not into the host name. Default: true with an
    endpoint of your own, false without."""
    ca_secret: SecretKey | None = None
    """The certificate authority of the endpoint, in PEM. Default: the usual public ones."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.accessKeySecret) == has(self.secretKeySecret)",
            "Give both accessKeySecret and secretKeySecret, or none of them.",
            lambda it: (it.access_key_secret is None) == (it.secret_key_secret is None),
        ),
    )


class Location(Spec):
    """A place in an object store: exactly one of oss and s3."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.oss) != has(self.s3)",
            "Give exactly one of oss and s3: it says which store to use.",
            lambda it: (it.oss is None) != (it.s3 is None),
        ),
    )

    oss: Oss | None = None
    """A bucket of Alibaba Cloud OSS."""
    s3: S3 | None = None
    """A bucket of S3, or of a store that speaks it."""

    @property
    def store(self) -> Oss | S3:
        """The one that is given."""
        found = self.oss or self.s3
        assert found is not None, "the rule above"
        return found

    @property
    def store_kind(self) -> Literal["oss", "s3"]:
        return "oss" if self.oss is not None else "s3"


class SourceLocation(Location):
    """The directory of one backup in an object store."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *Location.rules,
        Rule(
            "!has(self.oss) || has(self.oss.key)",
            "spec.source.oss.key is missing: the backup's directory, as status.record[].key of "
            "the ZooKeeperBackup says.",
            lambda it: it.oss is None or it.oss.key is not None,
        ),
        Rule(
            "!has(self.s3) || has(self.s3.key)",
            "spec.source.s3.key is missing: the backup's directory, as status.record[].key of "
            "the ZooKeeperBackup says.",
            lambda it: it.s3 is None or it.s3.key is not None,
        ),
    )

    @property
    def key(self) -> str:
        """The backup's directory, without a slash at its end."""
        return (self.store.key or "").rstrip("/")
