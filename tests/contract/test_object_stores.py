"""One contract for the object stores: the twin, S3 (rclone) and OSS in both its signatures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from functions.adapters.memory import MemoryObjectStore
from functions.adapters.stores.errors import (
    InvalidCredentials,
    NoSuchBucket,
    NoSuchObject,
    StoreError,
    UploadGone,
)
from functions.adapters.stores.port import MIN_PART_BYTES, ObjectStore, StoredObject
from tests.contract.processes import until
from tests.contract.store_servers import (
    RealSide,
    Server,
    oss_server,
    s3_server,
)

pytestmark = pytest.mark.contract

PART = bytes(range(256)) * (MIN_PART_BYTES // 256)
FAR = timedelta(days=1)
REAL = ["s3", "oss-v4", "oss-v1"]
KEYS = [
    "a key/with spaces",
    "a+b=c&d",
    "100%/50%25/%2F",
    "snapshot-ü-漢字-🐘",
    'it\'s "quoted" <and> more',
    "...dots../v1.2..3/.hidden",
    "what?now#then",
    "~(tilde)!*$;:@,|",
    "/".join(["x" * 63] * 15 + ["y" * 63]),
]


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def oss(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with oss_server(tmp_path_factory.mktemp("oss")) as server:
        yield server


def real(name: str, request: pytest.FixtureRequest) -> RealSide:
    server: Server = request.getfixturevalue(name.partition("-")[0])
    return RealSide(Server(server.kind, server.port, "" if name == "oss-v1" else server.region))


@pytest.fixture(params=["twin", *REAL])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    """A bucket that nothing is in."""
    if request.param == "twin":
        return MemoryObjectStore()
    return real(request.param, request).store(CREATE_BUCKET="true")


@pytest.fixture(params=REAL)
def real_side(request: pytest.FixtureRequest) -> RealSide:
    return real(request.param, request)


def content(store: ObjectStore, key: str, start: int = 0) -> bytes:
    with store.read(key, start) as reading:
        return b"".join(iter(lambda: reading.read(1 << 20), b""))


def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [entry.key for entry in store.list(prefix)]


def upload(store: ObjectStore, key: str, *parts: bytes) -> None:
    under_way = store.upload(key)
    for number, part in enumerate(parts, start=1):
        under_way.part(number, part)
    under_way.complete()


@pytest.mark.parametrize("size", [0, 1, 70_000, 3 * MIN_PART_BYTES + 7])
def test_what_was_put_is_read(store: ObjectStore, size: int) -> None:
    data = (PART * 4)[:size]
    store.put("an/object", data)
    assert content(store, "an/object") == data
    assert store.size("an/object") == size


def test_a_second_put_replaces_the_first(store: ObjectStore) -> None:
    store.put("key", b"a longer first one")
    store.put("key", b"second")
    assert content(store, "key") == b"second"


@pytest.mark.parametrize(
    ("start", "rest"),
    [
        pytest.param(0, b"0123456789", id="beginning"),
        pytest.param(4, b"456789", id="middle"),
        pytest.param(9, b"9", id="last-byte"),
        pytest.param(10, b"", id="end"),
        pytest.param(99, b"", id="past-the-end"),
    ],
)
def test_an_object_is_read_from_any_byte_on(store: ObjectStore, start: int, rest: bytes) -> None:
    store.put("digits", b"0123456789")
    assert content(store, "digits", start) == rest
    with store.read("digits", start) as reading:
        assert reading.size == 10


def test_a_reading_may_be_closed_before_its_end(store: ObjectStore) -> None:
    store.put("big", PART)
    for _ in range(20):
        with store.read("big") as reading:
            assert reading.read(10) == PART[:10]


def test_any_key_a_backup_could_have_is_kept_as_it_is(store: ObjectStore) -> None:
    for key in KEYS:
        store.put(key, key.encode())
    assert keys(store) == sorted(KEYS, key=str.encode)
    for key in KEYS:
        assert keys(store, key) == [key]
        assert content(store, key) == key.encode()
    store.delete(KEYS)
    assert keys(store) == []


def test_a_listing_says_size_and_time(store: ObjectStore) -> None:
    store.put("key", b"data")
    (entry,) = store.list("")
    assert entry == StoredObject("key", 4, entry.modified)
    assert abs(entry.modified - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_prefix_is_text_and_no_folder(store: ObjectStore) -> None:
    for key in ("ns/nightly/once/a", "ns/nightly/once-2/b", "ns/night", "other/c"):
        store.put(key, b"")
    assert keys(store, "ns/nightly/once") == ["ns/nightly/once-2/b", "ns/nightly/once/a"]
    assert keys(store, "ns/nightly/once/") == ["ns/nightly/once/a"]
    assert keys(store, "nowhere/") == []


def test_more_than_a_page_is_listed_in_order_and_deleted(store: ObjectStore) -> None:
    wanted = [f"many/{number:04}" for number in range(1005)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: store.put(key, b"x"), wanted))
    store.put("other", b"")
    assert keys(store, "many/") == wanted
    store.delete(wanted)
    assert keys(store) == ["other"]


def test_deleting_what_is_not_there_is_no_error(store: ObjectStore) -> None:
    store.put("kept", b"")
    store.delete(["never/was", "never/was"])
    store.delete([])
    assert keys(store) == ["kept"]


def test_a_missing_object_is_named(store: ObjectStore) -> None:
    for ask in (store.size, store.read):
        with pytest.raises(NoSuchObject, match="not/there") as raised:
            ask("not/there")
        assert store.name in str(raised.value)
        assert raised.value.is_final


def test_parts_become_one_object_in_the_order_of_their_numbers(store: ObjectStore) -> None:
    under_way = store.upload("of/parts")
    with ThreadPoolExecutor(3) as threads:
        sent = [(1, PART), (3, b"the tail"), (2, PART[::-1])]
        list(threads.map(lambda part: under_way.part(*part), sent))
    assert keys(store) == [], "it is not there before it is complete"
    under_way.complete()
    assert content(store, "of/parts") == PART + PART[::-1] + b"the tail"


def test_a_part_may_be_sent_again(store: ObjectStore) -> None:
    under_way = store.upload("again")
    under_way.part(1, PART)
    under_way.part(1, PART)
    under_way.complete()
    assert content(store, "again") == PART


@pytest.mark.parametrize("only", [b"", b"short"])
def test_an_upload_may_have_one_short_part(store: ObjectStore, only: bytes) -> None:
    upload(store, "short", only)
    assert content(store, "short") == only


def test_an_aborted_upload_leaves_the_object_that_was_there(store: ObjectStore) -> None:
    store.put("key", b"old")
    under_way = store.upload("key")
    under_way.part(1, PART)
    under_way.abort()
    under_way.abort()
    assert content(store, "key") == b"old"
    with pytest.raises(UploadGone, match="key"):
        under_way.part(2, b"late")
    with pytest.raises(UploadGone):
        under_way.complete()


def test_abandoned_uploads_are_found_by_prefix_and_aborted(store: ObjectStore) -> None:
    mine, other = store.upload("mine/x"), store.upload("other/x")
    mine.part(1, b"part")
    soon = datetime.now(UTC) + FAR
    (found,) = store.abandoned_uploads("mine/", soon)
    assert found.key == "mine/x"
    store.abort(found)
    store.abort(found)
    assert [each.key for each in store.abandoned_uploads("", soon)] == ["other/x"]
    other.part(1, b"still under way")
    other.complete()
    assert list(store.abandoned_uploads("", soon)) == []


def test_a_bucket_that_never_had_an_upload_has_none_abandoned(store: ObjectStore) -> None:
    assert list(store.abandoned_uploads("mine/", datetime.now(UTC) + FAR)) == []


def test_an_upload_is_as_old_as_its_newest_part(store: ObjectStore) -> None:
    under_way = store.upload("slow")
    (begun,) = store.abandoned_uploads("", datetime.now(UTC) + FAR)
    assert list(store.abandoned_uploads("", begun.changed)) == []

    def changed() -> datetime | None:
        under_way.part(1, b"part")
        (found,) = store.abandoned_uploads("", datetime.now(UTC) + FAR)
        return found.changed if found.changed > begun.changed else None

    newest = until(changed, "a part makes an upload younger")
    assert list(store.abandoned_uploads("", newest)) == []
    assert len(list(store.abandoned_uploads("", newest + timedelta(seconds=1)))) == 1


def test_a_bucket_is_made_only_where_there_is_none(store: ObjectStore) -> None:
    store.put("kept", b"")
    store.create_bucket()
    assert keys(store) == ["kept"]


def outcomes(store: ObjectStore) -> list[type[StoreError]]:
    """Return what each kind of request raises."""
    asks: list[Callable[[], object]] = [
        lambda: store.put("key", b"data"),
        lambda: list(store.list("")),
        lambda: store.size("key"),
        lambda: store.read("key"),
        lambda: store.upload("key"),
        lambda: store.delete(["key"]),
        lambda: list(store.abandoned_uploads("", datetime.now(UTC))),
    ]
    raised = []
    for ask in asks:
        with pytest.raises(StoreError) as failure:
            ask()
        assert store.name in str(failure.value)
        assert ACCESS_AND_SECRET.isdisjoint(str(failure.value).split())
        assert failure.value.is_final
        raised.append(failure.type)
    return raised


ACCESS_AND_SECRET = {"AKcontract", "SKcontract", "AKwrong", "SKwrong"}


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        pytest.param({"ACCESS_KEY": "AKwrong"}, InvalidCredentials, "accessKeySecret", id="key"),
        pytest.param({"SECRET_KEY": "SKwrong"}, InvalidCredentials, "secretKeySecret", id="secret"),
        pytest.param({"BUCKET": "no-such-bucket"}, NoSuchBucket, "create it", id="bucket"),
    ],
)
def test_every_request_says_which_setting_is_wrong(
    real_side: RealSide, changes: dict[str, str], error: type[StoreError], words: str
) -> None:
    real_side.store(CREATE_BUCKET="true").put("key", b"data")
    wrong = real_side.store(**changes)
    assert set(outcomes(wrong)) == {error}
    with pytest.raises(error, match=words):
        wrong.size("key")


def test_the_twin_says_as_well_that_there_is_no_bucket() -> None:
    twin = MemoryObjectStore(has_bucket=False)
    assert set(outcomes(twin)) == {NoSuchBucket}
    twin.create_bucket()
    twin.put("key", b"data")
    assert twin.size("key") == 4


def test_the_oss_stand_in_wants_its_own_region_in_version_4(oss: Server) -> None:
    side = RealSide(Server(oss.kind, oss.port, "elsewhere"))
    with pytest.raises(StoreError, match="region"):
        side.store().put("key", b"data")


def test_what_surrounds_the_program_changes_nothing(
    real_side: RealSide, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password else\n")
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\nregion = nowhere-1\n")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "missing.pem"))
    monkeypatch.setenv("AWS_PROFILE", "missing")
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_supported")
    monkeypatch.setenv("HOME", str(tmp_path))
    store = real_side.store(CREATE_BUCKET="true")
    store.put("key", b"data")
    assert content(store, "key") == b"data"
