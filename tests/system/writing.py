"""The continuous writer of a test: started before the trouble, checked after it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.platform.handle import eventually
from local.platform.inside import command_inside
from local.platform.parts import environment
from local.platform.state import State
from tests.outcomes import Outcome, tell
from tests.system.clusters import Cluster
from tests.system.elsewhere import Elsewhere, place_of

PROGRAM = Path(__file__).with_name("writer.py")
STOP_SECONDS = 60
SUMMARY = "# "
SECURE_PORT = 2281


@dataclass(frozen=True, slots=True)
class Writes:
    """What was acknowledged so far."""

    file: Path

    def count(self) -> int:
        return _lines(self.file)

    def epochs(self) -> list[int]:
        """Return the epochs in which something was acknowledged: the upper half of each zxid."""
        lines = [line.split() for line in self.file.read_text().splitlines()[:-1]]
        zxids = [int(line[1]) for line in lines if line[0].startswith("/")]
        return sorted({zxid >> 32 for zxid in zxids})

    def elections(self) -> int:
        """Return how many leaders were elected while the writer wrote, by their epochs."""
        epochs = self.epochs()
        return epochs[-1] - epochs[0]

    def longest_gap(self) -> float:
        """Return the longest wait of a client for its next write; known once the writer ended."""
        return float(_summary(self.file)["longest_gap"])


@contextmanager
def continuous_writes(
    cluster: Cluster, folder: Path, title: str, authority: Path | None = None
) -> Iterator[Writes]:
    """Write all the time inside; afterwards no server may lack an acknowledged write.

    With an `authority` the writer speaks TLS, and trusts whom it signed.
    """
    file = folder / ("acknowledged-by-tls" if authority else "acknowledged")
    try:
        with unchecked_writes(cluster, file, authority) as writes:
            yield writes
    except BaseException:
        _tell_unread(title, file)
        raise
    checked = _check(cluster, file, authority)
    outcome = _outcome(title, file, sum(checked["lost"].values()))
    tell(outcome)
    assert checked["written"] == outcome.acknowledged > 100
    assert set(checked["lost"].values()) == {0}, checked


def _tell_unread(title: str, file: Path) -> None:
    """A scenario that failed has its row, too, when its writer came to its end."""
    if _lines(file) > 1 and file.read_text().splitlines()[-1].startswith(SUMMARY):
        tell(_outcome(title, file, None))


def _outcome(title: str, file: Path, lost: int | None) -> Outcome:
    return Outcome(title=title, elections=Writes(file).elections(), lost=lost, **_summary(file))


@contextmanager
def unchecked_writes(
    cluster: Cluster, file: Path, authority: Path | None = None
) -> Iterator[Writes]:
    """Write all the time inside; `file` has what was acknowledged, a line each."""
    if isinstance(cluster.platform, Elsewhere):
        assert authority is None, "only the laptop's own tests write by TLS"
        with _writes_elsewhere(cluster.platform, cluster.service, file) as found:
            yield found
        return
    file.with_suffix(".stop").unlink(missing_ok=True)
    writes = Writes(file)
    state = State(cluster.platform.state)
    secure = [str(authority)] if authority else []
    service = _secure(cluster.service) if authority else cluster.service
    command = [sys.executable, str(PROGRAM), "write", service, str(file), *secure]
    with subprocess.Popen(
        command_inside(state, command), env=environment(state), stderr=subprocess.DEVNULL
    ) as writer:
        try:
            eventually(lambda: writes.count() > 50, seconds=60, what="the writer writes")
            yield writes
        finally:
            # A signal would reach the program that entered the namespaces, not the writer.
            file.with_suffix(".stop").touch()
            writer.wait(timeout=STOP_SECONDS)


@contextmanager
def _writes_elsewhere(there: Elsewhere, service: str, file: Path) -> Iterator[Writes]:
    """Write in a pod of that cluster; what it acknowledges comes here as it is written."""
    place, program = place_of(file), there.put(PROGRAM)
    writes = Writes(file)
    writing = there.inside(["python3", program, "write", service, place])
    reading = there.inside(["sh", "-c", f"touch {place}; tail -n +1 -f {place}"])
    stop = there.inside(["touch", str(Path(place).with_suffix(".stop"))])
    variables = there.environment()
    with (
        file.open("wb") as out,
        subprocess.Popen(writing, env=variables, stderr=subprocess.DEVNULL) as writer,
        subprocess.Popen(reading, env=variables, stdout=out, stderr=subprocess.DEVNULL) as reader,
    ):
        try:
            eventually(lambda: writes.count() > 50, seconds=60, what="the writer writes")
            yield writes
        finally:
            subprocess.run(stop, env=variables, timeout=STOP_SECONDS, check=True)
            writer.wait(timeout=STOP_SECONDS)
            reader.terminate()
    # The end of it may still have been on its way.
    file.write_text(there.run("cat", place).stdout)
    there.run("rm", place, str(Path(place).with_suffix(".stop")))


def _secure(host: str) -> str:
    return f"{host.rpartition(':')[0]}:{SECURE_PORT}"


def _lines(file: Path) -> int:
    return file.read_text().count("\n") if file.exists() else 0


def _summary(file: Path) -> dict[str, Any]:
    last = file.read_text().splitlines()[-1]
    assert last.startswith(SUMMARY), f"the writer did not end well: {last}"
    found: dict[str, Any] = json.loads(last.removeprefix(SUMMARY))
    return found


def _check(cluster: Cluster, file: Path, authority: Path | None) -> dict[str, Any]:
    """Read every acknowledged write back from every member."""
    servers = ",".join(_secure(host) if authority else host for host in cluster.hosts())
    words = ("check", servers, str(file), *([str(authority)] if authority else []))
    said = cluster.platform.run(sys.executable, str(PROGRAM), *words).stdout
    found: dict[str, Any] = json.loads(said)
    return found
