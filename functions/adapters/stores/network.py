"""What a broken conversation with a store means: from an exception of any layer to our errors.

Both libraries wrap what urllib3 wraps of what a socket raised, each in its own way. So the whole
chain is looked through for the one exception that says most.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator

import urllib3

from functions.adapters.stores.errors import ConnectionCut, StoreError, Unreachable, Untrusted
from functions.adapters.stores.place import Place

# The first row that any exception of the chain fits is the one told.
_MEANINGS: list[tuple[tuple[type[BaseException], ...], type[StoreError], str]] = [
    (
        (ssl.SSLCertVerificationError,),
        Untrusted,
        "The certificate of {place} is not to be trusted: "
        "name its authority's certificate in `caSecret`, or correct `endpoint`.",
    ),
    (
        (ssl.SSLEOFError, ssl.SSLZeroReturnError),
        ConnectionCut,
        "The connection to {place} was cut while {object} was on its way: it is tried again.",
    ),
    (
        (ssl.SSLError,),
        Untrusted,
        "{place} does not speak TLS as it should: correct `endpoint` (http:// for plain HTTP).",
    ),
    (
        (urllib3.exceptions.NameResolutionError, socket.gaierror),
        Unreachable,
        "The name of {place} does not resolve: correct `endpoint`, or set `pathStyle` where the "
        "store has no host name for each bucket.",
    ),
    (
        (ConnectionRefusedError,),
        Unreachable,
        "Nobody listens at {place}: correct `endpoint`, or start the store.",
    ),
    (
        (TimeoutError, urllib3.exceptions.TimeoutError),
        Unreachable,
        "{place} did not answer about {object} in time: look at the store and the network.",
    ),
    (
        (ConnectionError, urllib3.exceptions.ProtocolError, http.client.HTTPException),
        ConnectionCut,
        "The connection to {place} was cut while {object} was on its way: it is tried again.",
    ),
    (
        (OSError, urllib3.exceptions.NewConnectionError),
        Unreachable,
        "{place} cannot be reached: correct `endpoint`, or look at the network.",
    ),
]
_CUT = (ConnectionCut, "{place} broke off while {object} was on its way: it is tried again.")


def from_network(error: BaseException, place: Place, key: str = "") -> StoreError:
    """Return our error for one that came of the connection, not of an answer."""
    links = list(_chain(error))
    for kinds, meaning, sentence in _MEANINGS:
        for link in links:
            if isinstance(link, kinds):
                return meaning(_told(sentence, link, place, key))
    meaning, sentence = _CUT
    return meaning(_told(sentence, error, place, key))


def _told(sentence: str, error: BaseException, place: Place, key: str) -> str:
    told = sentence.format(place=place, object=place.object(key) if key else "an answer")
    return f"{told} ({place.quote(str(error) or type(error).__name__)})"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all it was made of, however its library holds that."""
    waiting, seen = [error], set[int]()
    while waiting:
        link = waiting.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        held = [link.__cause__, link.__context__, *link.args, *vars(link).values()]
        held += vars(link).get("kwargs", {}).values()
        waiting += [each for each in held if isinstance(each, BaseException)]
