"""The OSS stand-in keeps any key, stays in its folder, and signs as Alibaba's own example does."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.stores.oss.answers import Refusal
from local.stores.oss.files import Files
from local.stores.oss.signature import Signed, check

# The example in Alibaba's documentation of signature version 1.
EXAMPLE = Signed(
    method="PUT",
    bucket="oss-example",
    key="nelson",
    params={},
    headers={
        "content-md5": "ODBGOERFMDMzQTczRUY3NUE3NzA5QzdFNUYzMDQxNEM=",
        "content-type": "text/html",
        "date": "Thu, 17 Nov 2005 18:49:58 GMT",
        "x-oss-meta-author": "foo@bar.com",
        "x-oss-magic": "abracadabra",
        "authorization": "OSS 44CF9590006BF252F707:26NBxoKdsyly4EDv6inkoDft/yA=",
    },
)
SECRETS = {"44CF9590006BF252F707": "OtxrzxIsfpFjA7SwPzILwy8Bw21TLhquhboDYROV"}
THEN = datetime(2005, 11, 17, 18, 49, 58, tzinfo=UTC)

PARTS = st.one_of(
    st.sampled_from(["", ".", "..", "%", "%2E", "a", "\\", " ", "~", "é", "\0"]),
    st.text(st.characters(codec="utf-8", exclude_characters="/"), max_size=20),
)
KEYS = st.lists(PARTS, min_size=1, max_size=5).map("/".join)


@given(KEYS)
def test_any_key_is_kept_or_refused_and_stays_below_its_bucket(key: str) -> None:
    with TemporaryDirectory() as folder:
        files = Files(Path(folder))
        files.make("bucket")
        files.make("other")
        with files.incoming() as incoming, contextlib.suppress(Refusal):
            incoming.write(b"data")
            files.store("bucket", key, incoming)
            assert files.keys("bucket", "") == [key]
            assert files.path("bucket", key).resolve().is_relative_to(Path(folder) / "bucket")
            files.delete("bucket", key)
        assert files.keys("bucket", "") == []
        assert sorted(files.buckets()) == ["bucket", "other"]


def test_an_object_is_described_by_its_md5_and_crc64(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.make("bucket")
    with files.incoming() as incoming:
        incoming.write(b"123456789")
        found = files.store("bucket", "key", incoming)
    assert found.crc == 0x995DC9BBDF1939FA
    assert found.tag == "25F9E794323B453885F5181F1B624D0B"


def test_damage_from_outside_is_served_with_its_own_sums(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.make("bucket")
    (tmp_path / "bucket" / "key").write_bytes(b"data")
    before = files.find("bucket", "key")
    (tmp_path / "bucket" / "key").write_bytes(b"damaged")
    after = files.find("bucket", "key")
    assert (before.size, after.size) == (4, 7)
    assert before.tag != after.tag


def test_the_documented_example_is_accepted() -> None:
    check(EXAMPLE, SECRETS, "", THEN + timedelta(minutes=14))


@pytest.mark.parametrize(
    ("request_", "now", "code"),
    [
        pytest.param(replace(EXAMPLE, method="GET"), THEN, "SignatureDoesNotMatch", id="method"),
        pytest.param(replace(EXAMPLE, key="other"), THEN, "SignatureDoesNotMatch", id="key"),
        pytest.param(
            replace(EXAMPLE, params={"uploads": ""}), THEN, "SignatureDoesNotMatch", id="parameter"
        ),
        pytest.param(
            replace(EXAMPLE, headers={**EXAMPLE.headers, "x-oss-more": "1"}),
            THEN,
            "SignatureDoesNotMatch",
            id="header",
        ),
        pytest.param(EXAMPLE, THEN + timedelta(minutes=16), "RequestTimeTooSkewed", id="late"),
        pytest.param(EXAMPLE, THEN - timedelta(minutes=16), "RequestTimeTooSkewed", id="early"),
        pytest.param(replace(EXAMPLE, headers={}), THEN, "AccessDenied", id="not-signed"),
        pytest.param(
            replace(EXAMPLE, headers={"authorization": "OSS other:x"}),
            THEN,
            "InvalidAccessKeyId",
            id="other-key",
        ),
    ],
)
def test_whatever_is_signed_and_changed_is_refused(
    request_: Signed, now: datetime, code: str
) -> None:
    with pytest.raises(Refusal) as refused:
        check(request_, SECRETS, "", now)
    assert refused.value.code == code
