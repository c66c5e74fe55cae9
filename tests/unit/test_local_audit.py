"""Counting calls in an audit log as the API server writes it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local import audit

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
OBSERVE = "system:serviceaccount:zookeeper-functions:observe"


def entry(verb: str, *, user: str = OBSERVE, at: datetime = NOON, **more: Any) -> str:
    """One line of the log."""
    found = {
        "stage": "ResponseComplete",
        "verb": verb,
        "user": {"username": user},
        "objectRef": {"resource": "pods", "namespace": "one", "name": "zk-0"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        **more,
    }
    return json.dumps(found, separators=(",", ":")) + "\n"


def logged(folder: Path, *lines: str, name: str = "audit.log") -> list[audit.Call]:
    (folder / name).write_text("".join(lines))
    return audit.calls(folder)


def counted(calls: list[audit.Call]) -> list[tuple[str, int, int, int]]:
    return [(c.user, c.reads, c.writes, c.denied) for c in audit.counts(calls)]


def test_reads_and_writes_are_counted_per_caller(tmp_path: Path) -> None:
    lines = [entry(verb) for verb in ("get", "list", "watch", "create", "patch", "delete")]
    found = logged(tmp_path, *lines, entry("update", user="admin"))
    assert counted(found) == [("admin", 0, 1, 0), (OBSERVE, 2, 3, 0)]


def test_a_watch_counts_once_when_it_begins(tmp_path: Path) -> None:
    found = logged(tmp_path, entry("watch", stage="ResponseStarted"), entry("watch"))
    assert counted(found) == [(OBSERVE, 1, 0, 0)]


def test_a_question_about_rights_is_no_write(tmp_path: Path) -> None:
    review = {"apiGroup": "authorization.k8s.io", "resource": "selfsubjectaccessreviews"}
    assert counted(logged(tmp_path, entry("create", objectRef=review))) == [(OBSERVE, 1, 0, 0)]


def test_what_the_roles_deny_is_told_apart_from_what_admission_refuses(tmp_path: Path) -> None:
    refused = entry("create", responseStatus={"code": 403})
    denied = entry("create", annotations={audit.DECISION: "forbid"})
    found = logged(tmp_path, refused, denied)
    assert counted(found) == [(OBSERVE, 0, 2, 1)]


def test_a_line_that_is_half_written_is_left_out(tmp_path: Path) -> None:
    whole = entry("get")
    assert len(logged(tmp_path, whole, whole[:-40])) == 1


def test_files_that_were_cut_off_are_read_too(tmp_path: Path) -> None:
    logged(tmp_path, entry("get"), name="audit-2026-01-31T11-00-00.000.log")
    assert len(logged(tmp_path, entry("get"))) == 2


def test_no_log_yet_is_no_call(tmp_path: Path) -> None:
    assert audit.calls(tmp_path) == []
    assert audit.table(audit.counts([])).split() == ["CALLER", "READS", "WRITES", "DENIED"]


def test_since_cuts_at_the_very_moment(tmp_path: Path) -> None:
    moments = [NOON + timedelta(milliseconds=step) for step in (0, 400, 800)]
    logged(tmp_path, *(entry("get", at=at) for at in moments))
    assert [call.at for call in audit.calls(tmp_path, moments[1])] == moments[1:]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", NOON - timedelta(seconds=90)),
        ("10m", NOON - timedelta(minutes=10)),
        ("2h", NOON - timedelta(hours=2)),
        ("2026-01-31T11:00:00Z", NOON - timedelta(hours=1)),
        ("2026-01-31T11:00:00", NOON - timedelta(hours=1)),
        ("2026-01-31T12:00:00+01:00", NOON - timedelta(hours=1)),
    ],
)
def test_a_moment_is_read(text: str, moment: datetime) -> None:
    assert audit.moment(text, NOON) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "10", "5d", "-3s"])
def test_another_text_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(audit.BadMoment, match="write 90s, 10m, 2h or"):
        audit.moment(text, NOON)


def test_the_table_names_accounts_shortly(tmp_path: Path) -> None:
    shown = audit.table(audit.counts(logged(tmp_path, entry("get"), entry("patch"))))
    assert shown.splitlines()[1].split() == ["zookeeper-functions/observe", "1", "1", "0"]
