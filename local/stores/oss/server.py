"""The HTTP server: checks who asks, finds the operation, answers as OSS does."""

from __future__ import annotations

import asyncio
import base64
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from local.stores.oss.answers import Refusal, parsed, texts, xml
from local.stores.oss.files import Files, Found, Incoming
from local.stores.oss.listing import Listing
from local.stores.oss.signature import Signed, check
from local.stores.oss.uploads import Uploads

BLOCK = 256 << 10
MAX_XML_BYTES = 8 << 20
MAX_DELETED = 1000
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to a bucket or to an object in it."""

    http: web.Request
    bucket: str
    key: str
    params: dict[str, str]

    @property
    def id(self) -> str:
        return self.params["uploadId"]


Operation = Callable[[Asked], Awaitable[web.StreamResponse]]


class OssServer:
    """One store: its buckets in `folder`, and the `secrets` of the access keys it knows.

    `ahead` is how much its clock is fast.
    """

    def __init__(
        self,
        folder: Path,
        secrets: Mapping[str, str],
        region: str,
        ahead: timedelta = timedelta(),
    ) -> None:
        self._secrets = secrets
        self._region = region
        self._ahead = ahead
        self._files = Files(folder)
        self._uploads = Uploads(folder, self._files)
        self._listing = Listing(self._files, self._uploads)

    def application(self) -> web.Application:
        application = web.Application(client_max_size=MAX_XML_BYTES)
        application.router.add_route("*", "/{path:.*}", self._answer)
        return application

    async def _answer(self, http: web.Request) -> web.StreamResponse:
        id = uuid.uuid4().hex[:24].upper()
        try:
            asked = self._asked(http)
            operation = self._operation(asked)
            answer = await operation(asked)
        except Refusal as refusal:
            answer = _refused(http, refusal, id)
        if not answer.prepared:
            answer.headers["x-oss-request-id"] = id
        return answer

    def _asked(self, http: web.Request) -> Asked:
        path, _, query = http.raw_path.partition("?")
        bucket, _, key = unquote(path.removeprefix("/")).partition("/")
        host = (http.host or "").partition(":")[0].partition(".")[0]
        if self._files.has(host):
            bucket, key = host, unquote(path.removeprefix("/"))
        params = dict(parse_qsl(query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in http.headers.items()}
        signed = Signed(http.method, bucket, key, params, headers)
        check(signed, self._secrets, self._region, datetime.now(UTC) + self._ahead)
        return Asked(http, bucket, key, params)

    def _operation(self, asked: Asked) -> Operation:
        if asked.bucket and not self._files.has(asked.bucket) and not _makes_bucket(asked):
            raise Refusal(404, "NoSuchBucket", "The specified bucket does not exist.")
        for on_object, method, needed, operation in self._operations():
            fits = asked.http.method == method and needed <= asked.params.keys()
            if fits and on_object == (asked.key != ""):
                return operation
        raise Refusal(501, "NotImplemented", "A header or query you provided is not implemented.")

    def _operations(self) -> list[tuple[bool, str, set[str], Operation]]:
        """Return what there is: on an object or on a bucket, method, parameters it must have."""
        return [
            (True, "PUT", {"partNumber", "uploadId"}, self._put_part),
            (True, "PUT", set(), self._put),
            (True, "GET", {"uploadId"}, self._list_parts),
            (True, "GET", set(), self._get),
            (True, "HEAD", set(), self._get),
            (True, "DELETE", {"uploadId"}, self._abort),
            (True, "DELETE", set(), self._delete),
            (True, "POST", {"uploads"}, self._begin),
            (True, "POST", {"uploadId"}, self._complete),
            (False, "POST", {"delete"}, self._delete_many),
            (False, "GET", {"uploads"}, self._list_uploads),
            (False, "GET", set(), self._list),
            (False, "PUT", set(), self._make_bucket),
        ]

    async def _make_bucket(self, asked: Asked) -> web.Response:
        self._files.make(asked.bucket)
        return web.Response(headers={"Location": f"/{asked.bucket}"})

    async def _list(self, asked: Asked) -> web.Response:
        if not asked.bucket:
            return self._listing.buckets()
        listed = self._listing.objects
        if asked.params.get("list-type") == "2":
            listed = self._listing.objects_2
        return await asyncio.to_thread(listed, asked.bucket, asked.params)

    async def _list_uploads(self, asked: Asked) -> web.Response:
        return self._listing.uploads(asked.bucket, asked.params)

    async def _list_parts(self, asked: Asked) -> web.Response:
        return self._listing.parts(asked.bucket, asked.key, asked.params)

    async def _put(self, asked: Asked) -> web.Response:
        with self._files.incoming() as incoming:
            await _receive(asked.http, incoming)
            found = await asyncio.to_thread(self._files.store, asked.bucket, asked.key, incoming)
        return web.Response(headers=_described(found))

    async def _put_part(self, asked: Asked) -> web.Response:
        number = int(asked.params["partNumber"])
        # Whether the upload is there at all is said before its bytes are taken.
        self._uploads.parts(asked.bucket, asked.key, asked.id)
        with self._files.incoming() as incoming:
            await _receive(asked.http, incoming)
            self._uploads.add(asked.bucket, asked.key, asked.id, number, incoming)
        return web.Response(headers={"ETag": f'"{incoming.tag}"'})

    async def _get(self, asked: Asked) -> web.StreamResponse:
        found = await asyncio.to_thread(self._files.find, asked.bucket, asked.key)
        start, end = _range(asked.http, found.size)
        is_whole = (start, end) == (0, found.size)
        answer = web.StreamResponse(status=200 if is_whole else 206, headers=_described(found))
        answer.content_length = end - start
        if not is_whole:
            answer.headers["Content-Range"] = f"bytes {start}-{end - 1}/{found.size}"
        with found.path.open("rb") as file:
            file.seek(start)
            await answer.prepare(asked.http)
            while start < end and asked.http.method == "GET":
                block = file.read(min(BLOCK, end - start))
                start += len(block)
                await answer.write(block)
        await answer.write_eof()
        return answer

    async def _delete(self, asked: Asked) -> web.Response:
        self._files.delete(asked.bucket, asked.key)
        return web.Response(status=204)

    async def _delete_many(self, asked: Asked) -> web.Response:
        body = await asked.http.read()
        keys = texts(body, "Object/Key")
        if not asked.http.headers.get("Content-MD5") or len(keys) > MAX_DELETED:
            raise Refusal(
                400, "MalformedXML", "Content-MD5 is missing, or there are too many keys."
            )
        for key in keys:
            self._files.delete(asked.bucket, key)
        quiet = texts(body, "Quiet") == ["true"]
        return self._listing.deleted([] if quiet else keys, asked.params)

    async def _begin(self, asked: Asked) -> web.Response:
        id = self._uploads.begin(asked.bucket, asked.key)
        parts = {"Bucket": asked.bucket, "Key": asked.key, "UploadId": id}
        return xml("InitiateMultipartUploadResult", {**parts})

    async def _complete(self, asked: Asked) -> web.Response:
        wanted = [
            (int(part.findtext("PartNumber", "0")), part.findtext("ETag", "").strip('"'))
            for part in parsed(await asked.http.read()).iterfind("Part")
        ]
        found = await asyncio.to_thread(
            self._uploads.complete, asked.bucket, asked.key, asked.id, wanted
        )
        parts = {"Bucket": asked.bucket, "Key": asked.key, "ETag": f'"{found.tag}"'}
        answer = xml("CompleteMultipartUploadResult", {**parts})
        answer.headers["x-oss-hash-crc64ecma"] = str(found.crc)
        return answer

    async def _abort(self, asked: Asked) -> web.Response:
        self._uploads.abort(asked.bucket, asked.key, asked.id)
        return web.Response(status=204)


async def _receive(http: web.Request, incoming: Incoming) -> None:
    """Write the body aside; raises when it is cut, or is not what its sum says."""
    async for block in http.content.iter_chunked(BLOCK):
        incoming.write(block)
    wanted = http.headers.get("Content-MD5", "")
    if wanted and base64.b64encode(incoming.md5).decode() != wanted:
        message = "The Content-MD5 you specified did not match what was received."
        raise Refusal(400, "InvalidDigest", message)


def _makes_bucket(asked: Asked) -> bool:
    return asked.http.method == "PUT" and asked.key == ""


def _described(found: Found) -> dict[str, str]:
    return {
        "ETag": f'"{found.tag}"',
        "Last-Modified": formatdate(found.modified, usegmt=True),
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
        "x-oss-object-type": "Normal",
        "x-oss-storage-class": "Standard",
        "x-oss-hash-crc64ecma": str(found.crc),
    }


def _range(http: web.Request, size: int) -> tuple[int, int]:
    """Return from where to where to send. OSS ignores a range it does not have, unless asked to
    follow the standard."""
    wanted = _RANGE.fullmatch(http.headers.get("Range", ""))
    if wanted is None or not any(wanted.groups()):
        return 0, size
    first, last = wanted.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start < end:
        return start, end
    if http.headers.get("x-oss-range-behavior") == "standard":
        raise Refusal(416, "InvalidRange", "The requested range cannot be satisfied.")
    return 0, size


def _refused(http: web.Request, refusal: Refusal, id: str) -> web.Response:
    body = refusal.body(id, http.host or "")
    if http.method != "HEAD":
        answer = web.Response(status=refusal.status, body=body, content_type="application/xml")
    else:
        said = base64.b64encode(body).decode()
        answer = web.Response(status=refusal.status, headers={"x-oss-err": said})
    return answer
