"""SPDY frames: what a client sends is understood, whole or in pieces, and answered."""

from __future__ import annotations

import struct
import zlib

import pytest

from local.node.spdy import DICTIONARY, Connection, Data, Frame, Opened, Ping, Reset


class Client:
    """The other side of the connection."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def open(self, stream: int, **headers: str) -> bytes:
        plain = struct.pack(">I", len(headers))
        for text in (part for pair in headers.items() for part in pair):
            plain += struct.pack(">I", len(text)) + text.encode()
        block = self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        body = struct.pack(">IIBB", stream, 0, 0, 0) + block
        return struct.pack(">HHI", 0x8003, 1, len(body)) + body

    def headers_of(self, reply: bytes) -> bytes:
        return self._inflate.decompress(reply[12:])


def test_the_dictionary_is_the_one_the_protocol_fixes() -> None:
    # RFC 1950 checksum of the 1423 bytes, which a peer's compressor names in its first block.
    assert len(DICTIONARY) == 1423
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_frames_are_read_from_pieces_of_any_size(piece: int) -> None:
    client, connection = Client(), Connection()
    sent = client.open(1, streamtype="error", port="80", requestid="0")
    sent += client.open(3, streamtype="data", port="80", requestid="0")
    sent += struct.pack(">II", 3, 5) + b"hello"
    sent += struct.pack(">II", 3, 1 << 24)
    sent += struct.pack(">HHI", 0x8003, 9, 8) + bytes(8)  # a window update, which is passed over
    sent += struct.pack(">HHII", 0x8003, 6, 4, 77)
    sent += struct.pack(">HHIII", 0x8003, 3, 8, 3, 5)
    seen: list[Frame] = []
    for at in range(0, len(sent), piece):
        seen.extend(connection.feed(sent[at : at + piece]))
    assert seen == [
        Opened(1, {"streamtype": "error", "port": "80", "requestid": "0"}, is_last=False),
        Opened(3, {"streamtype": "data", "port": "80", "requestid": "0"}, is_last=False),
        Data(3, b"hello", is_last=False),
        Data(3, b"", is_last=True),
        Ping(77),
        Reset(3),
    ]


def test_each_reply_continues_the_compression_of_the_one_before() -> None:
    client, connection = Client(), Connection()
    for stream in (1, 3):
        reply = connection.reply(stream)
        assert reply[:4] == b"\x80\x03\x00\x02"
        assert struct.unpack(">I", reply[8:12]) == (stream,)
        assert client.headers_of(reply) == b"\x00\x00\x00\x00"


def test_what_is_sent_can_be_read_back() -> None:
    connection = Connection()
    sent = connection.data(5, b"abc") + connection.data(5, b"", is_last=True) + connection.pong(9)
    assert list(Connection().feed(sent + connection.reset(7))) == [
        Data(5, b"abc", is_last=False),
        Data(5, b"", is_last=True),
        Ping(9),
        Reset(7),
    ]
