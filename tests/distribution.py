"""Which tests stay together when several processes share them, and which begin first.

A file of the contract or system tests shares what takes long to start (an ensemble, a store, a
platform's namespace), so all of it goes to one process; every other test goes wherever is room.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xdist.scheduler.loadscope import LoadScopeScheduling

TOGETHER = ("tests/contract/", "tests/system/")
# These start platforms of their own and need no other.
APART = ("tests/system/test_newcomer.py", "tests/system/test_platform_life.py")
# Files of few tests that take long count as so many: what begins last should be over soon.
COUNTS_AS = {
    "tests/contract/test_backup_contract.py": 1000,
    "tests/contract/test_closed_plaintext.py": 1000,
    "tests/system/test_cluster_scale.py": 15,
    "tests/system/test_events_delivery.py": 12,
    "tests/system/test_cluster_delete.py": 10,
    "tests/system/test_cluster_disks.py": 9,
    "tests/system/test_idle.py": 8,
}
# So many processes may have a platform for all their tests: starting one costs 15 s of a processor.
PLATFORMS = 2


class ByWhatIsShared(LoadScopeScheduling):  # type: ignore[misc]  # It has no types.
    """What `--dist loadgroup` means here: long files first, then those with the most tests.

    One process more than there are to be platforms runs what needs none of them, and ends.

    pytest-xdist 3.8 has groups too, by a mark; it adds the group to a test's id, which pytest
    takes from elsewhere since 9.2, so that nothing was grouped and each process started all.
    """

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0] if nodeid.startswith(TOGETHER) else nodeid

    def _assign_work_unit(self, node: Any) -> None:
        """Put the file that `node` is to get at the beginning of the queue, where it is taken."""
        takes_these = self._is_apart(node) or not any(map(self._is_apart, self.nodes))
        is_first = takes_these and len(self.nodes) > PLATFORMS
        units = self.workqueue.items()
        first, _ = min(units, key=lambda unit: self._place(unit[0], unit[1], is_first))
        self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)

    def _place(self, scope: str, tests: Mapping[str, bool], is_first: bool) -> tuple[int, int]:
        """Where a file stands in the queue: those that need no platform first, or else last."""
        if scope in APART:
            return (-1 if is_first else 1), APART.index(scope)
        return 0, -COUNTS_AS.get(scope, len(tests))

    def _reschedule(self, node: Any) -> None:
        if not self._is_apart(node) or any(scope in self.workqueue for scope in APART):
            super()._reschedule(node)
        elif not node.shutting_down:
            node.shutdown()

    def _is_apart(self, node: Any) -> bool:
        """Whether this is the one process more, which has begun with what needs no platform."""
        return any(scope in self.assigned_work[node] for scope in APART)
