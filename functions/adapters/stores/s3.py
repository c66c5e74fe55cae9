"""The words of boto3: S3, and the stores that speak it.

boto3's own checksums are sent `when_required` only. Since 1.36 it adds them to every upload, as
trailers in a body of chunks, which many S3-compatible servers refuse. The SHA-256 of what is sent
is part of each signature instead, and S3 compares it with what it got. Objects are deleted one by
one: the request for many needs a checksum of a kind on which servers differ, and a backup is a few
dozen objects.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import boto3
import urllib3
from botocore import exceptions as boto
from botocore.config import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from botocore.parsers import ResponseParserError
from botocore.session import Session

from functions.adapters.stores.answers import from_answer
from functions.adapters.stores.errors import (
    InvalidCredentials,
    InvalidStore,
    RequestRefused,
    StoreFailing,
    UploadGone,
)
from functions.adapters.stores.network import from_network
from functions.adapters.stores.patience import Patience
from functions.adapters.stores.place import DEFAULT_REGION, Place
from functions.adapters.stores.port import AbandonedUpload, Content, StoredObject
from functions.adapters.stores.sending import Sent
from functions.adapters.stores.store_requests import Marker, Opened, Page

# Each thread that uploads or reads holds one.
CONNECTIONS = 16

_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
)
_NETWORK = (
    boto.ConnectionError,
    boto.HTTPClientError,
    boto.IncompleteReadError,
    urllib3.exceptions.HTTPError,
    OSError,
)


class S3Requests:
    """One bucket of S3."""

    deletes_at_once = 1

    def __init__(self, place: Place, patience: Patience) -> None:
        self.place = place
        with _translated(place):
            self._client = _client(place, patience)

    def create_bucket(self) -> None:
        region = self.place.region or DEFAULT_REGION
        elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self._ask("create_bucket", "", **(elsewhere if region != DEFAULT_REGION else {}))

    def put(self, key: str, data: bytes) -> None:
        self._ask("put_object", key, Body=Sent(data))

    def open(self, key: str, start: int) -> Opened:
        answer = self._ask("get_object", key, **({"Range": f"bytes={start}-"} if start else {}))
        came, size = _range(answer)
        return Opened(_Body(answer["Body"], self.place, key), came, size, answer.get("ETag", ""))

    def head(self, key: str) -> int:
        return int(self._ask("head_object", key)["ContentLength"])

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._ask("delete_object", key)

    def objects(self, prefix: str, marker: Marker) -> Page[StoredObject]:
        page = self._ask("list_objects_v2", "", Prefix=prefix, **marker)
        entries = [
            StoredObject(entry["Key"], int(entry["Size"]), _time(entry["LastModified"]))
            for entry in page.get("Contents", [])
        ]
        return Page(entries, _following(page, ContinuationToken="NextContinuationToken"))

    def begin(self, key: str) -> str:
        return str(self._ask("create_multipart_upload", key)["UploadId"])

    def part(self, key: str, id: str, number: int, data: Content) -> str:
        answer = self._ask("upload_part", key, UploadId=id, PartNumber=number, Body=Sent(data))
        return str(answer["ETag"])

    def complete(self, key: str, id: str, tags: Mapping[int, str]) -> None:
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in sorted(tags.items())]
        self._ask("complete_multipart_upload", key, UploadId=id, MultipartUpload={"Parts": parts})

    def abort(self, key: str, id: str) -> None:
        self._ask("abort_multipart_upload", key, UploadId=id)

    def uploads(self, prefix: str, marker: Marker) -> Page[AbandonedUpload]:
        try:
            page = self._ask("list_multipart_uploads", "", Prefix=prefix, **marker)
        except UploadGone:
            # rclone's words for a bucket that never had an upload.
            return Page([], {})
        entries = [
            AbandonedUpload(entry["Key"], entry["UploadId"], _time(entry["Initiated"]))
            for entry in page.get("Uploads", [])
        ]
        names = {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"}
        return Page(entries, _following(page, **names))

    def parts(self, key: str, id: str, marker: Marker) -> Page[datetime]:
        numbered = {name: int(value) for name, value in marker.items()}
        page = self._ask("list_parts", key, UploadId=id, **numbered)
        entries = [_time(part["LastModified"]) for part in page.get("Parts", [])]
        return Page(entries, _following(page, PartNumberMarker="NextPartNumberMarker"))

    def _ask(self, operation: str, key: str, **parameters: Any) -> dict[str, Any]:
        named = {"Key": key} if key else {}
        with _translated(self.place, key):
            answer: dict[str, Any] = getattr(self._client, operation)(
                Bucket=self.place.bucket, **named, **parameters
            )
            return answer


class _Body:
    def __init__(self, stream: Any, place: Place, key: str) -> None:
        self._stream = stream
        self._place = place
        self._key = key

    def read(self, size: int, /) -> bytes:
        with _translated(self._place, self._key):
            return bytes(self._stream.read(size))

    def close(self) -> None:
        self._stream.close()


@contextmanager
def _translated(place: Place, key: str = "") -> Iterator[None]:
    try:
        yield
    except boto.ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        said = error.response.get("Error", {})
        code, message = str(said.get("Code", "")), str(said.get("Message", ""))
        # An answer without a body has its status for a code.
        code = "" if code.isdigit() else code
        raise from_answer(status, code, message, place, key) from error
    except _NO_CREDENTIALS as error:
        raise InvalidCredentials(
            f"There are no credentials for {place}: name them in `accessKeySecret` and "
            f"`secretKeySecret`, or give the pod a role. ({place.quote(str(error))})"
        ) from error
    except ResponseParserError as error:
        raise StoreFailing(f"{place} sent an answer that cannot be read. ({error})") from error
    except _NETWORK as error:
        raise from_network(error, place, key) from error
    except boto.InvalidRegionError as error:
        raise InvalidStore(f"{place.region} is no region for {place}: correct it.") from error
    except (boto.BotoCoreError, ValueError) as error:
        raise RequestRefused(f"{place.object(key)}: {place.quote(str(error))}") from error


def _client(place: Place, patience: Patience) -> Any:
    own = place.access_key != ""
    session = boto3.session.Session(
        aws_access_key_id=place.access_key or None,
        aws_secret_access_key=place.secret_key or None,
        botocore_session=_session() if own else None,
    )
    return session.client(
        "s3",
        region_name=place.region or DEFAULT_REGION,
        endpoint_url=place.endpoint or None,
        verify=place.ca_file or True,
        config=Config(
            connect_timeout=patience.connect_seconds,
            read_timeout=patience.answer_seconds,
            retries={"total_max_attempts": 1},
            max_pool_connections=CONNECTIONS,
            proxies={} if own else None,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            signature_version="s3v4",
            s3={
                "addressing_style": "path" if place.path_style else "virtual",
                "payload_signing_enabled": True,
            },
            ignore_configured_endpoint_urls=True,
        ),
    )


def _session() -> Session:
    """Return a session that looks into no file and no variable: what is given is all there is."""
    alone = {
        name: (None, None, default, convert)
        for name, (_, _, default, convert) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
    }
    nothing = (None, None, os.devnull, None)
    return Session(session_vars=alone | {"config_file": nothing, "credentials_file": nothing})


def _range(answer: Mapping[str, Any]) -> tuple[int, int]:
    """Return the first byte of an answer and the size of the whole object."""
    length = int(answer["ContentLength"])
    if "ContentRange" not in answer:
        return 0, length
    span, _, size = answer["ContentRange"].removeprefix("bytes ").partition("/")
    return int(span.partition("-")[0]), int(size)


def _following(page: Mapping[str, Any], **names: str) -> Marker:
    if not page.get("IsTruncated"):
        return {}
    return {name: str(page[shown]) for name, shown in names.items() if page.get(shown)}


def _time(at: datetime) -> datetime:
    """boto3 gives times in the zone of the machine."""
    return at.astimezone(UTC)
