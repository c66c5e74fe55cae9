"""What requests send, as the libraries read it."""

from __future__ import annotations

import io

import pytest

from functions.adapters.stores.sending import BLOCK, Sent

DATA = bytes(range(256)) * (3 * BLOCK // 256) + b"the end"


def test_it_is_read_in_large_blocks_however_little_is_asked_for() -> None:
    sent = Sent(DATA)
    blocks = list(iter(lambda: sent.read(16 << 10), b""))
    assert b"".join(blocks) == DATA
    assert [len(block) for block in blocks] == [BLOCK, BLOCK, BLOCK, 7]


@pytest.mark.parametrize(("size", "length"), [(-1, len(DATA)), (2 * BLOCK, 2 * BLOCK)])
def test_what_is_asked_for_at_once_comes_at_once(size: int, length: int) -> None:
    assert Sent(DATA).read(size) == DATA[:length]


@pytest.mark.parametrize(
    ("offset", "whence", "at"),
    [
        pytest.param(3, io.SEEK_SET, 3, id="from-the-beginning"),
        pytest.param(3, io.SEEK_CUR, BLOCK + 3, id="from-here"),
        pytest.param(-3, io.SEEK_END, len(DATA) - 3, id="from-the-end"),
    ],
)
def test_it_can_be_read_again_from_any_byte_on(offset: int, whence: int, at: int) -> None:
    sent = Sent(DATA)
    sent.read(1)
    assert sent.seek(offset, whence) == at == sent.tell()
    assert sent.read() == DATA[at:]
    assert (len(sent), sent.read()) == (len(DATA), b"")


def test_a_view_is_not_copied() -> None:
    held = bytearray(b"one")
    sent = Sent(memoryview(held))
    held[:] = b"two"
    assert sent.read() == b"two"
