"""How far a server's files go, by its logs and the names of its snapshots."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.pods.last_zxid import last_zxid
from tests.unit.zookeeper_files import LOG_HEADER, WHOLE_SNAPSHOT, ZEROS, log_of


@pytest.mark.parametrize(
    ("files", "found"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({"acceptedEpoch": b"1"}, None, id="epochs-alone"),
        pytest.param({"snapshot.10000000a": WHOLE_SNAPSHOT}, 0x10000000A, id="snapshot-alone"),
        pytest.param({"log.100000001": log_of(5, 6)}, 6, id="log-alone"),
        pytest.param(
            {"snapshot.5": WHOLE_SNAPSHOT, "log.1": log_of(1, 2, 9)}, 9, id="log-goes-further"
        ),
        pytest.param(
            {"snapshot.20": WHOLE_SNAPSHOT, "log.1": log_of(1, 2)}, 0x20, id="copied-from-a-leader"
        ),
        pytest.param(
            {"snapshot.5": WHOLE_SNAPSHOT, "snapshot.30": WHOLE_SNAPSHOT[:40]},
            5, id="newest-snapshot-is-cut",
        ),
        pytest.param(
            {"log.1": log_of(1, 2), "log.3": LOG_HEADER + ZEROS}, 2, id="newest-log-is-still-empty"
        ),
        pytest.param(
            {"log.f": log_of(15), "log.10": log_of(16)}, 16, id="ordered-by-number-not-by-name"
        ),
        pytest.param({"snapshot.7.gz": b"\x1f\x8bdata"}, 7, id="gzip"),
        pytest.param({"snapshot.7.gz": b"data"}, None, id="no-gzip"),
        pytest.param({"snapshot.7.snappy": b"\x82SNAPPY\x00data"}, 7, id="snappy"),
        pytest.param(
            {"snapshot.x": WHOLE_SNAPSHOT, "log.1.bak": log_of(1)}, None, id="other-names"
        ),
    ],
)  # fmt: skip
def test_the_last_transaction_on_disk(
    tmp_path: Path, files: dict[str, bytes], found: int | None
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert last_zxid(tmp_path, tmp_path) == found


def test_snapshots_and_logs_may_have_folders_of_their_own(tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    assert last_zxid(data, log) is None, "neither is there before the first start"
    data.mkdir()
    log.mkdir()
    (data / "snapshot.5").write_bytes(WHOLE_SNAPSHOT)
    (log / "log.6").write_bytes(log_of(6, 7))
    assert last_zxid(data, log) == 7
