"""The words of oss2: Alibaba Cloud OSS.

With a region, requests are signed with version 4, without one with version 1. oss2's own CRC-64
is off: where its C part could not be built it is Python, at a few MB a second. Content-MD5 guards
what is uploaded instead.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import ParseError

import oss2
import urllib3

from functions.adapters.stores.answers import from_answer
from functions.adapters.stores.errors import RequestRefused, StoreFailing
from functions.adapters.stores.network import from_network
from functions.adapters.stores.patience import Patience
from functions.adapters.stores.place import Place
from functions.adapters.stores.port import AbandonedUpload, Content, StoredObject
from functions.adapters.stores.sending import Sent
from functions.adapters.stores.store_requests import Marker, Opened, Page

# Each thread that uploads or reads holds one.
CONNECTIONS = 16
PAGE = 1000


class OssRequests:
    """One bucket of OSS."""

    deletes_at_once = 1000

    def __init__(self, place: Place, patience: Patience) -> None:
        self.place = place
        with _translated(place):
            self._bucket = _bucket(place, patience)

    def create_bucket(self) -> None:
        with _translated(self.place):
            self._bucket.create_bucket()

    def put(self, key: str, data: bytes) -> None:
        with _translated(self.place, key):
            self._bucket.put_object(key, Sent(data), headers=_summed(data))

    def open(self, key: str, start: int) -> Opened:
        with _translated(self.place, key):
            wanted = (start, None) if start else None
            answer = self._bucket.get_object(key, byte_range=wanted)
            came, size = _range(answer)
            body = _Body(answer.resp.response, self.place, key)
            return Opened(body, came, size, answer.etag or "")

    def head(self, key: str) -> int:
        with _translated(self.place, key):
            return int(self._bucket.head_object(key).content_length)

    def delete(self, keys: Sequence[str]) -> None:
        with _translated(self.place, keys[0]):
            self._bucket.batch_delete_objects(list(keys))

    def objects(self, prefix: str, marker: Marker) -> Page[StoredObject]:
        with _translated(self.place):
            page = self._bucket.list_objects(prefix=prefix, max_keys=PAGE, **marker)
        entries = [
            StoredObject(entry.key, int(entry.size), _time(entry.last_modified))
            for entry in page.object_list
        ]
        return Page(entries, {"marker": page.next_marker} if page.is_truncated else {})

    def begin(self, key: str) -> str:
        with _translated(self.place, key):
            return str(self._bucket.init_multipart_upload(key).upload_id)

    def part(self, key: str, id: str, number: int, data: Content) -> str:
        with _translated(self.place, key):
            answer = self._bucket.upload_part(key, id, number, Sent(data), headers=_summed(data))
            return str(answer.etag)

    def complete(self, key: str, id: str, tags: Mapping[int, str]) -> None:
        parts = [oss2.models.PartInfo(number, tag) for number, tag in sorted(tags.items())]
        with _translated(self.place, key):
            self._bucket.complete_multipart_upload(key, id, parts)

    def abort(self, key: str, id: str) -> None:
        with _translated(self.place, key):
            self._bucket.abort_multipart_upload(key, id)

    def uploads(self, prefix: str, marker: Marker) -> Page[AbandonedUpload]:
        with _translated(self.place):
            page = self._bucket.list_multipart_uploads(prefix=prefix, max_uploads=PAGE, **marker)
        entries = [
            AbandonedUpload(each.key, each.upload_id, _time(each.initiation_date))
            for each in page.upload_list
        ]
        following = {
            "key_marker": page.next_key_marker,
            "upload_id_marker": page.next_upload_id_marker,
        }
        return Page(entries, following if page.is_truncated else {})

    def parts(self, key: str, id: str, marker: Marker) -> Page[datetime]:
        with _translated(self.place, key):
            page = self._bucket.list_parts(key, id, max_parts=PAGE, **marker)
        entries = [_time(part.last_modified) for part in page.parts]
        return Page(entries, {"marker": page.next_marker} if page.is_truncated else {})


class _Body:
    def __init__(self, response: Any, place: Place, key: str) -> None:
        self._response = response
        self._place = place
        self._key = key

    def read(self, size: int, /) -> bytes:
        with _translated(self._place, self._key):
            return bytes(self._response.raw.read(size))

    def close(self) -> None:
        self._response.close()


@contextmanager
def _translated(place: Place, key: str = "") -> Iterator[None]:
    try:
        yield
    except oss2.exceptions.RequestError as error:
        raise from_network(error, place, key) from error
    except oss2.exceptions.ClientError as error:
        raise RequestRefused(f"{place.object(key)}: {place.quote(error.body)}") from error
    except oss2.exceptions.OssError as error:
        raise from_answer(error.status, error.code, error.message, place, key) from error
    except ParseError as error:
        raise StoreFailing(f"{place} sent an answer that cannot be read. ({error})") from error
    except (OSError, urllib3.exceptions.HTTPError) as error:
        raise from_network(error, place, key) from error


def _bucket(place: Place, patience: Patience) -> Any:
    return oss2.Bucket(
        _auth(place),
        place.endpoint,
        place.bucket,
        session=_session(place),
        connect_timeout=(patience.connect_seconds, patience.answer_seconds),
        enable_crc=False,
        region=place.region or None,
        is_path_style=place.path_style,
    )


def _auth(place: Place) -> Any:
    kind = oss2.AuthV4 if place.region else oss2.Auth
    return kind(place.access_key, place.secret_key)


def _session(place: Place) -> Any:
    session = oss2.Session(pool_size=CONNECTIONS)
    # Else requests takes proxies, authorities and even credentials (.netrc) from around it.
    session.session.trust_env = False
    session.session.verify = place.ca_file or True
    # Following a redirect turns a PUT into a GET, which succeeds with nothing written.
    session.session.get_redirect_target = lambda _: None
    return session


def _summed(data: Content) -> dict[str, str]:
    summed = hashlib.md5(data, usedforsecurity=False).digest()
    return {"Content-MD5": base64.b64encode(summed).decode()}


def _range(answer: Any) -> tuple[int, int]:
    """Return the first byte of an answer and the size of the whole object."""
    if not answer.content_range:
        return 0, int(answer.content_length)
    span, _, size = answer.content_range.removeprefix("bytes ").partition("/")
    return int(span.partition("-")[0]), int(size)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
