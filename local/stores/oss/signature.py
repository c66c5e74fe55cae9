"""OSS's signatures, version 1 and version 4, checked as OSS checks them.

Written from Alibaba's description of the protocol, not from a client: so a client that signs
wrongly is found out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from local.stores.oss.answers import Refusal

SKEW = timedelta(minutes=15)
_SCHEME = "OSS4-HMAC-SHA256"
_SUBRESOURCES = frozenset(
    {
        *("acl", "append", "bucketInfo", "continuation-token", "delete", "encryption"),
        *("lifecycle", "location", "logging", "objectMeta", "partNumber", "policy", "position"),
        *("requestPayment", "response-cache-control", "response-content-disposition"),
        *("response-content-encoding", "response-content-language", "response-content-type"),
        *("response-expires", "restore", "security-token", "stat", "symlink", "tagging"),
        *("uploadId", "uploads", "versionId", "versioning", "versions", "x-oss-process"),
    }
)


@dataclass(frozen=True, slots=True)
class Signed:
    """What of a request is signed; the names of `headers` are in lower case."""

    method: str
    bucket: str
    key: str
    params: Mapping[str, str]
    headers: Mapping[str, str]


def check(request: Signed, secrets: Mapping[str, str], region: str, now: datetime) -> None:
    """Raise the Refusal that OSS answers unless the request is signed with one of `secrets`."""
    authorization = request.headers.get("authorization", "")
    if authorization.startswith(f"{_SCHEME} "):
        _check_4(request, authorization.removeprefix(_SCHEME), secrets, region, now)
    elif authorization.startswith("OSS "):
        _check_1(request, authorization.removeprefix("OSS "), secrets, now)
    else:
        raise Refusal(403, "AccessDenied", "You have no right to access this object: not signed.")


def _check_1(
    request: Signed, authorization: str, secrets: Mapping[str, str], now: datetime
) -> None:
    key, _, signature = authorization.partition(":")
    secret = _secret(secrets, key)
    date = request.headers.get("x-oss-date") or request.headers.get("date", "")
    _check_time(_http_date(date), now)
    signed = "\n".join(
        [
            request.method,
            request.headers.get("content-md5", ""),
            request.headers.get("content-type", ""),
            date,
            *(f"{name}:{value}" for name, value in _oss_headers(request)),
            _resource(request),
        ]
    )
    wanted = base64.b64encode(hmac.digest(secret.encode(), signed.encode(), "sha1")).decode()
    _compare(wanted, signature)


def _check_4(
    request: Signed, authorization: str, secrets: Mapping[str, str], region: str, now: datetime
) -> None:
    given = dict(part.strip().partition("=")[::2] for part in authorization.split(","))
    key, *scope = given.get("Credential", "").split("/")
    secret, at = _secret(secrets, key), request.headers.get("x-oss-date", "")
    _check_time(_iso_date(at), now)
    if scope != [at[:8], region, "oss", "aliyun_v4_request"]:
        raise Refusal(
            400,
            "InvalidArgument",
            f"Invalid signing region or date in Authorization header: {'/'.join(scope)}, "
            f"expected region {region}.",
        )
    canonical = _canonical_4(request, given.get("AdditionalHeaders", ""))
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    signed = "\n".join([_SCHEME, at, "/".join(scope), hashed])
    by = f"aliyun_v4{secret}".encode()
    for part in scope:
        by = hmac.digest(by, part.encode(), "sha256")
    _compare(hmac.new(by, signed.encode(), "sha256").hexdigest(), given.get("Signature", ""))


def _canonical_4(request: Signed, additional: str) -> str:
    more = set(additional.split(";")) | {"content-type", "content-md5"}
    headers = sorted(
        (name, value.strip())
        for name, value in request.headers.items()
        if name in more or name.startswith("x-oss-")
    )
    path = f"/{request.bucket}/{request.key}" if request.bucket else "/"
    query = sorted((_quoted(name), _quoted(value)) for name, value in request.params.items())
    return "\n".join(
        [
            request.method,
            quote(path, safe="/~-_."),
            "&".join(f"{name}={value}" if value else name for name, value in query),
            *(f"{name}:{value}" for name, value in headers),
            "",
            additional,
            request.headers.get("x-oss-content-sha256", "UNSIGNED-PAYLOAD"),
        ]
    )


def _resource(request: Signed) -> str:
    found = sorted((name, value) for name, value in request.params.items() if name in _SUBRESOURCES)
    query = "&".join(f"{name}={value}" if value else name for name, value in found)
    path = f"/{request.bucket}/{request.key}" if request.bucket else "/"
    return f"{path}?{query}" if query else path


def _oss_headers(request: Signed) -> list[tuple[str, str]]:
    return sorted(item for item in request.headers.items() if item[0].startswith("x-oss-"))


def _quoted(text: str) -> str:
    return quote(text, safe="~-_.")


def _secret(secrets: Mapping[str, str], key: str) -> str:
    if key not in secrets:
        raise Refusal(
            403, "InvalidAccessKeyId", "The OSS Access Key Id you provided does not exist."
        )
    return secrets[key]


def _compare(wanted: str, given: str) -> None:
    if not hmac.compare_digest(wanted.encode(), given.strip().encode()):
        raise Refusal(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
        )


def _check_time(at: datetime | None, now: datetime) -> None:
    if at is None:
        raise Refusal(403, "AccessDenied", "OSS authentication requires a valid Date.")
    if abs(now - at) > SKEW:
        raise Refusal(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        )


def _http_date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None


def _iso_date(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
