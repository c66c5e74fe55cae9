"""What an object store can answer instead of the work: each says what is wrong and what to do.

`is_final` tells whoever runs the Job whether another run is worth its time. A `PassingError` may
go away by itself within seconds: the adapters repeat the call a few times before they raise it.
"""

from __future__ import annotations

from typing import ClassVar

from functions.api.errors import FunctionError


class StoreError(FunctionError):
    """Anything a store did not do."""

    is_final: ClassVar[bool] = True


class InvalidStore(StoreError):
    """The settings that describe the store are incomplete or cannot be understood."""


class InvalidCredentials(StoreError):
    """The store does not know the access key, or the secret key does not belong to it."""


class NotAllowed(StoreError):
    """The credentials are right and may not do this."""


class NoSuchBucket(StoreError):
    """There is no bucket of that name."""


class NoSuchObject(StoreError):
    """There is no object of that key."""


class StoreFull(StoreError):
    """The store takes no more bytes."""


class ClockSkew(StoreError):
    """The clock of this machine and the store's differ by more than signatures allow."""


class Untrusted(StoreError):
    """The endpoint's certificate is not one to trust, or it does not speak TLS at all."""


class RequestRefused(StoreError):
    """The store refuses the request for another reason, which the sentence quotes."""


class UploadGone(StoreError):
    """Somebody else aborted the multipart upload: a new run writes a new one."""

    is_final = False


class ObjectChanged(StoreError):
    """The object was written anew while it was read, or has another size than was written."""

    is_final = False


class PassingError(StoreError):
    """What may be over in a moment."""

    is_final = False


class Unreachable(PassingError):
    """The endpoint's name does not resolve, nobody listens there, or nothing answers in time."""


class ConnectionCut(PassingError):
    """The connection ended in the middle of a request or of an answer."""


class Throttled(PassingError):
    """The store asks for fewer requests."""


class StoreFailing(PassingError):
    """The store answers that it cannot serve now."""


class DamagedOnTheWay(PassingError):
    """The store got other bytes than were sent."""
