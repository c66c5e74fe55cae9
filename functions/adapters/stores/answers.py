"""What a store's refusal means: from HTTP status and error code to one of our errors.

S3, OSS and the servers that imitate S3 mostly share their codes; where they do not, the status
decides. The last part of each sentence says what to do.
"""

from __future__ import annotations

from functions.adapters.stores.errors import (
    ClockSkew,
    DamagedOnTheWay,
    InvalidCredentials,
    NoSuchBucket,
    NoSuchObject,
    NotAllowed,
    RequestRefused,
    StoreError,
    StoreFailing,
    StoreFull,
    Throttled,
    UploadGone,
)
from functions.adapters.stores.place import Place

Meaning = tuple[type[StoreError], str]

_UNKNOWN_KEY: Meaning = (
    InvalidCredentials,
    "The access key for {place} is not known there: "
    "put a valid one into the Secret that `accessKeySecret` names.",
)
_WRONG_SECRET: Meaning = (
    InvalidCredentials,
    "The secret key for {place} does not belong to its access key: "
    "put the right one into the Secret that `secretKeySecret` names.",
)
_EXPIRED: Meaning = (
    InvalidCredentials,
    "The credentials for {place} are no longer valid: put new ones into their Secrets.",
)
_NOT_ALLOWED: Meaning = (
    NotAllowed,
    "The credentials may not do this to {object}: allow it, or use others.",
)
_NO_BUCKET: Meaning = (
    NoSuchBucket,
    "There is no {place}: create it, or correct `bucket` or `endpoint`.",
)
_NO_OBJECT: Meaning = (
    NoSuchObject,
    "There is no object {object}: check the key; was it deleted?",
)
_FULL: Meaning = (
    StoreFull,
    "There is no room for {object}: make room in the store or raise its quota.",
)
_SKEW: Meaning = (
    ClockSkew,
    "The clock of this node and that of {where} differ too much: set the wrong one right.",
)
_THROTTLED: Meaning = (
    Throttled,
    "{where} asks for fewer requests, {object} among them: it is tried again; "
    "raise the store's limit if this goes on.",
)
_FAILING: Meaning = (
    StoreFailing,
    "{where} cannot serve {object} now: it is tried again; look at the store if this goes on.",
)
_UPLOAD_GONE: Meaning = (
    UploadGone,
    "The upload of {object} is gone, somebody aborted it: the next try starts a new one.",
)
_DAMAGED: Meaning = (
    DamagedOnTheWay,
    "{object} arrived damaged: it is sent again; look at the network if this goes on.",
)
_REFUSED: Meaning = (
    RequestRefused,
    "{where} refuses a request for {object}: see what it says and correct the store's settings.",
)

_CODES: dict[str, Meaning] = {
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": _WRONG_SECRET,
    "ExpiredToken": _EXPIRED,
    "InvalidToken": _EXPIRED,
    "InvalidSecurityToken": _EXPIRED,
    "SecurityTokenExpired": _EXPIRED,
    "AccessDenied": _NOT_ALLOWED,
    "NoSuchBucket": _NO_BUCKET,
    "InvalidBucketName": _NO_BUCKET,
    "NoSuchKey": _NO_OBJECT,
    "NoSuchUpload": _UPLOAD_GONE,
    "RequestTimeTooSkewed": _SKEW,
    "InsufficientStorage": _FULL,
    "QuotaExceeded": _FULL,
    "XMinioStorageFull": _FULL,
    "XMinioAdminBucketQuotaExceeded": _FULL,
    "SlowDown": _THROTTLED,
    "SlowDownRead": _THROTTLED,
    "SlowDownWrite": _THROTTLED,
    "Throttling": _THROTTLED,
    "ThrottlingException": _THROTTLED,
    "TooManyRequests": _THROTTLED,
    "RequestLimitExceeded": _THROTTLED,
    "QpsLimitExceeded": _THROTTLED,
    "DownloadTrafficRateLimitExceeded": _THROTTLED,
    "UploadTrafficRateLimitExceeded": _THROTTLED,
    "BadDigest": _DAMAGED,
    "InvalidDigest": _DAMAGED,
    "XAmzContentSHA256Mismatch": _DAMAGED,
    "IncompleteBody": _FAILING,
    "RequestTimeout": _FAILING,
    "InternalError": _FAILING,
    "ServiceUnavailable": _FAILING,
    "OperationAborted": _FAILING,
}
_STATUSES: dict[int, Meaning] = {
    401: _NOT_ALLOWED,
    403: _NOT_ALLOWED,
    408: _FAILING,
    429: _THROTTLED,
    507: _FULL,
}


def from_answer(status: int, code: str, message: str, place: Place, key: str = "") -> StoreError:
    """Return the error that an answer with an HTTP status of 300 or more stands for."""
    error, sentence = _meaning(status, code, key)
    said = " ".join(filter(None, (str(status), code, place.quote(message))))
    told = sentence.format(place=place, where=place.where, object=place.object(key))
    return error(f"{told} (The store says: {said})")


def _meaning(status: int, code: str, key: str) -> Meaning:
    if code in _CODES:
        return _CODES[code]
    if status == 404:
        return _NO_OBJECT if key else _NO_BUCKET
    return _STATUSES.get(status, _FAILING if status >= 500 else _REFUSED)
