"""What a reader raises when a file is not what ZooKeeper wrote."""

from __future__ import annotations


class Damaged(Exception):
    """The file is cut, changed, of another kind or of a newer format; the message says which."""
