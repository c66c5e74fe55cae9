"""`manifest.json`: read back as it was written, and refused with a reason when it is not right."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.backups.keys import InvalidKey, backup_key, key_below
from functions.backups.manifest import BackupFile, Manifest, parsed, written
from functions.backups.unproven import Unproven

SUM = "0" * 64
MANIFEST = Manifest(
    cluster="zk",
    namespace="default",
    server="zk-0",
    server_id=1,
    version="3.9.5",
    snapshot_zxid=0x100000002,
    zxid=0x100000009,
    epoch=1,
    nodes=5,
    digest=-123,
    members=("server.1=zk-0", {"id": 1}),
    files=(BackupFile("snapshot.100000002", 10, SUM), BackupFile("log.100000001", 20, SUM)),
    start_time="2026-11-21T12:00:00Z",
    finish_time="2026-11-21T12:01:00Z",
    method="files",
    quorum=True,
)


def sealed(**changes: Any) -> bytes:
    """Return a manifest with other fields and a sum that fits them."""
    fields = {**json.loads(written(MANIFEST)), **changes}
    del fields["sha256"]
    text = json.dumps(fields, indent=2, sort_keys=True) + "\n"
    fields["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    return (json.dumps(fields, indent=2, sort_keys=True) + "\n").encode()


@pytest.mark.parametrize("digest", [None, -123])
def test_a_manifest_is_read_as_it_was_written(digest: int | None) -> None:
    manifest = replace(MANIFEST, digest=digest)
    assert parsed(written(manifest)) == manifest
    assert manifest.size == 30


def test_what_a_later_program_adds_to_the_format_is_passed_over() -> None:
    assert parsed(sealed(shade="blue")) == MANIFEST


@given(st.binary(max_size=200))
def test_nonsense_is_refused(content: bytes) -> None:
    with pytest.raises(Unproven):
        parsed(content)


FILE = {"name": "snapshot.100000002", "size": 1, "sha256": SUM}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"format": 2}, "is of format 2, and this program knows", id="newer"),
        pytest.param({"format": "1"}, "names no format", id="no-number"),
        pytest.param({"format": True}, "names no format", id="true-is-no-number"),
        pytest.param({"zxid": 5}, "'zxid' is missing or cannot be understood", id="a-wrong-kind"),
        pytest.param({"nodes": -1}, "'nodes'", id="a-negative-count"),
        pytest.param({"quorum": None}, "'quorum'", id="nothing"),
        pytest.param({"method": "magic"}, "'method'", id="an-unknown-method"),
        pytest.param({"startTime": "noon"}, "'startTime'", id="no-time"),
        pytest.param({"zxid": "0x1"}, "older than its snapshot", id="ends-before-it-begins"),
        pytest.param({"files": [1]}, "what is no file", id="no-file"),
        pytest.param({"files": []}, "lists 0 snapshots", id="no-snapshot"),
        pytest.param({"files": [FILE, FILE]}, "lists an object twice", id="twice"),
        pytest.param({"files": [{**FILE, "sha256": "0"}]}, "'sha256'", id="no-sum"),
        *(
            pytest.param({"files": [{**FILE, "name": name}]}, "no name of a file", id=name or "no")
            for name in ("../snapshot.1", "/etc/passwd", "a/log.1", "log.1/..", "", "manifest.json")
        ),
    ],
)
def test_what_a_manifest_may_not_say_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Unproven, match=said):
        parsed(sealed(**changes))


@pytest.mark.parametrize("text", ["default/a/once/pod", "/default/a/once/pod/", "a.b/c..d"])
def test_a_key_loses_only_slashes_at_its_ends(text: str) -> None:
    assert backup_key(text) == text.strip("/")


@pytest.mark.parametrize(
    "text",
    ["", "/", "a//b", "a/../b", "..", "./a", "a/.", "a\nb", "a\\..\\b", "a\0b", "é" * 600],
)
def test_a_key_that_tries_to_lead_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(InvalidKey):
        backup_key(text)


@pytest.mark.parametrize(
    "text", ["ns/b/once", "ns/b/once-2/x", "ns/b/once/x/y", "ns/c/once/x", "x"]
)
def test_only_what_lies_directly_below_may_be_removed(text: str) -> None:
    assert key_below("ns/b/once/x", "ns/b/once") == "ns/b/once/x"
    with pytest.raises(InvalidKey, match="does not lie directly below"):
        key_below(text, "ns/b/once")
