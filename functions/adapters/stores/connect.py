"""From a Job's environment to its store.

The adapters are imported here, when one is needed, so that no program pays for the other's library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from functions.adapters.stores.bucket import BucketStore
from functions.adapters.stores.errors import InvalidStore
from functions.adapters.stores.patience import Patience
from functions.adapters.stores.place import OSS, S3, Place
from functions.adapters.stores.store_requests import Requests

_ENDPOINT = re.compile(r"(https?://)?[A-Za-z0-9._-]+(:[0-9]{1,5})?/?")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def connect(environ: Mapping[str, str], patience: Patience | None = None) -> BucketStore:
    """Return the store that STORE, ENDPOINT, REGION, BUCKET, PATH_STYLE, CA_FILE, ACCESS_KEY and
    SECRET_KEY describe; raises InvalidStore when they do not. Nothing is asked of it yet, unless
    CREATE_BUCKET is `true`: then the bucket is made if there is none.
    """
    makes_bucket = _is_true("CREATE_BUCKET", environ)
    place, patience = place_of(environ), patience or Patience()
    store = BucketStore(_requests(place, patience), patience)
    if makes_bucket:
        store.create_bucket()
    return store


def place_of(environ: Mapping[str, str]) -> Place:
    """Return the place that a Job's environment describes; raises InvalidStore."""
    kind, endpoint = environ.get("STORE", ""), environ.get("ENDPOINT", "").strip()
    own_endpoint = kind == S3 and endpoint != ""
    place = Place(
        kind=kind,
        bucket=environ.get("BUCKET", ""),
        endpoint=_address(endpoint),
        region=environ.get("REGION", "").strip(),
        path_style=_is_true("PATH_STYLE", environ, default=own_endpoint),
        ca_file=environ.get("CA_FILE", ""),
        # A Secret made from a file mostly ends in a new line, which is no part of the key.
        access_key=environ.get("ACCESS_KEY", "").strip(),
        secret_key=environ.get("SECRET_KEY", "").strip(),
    )
    _check(place)
    return place


def _requests(place: Place, patience: Patience) -> Requests:
    if place.kind == OSS:
        from functions.adapters.stores.oss import OssRequests

        return OssRequests(place, patience)
    from functions.adapters.stores.s3 import S3Requests

    return S3Requests(place, patience)


def _address(endpoint: str) -> str:
    if not endpoint:
        return ""
    if not _ENDPOINT.fullmatch(endpoint):
        raise InvalidStore(
            f"ENDPOINT {endpoint!r} is no address of a store, such as "
            "https://s3.example.com:9000: correct `endpoint`."
        )
    scheme = "" if "://" in endpoint else "https://"
    return f"{scheme}{endpoint}".rstrip("/")


def _check(place: Place) -> None:
    if place.kind not in (S3, OSS):
        raise InvalidStore(f"STORE is {place.kind!r}: it must be `{S3}` or `{OSS}`.")
    if not _BUCKET.fullmatch(place.bucket):
        raise InvalidStore(f"BUCKET {place.bucket!r} is no name of a bucket: correct `bucket`.")
    if place.kind == OSS and not place.endpoint:
        raise InvalidStore("ENDPOINT is missing: OSS needs one, give `endpoint`.")
    if bool(place.access_key) != bool(place.secret_key):
        missing = "SECRET_KEY" if place.access_key else "ACCESS_KEY"
        raise InvalidStore(f"{missing} is empty: put both keys into the Secrets that are named.")
    if place.kind == OSS and not place.access_key:
        raise InvalidStore("ACCESS_KEY and SECRET_KEY are empty: OSS needs both, give Secrets.")
    if place.ca_file and not Path(place.ca_file).is_file():
        raise InvalidStore(f"CA_FILE {place.ca_file} is no file: put it into `caSecret`.")


def _is_true(name: str, environ: Mapping[str, str], *, default: bool = False) -> bool:
    text = environ.get(name, "") or str(default).lower()
    if text not in ("true", "false"):
        raise InvalidStore(f"{name} is {text!r}: it must be `true` or `false`.")
    return text == "true"
