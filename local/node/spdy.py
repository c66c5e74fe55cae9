"""SPDY/3 frames, as far as Kubernetes' port forwarding uses them; no input or output here.

`kubectl port-forward` speaks SPDY inside a websocket. Header blocks are compressed with a
dictionary that the protocol fixes; one compressor lives as long as the connection.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

SYN_REPLY, RST_STREAM, PING = 2, 3, 6
FIN = 1
LONGEST_DATA = 64 * 1024
_CONTROL = 0x8003
_INTERNAL_ERROR = 6

# The protocol's words, each of which stands in the dictionary after its length, and its phrases.
_WORDS = (
    "options|head|post|put|delete|trace|accept|accept-charset|accept-encoding|accept-lang"
    "uage|accept-ranges|age|allow|authorization|cache-control|connection|content-base|con"
    "tent-encoding|content-language|content-length|content-location|content-md5|content-r"
    "ange|content-type|date|etag|expect|expires|from|host|if-match|if-modified-since|if-n"
    "one-match|if-range|if-unmodified-since|last-modified|location|max-forwards|pragma|pr"
    "oxy-authenticate|proxy-authorization|range|referer|retry-after|server|te|trailer|tra"
    "nsfer-encoding|upgrade|user-agent|vary|via|warning|www-authenticate|method|get|statu"
    "s|200 OK|version|HTTP/1.1|url|public|set-cookie|keep-alive|origin"
)
_PHRASES = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502"
    "504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Re"
    "quest401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Impl"
    "emented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00"
    ":00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,imag"
    "e/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivate"
    "max-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = (
    b"".join(struct.pack(">I", len(word)) + word.encode() for word in _WORDS.split("|"))
    + _PHRASES.encode()
)


@dataclass(frozen=True, slots=True)
class Opened:
    """The other side opened a stream."""

    stream: int
    headers: dict[str, str]
    is_last: bool


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a stream; `is_last` closes the other side's half of it."""

    stream: int
    content: bytes
    is_last: bool


@dataclass(frozen=True, slots=True)
class Reset:
    """The other side gave a stream up."""

    stream: int


@dataclass(frozen=True, slots=True)
class Ping:
    """A sign of life that wants the same number back."""

    number: int


Frame = Opened | Data | Reset | Ping


class Connection:
    """The server's half of one SPDY connection: bytes in, frames out, and back."""

    def __init__(self) -> None:
        self._received = b""
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are complete now; other kinds of frames are passed over."""
        self._received += data
        while len(self._received) >= 8:
            first, second = struct.unpack(">II", self._received[:8])
            length = second & 0xFFFFFF
            if len(self._received) < 8 + length:
                return
            body, self._received = self._received[8 : 8 + length], self._received[8 + length :]
            frame = self._frame(first, second >> 24, body)
            if frame is not None:
                yield frame

    def _frame(self, first: int, flags: int, body: bytes) -> Frame | None:
        is_last = bool(flags & FIN)
        if not first & 0x80000000:
            return Data(first, body, is_last)
        match first & 0xFFFF:
            case 1:
                (stream,) = struct.unpack(">I", body[:4])
                return Opened(stream & 0x7FFFFFFF, self._headers(body[10:]), is_last)
            case 3:
                return Reset(struct.unpack(">I", body[:4])[0] & 0x7FFFFFFF)
            case 6:
                return Ping(struct.unpack(">I", body[:4])[0])
            case _:
                return None

    def _headers(self, block: bytes) -> dict[str, str]:
        plain = self._inflate.decompress(block)
        texts, at = [], 4
        (count,) = struct.unpack(">I", plain[:4])
        for _ in range(2 * count):
            (length,) = struct.unpack(">I", plain[at : at + 4])
            texts.append(plain[at + 4 : at + 4 + length].decode())
            at += 4 + length
        return dict(zip(texts[::2], texts[1::2], strict=True))

    def reply(self, stream: int) -> bytes:
        """Accept a stream."""
        block = self._deflate.compress(struct.pack(">I", 0))
        block += self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return _control(SYN_REPLY, struct.pack(">I", stream) + block)

    def data(self, stream: int, content: bytes, *, is_last: bool = False) -> bytes:
        """Bytes for a stream; at most LONGEST_DATA at a time."""
        return struct.pack(">II", stream, (FIN << 24 if is_last else 0) | len(content)) + content

    def reset(self, stream: int) -> bytes:
        return _control(RST_STREAM, struct.pack(">II", stream, _INTERNAL_ERROR))

    def pong(self, number: int) -> bytes:
        return _control(PING, struct.pack(">I", number))


def _control(kind: int, body: bytes) -> bytes:
    return struct.pack(">HHI", _CONTROL, kind, len(body)) + body
