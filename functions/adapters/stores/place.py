"""What a store is reached by, and how sentences about it name it."""

from __future__ import annotations

from dataclasses import dataclass, field

S3 = "s3"
OSS = "oss"
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Place:
    """One bucket of one store, with the credentials for it; those are in no text made of it.

    An empty `endpoint` is AWS itself, in `region`. Empty credentials: the S3 library looks for
    its own (a role of the pod). An empty `ca_file`: the authorities the library brings.
    """

    kind: str
    bucket: str
    endpoint: str = ""
    region: str = ""
    path_style: bool = False
    ca_file: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"bucket {self.bucket} at {self.where}"

    @property
    def where(self) -> str:
        return self.endpoint or f"AWS S3 in {self.region or DEFAULT_REGION}"

    def object(self, key: str) -> str:
        """Name an object, or the bucket where `key` is empty."""
        return f"{key} in {self}" if key else str(self)

    def quote(self, text: str) -> str:
        """Return what a store said: one short line, without credentials it may have echoed."""
        for secret in filter(None, (self.secret_key, self.access_key)):
            text = text.replace(secret, "***")
        return " ".join(text.split())[:200]
