"""Where a server takes clients without TLS: the client part of the lines of its own member list.

The pod says it, not the list: a server that takes clients by TLS alone listens without it on its
pod's loopback, where the programs beside it ask it. So it is written before each start, into the
list of the same version; the functions see to it that the ensemble's list says the same
(docs/decisions/0025).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from functions.pods.disk import Folders, own_list, text_of, write_file

_CLIENT_PART = re.compile(r"^(server\.\d+=[^;\n]*;)(\S+)[ \t]*$", re.MULTILINE)
_LOOPBACK = "127.0.0.1:"


def bind_clients(folders: Folders, inside: str, outside: str) -> None:
    """Make every line of the own list say `inside`; if that is empty, none may be on loopback.

    A list that waits to be committed is changed with it: the server takes it up.
    """
    own = own_list(folders)
    for file in (*([Path(own.file)] if own.file else []), folders.pending_list):
        text = text_of(file)
        wanted = _CLIENT_PART.sub(_rewriting(inside, outside), text)
        if wanted != text:
            write_file(file, wanted)


def _rewriting(inside: str, outside: str) -> Callable[[re.Match[str]], str]:
    def rewritten(line: re.Match[str]) -> str:
        is_inside = line[2].startswith(_LOOPBACK)
        return f"{line[1]}{inside or (outside if is_inside else line[2])}"

    return rewritten
