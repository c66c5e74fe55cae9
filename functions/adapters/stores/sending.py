"""What a request sends, as the file that the libraries want to read it from.

Bytes would be sent as one, and the timeout would be how long all of them may take; of a file each
block has it for itself. `io.BytesIO` would do, but for a view it makes a copy of, and for oss2,
which reads so little at a time that the lock of the interpreter is what takes longest.
"""

from __future__ import annotations

import io

from functions.adapters.stores.port import Content

BLOCK = 128 << 10


class Sent:
    """Content that is read without a copy, in blocks of `BLOCK` where less is asked for."""

    def __init__(self, content: Content) -> None:
        self._content = memoryview(content)
        self._at = 0

    def __len__(self) -> int:
        return len(self._content)

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self)}[whence]
        self._at = start + offset
        return self._at

    def read(self, size: int = -1) -> Content:
        end = len(self) if size < 0 else self._at + max(size, BLOCK)
        found = self._content[self._at : end]
        self._at += len(found)
        # Whoever compares with `b""`, or asks whether there is more, understands either.
        return found or b""
