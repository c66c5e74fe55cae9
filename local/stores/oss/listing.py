"""OSS's listings: objects (both versions), uploads, parts, buckets; cut into pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiohttp import web

from local.stores.oss.answers import Content, encoded, time, xml
from local.stores.oss.files import Files
from local.stores.oss.uploads import Uploads

MOST = 1000


class Listing:
    """What there is in a store."""

    def __init__(self, files: Files, uploads: Uploads) -> None:
        self._files = files
        self._uploads = uploads

    def buckets(self) -> web.Response:
        named: list[Content] = [{"Name": name} for name in self._files.buckets()]
        return xml("ListAllMyBucketsResult", {"Buckets": {"Bucket": named}})

    def objects(self, bucket: str, params: dict[str, str]) -> web.Response:
        """Version 1: pages by `marker`."""
        after, most = params.get("marker", ""), _most(params, "max-keys", 100)
        head: dict[str, Content] = {"Marker": encoded(after, params)}
        return self._objects(bucket, params, after, most, head, "NextMarker")

    def objects_2(self, bucket: str, params: dict[str, str]) -> web.Response:
        """Version 2: pages by `continuation-token`, which is the last key here."""
        after = params.get("continuation-token") or params.get("start-after", "")
        most = _most(params, "max-keys", 100)
        head: dict[str, Content] = {"StartAfter": encoded(params.get("start-after", ""), params)}
        return self._objects(bucket, params, after, most, head, "NextContinuationToken")

    def uploads(self, bucket: str, params: dict[str, str]) -> web.Response:
        after = (params.get("key-marker", "").encode(), params.get("upload-id-marker", ""))
        most = _most(params, "max-uploads", MOST)
        left = [
            each
            for each in self._uploads.begun(bucket, params.get("prefix", ""))
            if after == (b"", "") or (each.key.encode(), each.id) > after
        ]
        page = left[:most]
        last = page[-1] if page else None
        entries: list[Content] = [
            {"Key": encoded(each.key, params), "UploadId": each.id, "Initiated": time(each.at)}
            for each in page
        ]
        content: dict[str, Content] = {
            "Bucket": bucket,
            **_encoding(params),
            "NextKeyMarker": encoded(last.key, params) if last else "",
            "NextUploadIdMarker": last.id if last else "",
            "IsTruncated": _bool(len(left) > most),
            "Upload": entries,
        }
        return xml("ListMultipartUploadsResult", content)

    def parts(self, bucket: str, key: str, params: dict[str, str]) -> web.Response:
        after, most = int(params.get("part-number-marker") or 0), _most(params, "max-parts", MOST)
        here = self._uploads.parts(bucket, key, params["uploadId"])
        left = [part for part in here if part.number > after]
        entries: list[Content] = [
            {
                "PartNumber": str(part.number),
                "LastModified": time(part.modified),
                "ETag": f'"{part.tag}"',
                "Size": str(part.size),
            }
            for part in left[:most]
        ]
        content: dict[str, Content] = {
            "Bucket": bucket,
            "Key": key,
            "UploadId": params["uploadId"],
            "NextPartNumberMarker": str(left[:most][-1].number) if left else "0",
            "IsTruncated": _bool(len(left) > most),
            "Part": entries,
        }
        return xml("ListPartsResult", content)

    def deleted(self, keys: Iterable[str], params: dict[str, str]) -> web.Response:
        entries: list[Content] = [{"Key": encoded(key, params)} for key in keys]
        return xml("DeleteResult", {**_encoding(params), "Deleted": entries})

    def _objects(
        self,
        bucket: str,
        params: dict[str, str],
        after: str,
        most: int,
        head: Mapping[str, Content],
        following: str,
    ) -> web.Response:
        keys, prefixes, last = self._page(bucket, params, after, most)
        content: dict[str, Content] = {
            "Name": bucket,
            "Prefix": encoded(params.get("prefix", ""), params),
            **head,
            "MaxKeys": str(most),
            "Delimiter": encoded(params.get("delimiter", ""), params),
            **_encoding(params),
            "IsTruncated": _bool(last != ""),
            "KeyCount": str(len(keys) + len(prefixes)),
            **({following: encoded(last, params)} if last else {}),
            "Contents": [self._entry(bucket, key, params) for key in keys],
            "CommonPrefixes": [{"Prefix": encoded(each, params)} for each in prefixes],
        }
        return xml("ListBucketResult", content)

    def _page(
        self, bucket: str, params: dict[str, str], after: str, most: int
    ) -> tuple[list[str], list[str], str]:
        """Return the keys and common prefixes of a page, and its last one if more follow."""
        prefix, delimiter = params.get("prefix", ""), params.get("delimiter", "")
        shown: dict[str, bool] = {}
        for key in self._files.keys(bucket, prefix):
            name, is_prefix = _folded(key, prefix, delimiter)
            if name.encode() > after.encode():
                shown.setdefault(name, is_prefix)
            if len(shown) > most:
                break
        page = list(shown)[:most]
        last = page[-1] if len(shown) > most else ""
        keys = [name for name in page if not shown[name]]
        return keys, [name for name in page if shown[name]], last

    def _entry(self, bucket: str, key: str, params: dict[str, str]) -> Content:
        found = self._files.find(bucket, key)
        return {
            "Key": encoded(key, params),
            "LastModified": time(found.modified),
            "ETag": f'"{found.tag}"',
            "Type": "Normal",
            "Size": str(found.size),
            "StorageClass": "Standard",
        }


def _folded(key: str, prefix: str, delimiter: str) -> tuple[str, bool]:
    """Return what a listing shows for a key: itself, or the part up to a delimiter."""
    head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
    return (f"{prefix}{head}{found}", True) if found else (key, False)


def _most(params: dict[str, str], name: str, default: int) -> int:
    return max(1, min(MOST, int(params.get(name) or default)))


def _encoding(params: dict[str, str]) -> dict[str, Content]:
    return {"EncodingType": "url"} if params.get("encoding-type") == "url" else {}


def _bool(value: bool) -> str:
    return str(value).lower()
