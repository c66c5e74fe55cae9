"""What the functions of a platform hold and use while they run, process by process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import memory_together, processor_seconds_of, tree

VARIABLE = b"K_SERVICE="


@dataclass(slots=True)
class Held:
    """The most that any function held at any look, in MiB, and which one it was.

    All its processes together, as if no other function ran on this machine.
    """

    most: float = 0.0
    function: str = ""

    def look(self, root: int) -> None:
        processes: defaultdict[str, list[int]] = defaultdict(list)
        for pid, name in _processes(root):
            processes[name].append(pid)
        for name, pids in processes.items():
            value = memory_together(pids)
            if value > self.most:
                self.most, self.function = value, name


def processor_seconds(root: int) -> float:
    """Return the processor time of all functions below `root`, as far as they still run."""
    return sum(processor_seconds_of(pid) for pid, _ in _processes(root))


def _processes(root: int) -> Iterator[tuple[int, str]]:
    """Return the processes of the functions, each with its Knative Service's name."""
    for pid in tree(root):
        with suppress(OSError):  # It ended while we looked.
            for variable in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                if variable.startswith(VARIABLE):
                    yield pid, variable.removeprefix(VARIABLE).decode()
