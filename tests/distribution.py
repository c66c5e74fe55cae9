"""Which tests stay together when several processes share them.

A file of the contract or system tests shares what takes long to start (an ensemble, a store, a
platform's namespace), so all of it goes to one process; every other test goes wherever is room.
"""

from __future__ import annotations

from typing import Any

from xdist.scheduler.loadscope import LoadScopeScheduling

TOGETHER = ("tests/contract/", "tests/system/")
# It starts a platform of its own and needs no other.
APART = "tests/system/test_newcomer.py"
# So many processes may have a platform for all their tests: starting one costs 15 s of a processor.
PLATFORMS = 2


class ByWhatIsShared(LoadScopeScheduling):  # type: ignore[misc]  # It has no types.
    """What `--dist loadgroup` means here: files with the most tests first.

    One process more than there are to be platforms runs what needs none of them, and ends.

    pytest-xdist 3.8 has groups too, by a mark; it adds the group to a test's id, which pytest
    takes from elsewhere since 9.2, so that nothing was grouped and each process started all.
    """

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0] if nodeid.startswith(TOGETHER) else nodeid

    def _assign_work_unit(self, node: Any) -> None:
        if APART in self.workqueue and self._has_one_more():
            self.workqueue.move_to_end(APART, last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: Any) -> None:
        if APART in self.assigned_work[node] and self._has_one_more() and not node.shutting_down:
            node.shutdown()
        else:
            super()._reschedule(node)

    def _has_one_more(self) -> bool:
        return len(self.nodes) > PLATFORMS
