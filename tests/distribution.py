"""Which tests stay together when several processes share them.

A file of the contract or system tests shares what takes long to start (an ensemble, a store, a
platform's namespace), so all of it goes to one process; every other test goes wherever is room.
"""

from __future__ import annotations

from xdist.scheduler.loadscope import LoadScopeScheduling

TOGETHER = ("tests/contract/", "tests/system/")


class ByWhatIsShared(LoadScopeScheduling):  # type: ignore[misc]  # It has no types.
    """What `--dist loadgroup` means here: files with the most tests first.

    pytest-xdist 3.8 has groups too, by a mark; it adds the group to a test's id, which pytest
    takes from elsewhere since 9.2, so that nothing was grouped and each process started all.
    """

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0] if nodeid.startswith(TOGETHER) else nodeid
