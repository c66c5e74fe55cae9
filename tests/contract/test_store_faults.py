"""What becomes of an object when something goes wrong between a program and its store.

Each time either all is well after another try, or the right error is raised: there is never half
an object that is taken for a whole one.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha256
from pathlib import Path

import pytest

from functions.adapters.stores.bucket import BucketStore
from functions.adapters.stores.errors import (
    ClockSkew,
    ConnectionCut,
    DamagedOnTheWay,
    NotAllowed,
    ObjectChanged,
    RequestRefused,
    StoreError,
    StoreFailing,
    StoreFull,
    Throttled,
    Unreachable,
    Untrusted,
    UploadGone,
)
from functions.adapters.stores.patience import Patience
from functions.adapters.stores.port import MIN_PART_BYTES, Reading
from local.control_plane.keys import make_keys
from tests.contract.mishaps import (
    BLOCK,
    Answer,
    CutAnswer,
    CutSent,
    Flip,
    LoseAnswer,
    Mishap,
    Proxy,
    Slow,
    StallAnswer,
    StallSent,
)
from tests.contract.processes import free_ports
from tests.contract.store_servers import (
    PATIENCE,
    RealSide,
    Server,
    oss_server,
    s3_server,
)

pytestmark = pytest.mark.contract

PARTS = [bytes([letter]) * MIN_PART_BYTES for letter in b"ab"] + [b"the tail"]
WHOLE = b"".join(PARTS)
ALWAYS = 1000
HALF = MIN_PART_BYTES // 2


@dataclass(frozen=True)
class Line:
    """A store reached through the proxy, and the same bucket reached directly."""

    store: BucketStore
    direct: BucketStore
    proxy: Proxy

    def put(self, *, parts: bool) -> None:
        """Write the object `key`, at once or in parts sent at the same time."""
        if not parts:
            self.store.put("key", WHOLE)
            return
        upload = self.store.upload("key")
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(upload.part, [1, 2, 3], PARTS))
        upload.complete()

    def keys(self) -> list[str]:
        return [entry.key for entry in self.direct.list("")]


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    folder = tmp_path_factory.mktemp("stores")
    with s3_server(folder / "s3") as s3, oss_server(folder / "oss") as oss:
        yield {"s3": s3, "oss": oss}


@pytest.fixture(params=["s3", "oss"])
def side(request: pytest.FixtureRequest, servers: dict[str, Server]) -> RealSide:
    return RealSide(servers[request.param])


@pytest.fixture
def line(side: RealSide) -> Iterator[Line]:
    with connected(side) as line:
        yield line


@contextmanager
def connected(side: RealSide) -> Iterator[Line]:
    """Make the bucket, and stand between it and a program."""
    with Proxy(side.server.port) as proxy:
        direct = side.store(CREATE_BUCKET="true")
        store = side.store(ENDPOINT=f"http://127.0.0.1:{proxy.port}")
        yield Line(store, direct, proxy)


def content(store: BucketStore, key: str = "key") -> bytes:
    with store.read(key) as reading:
        return rest(reading)


def rest(reading: Reading) -> bytes:
    return b"".join(iter(lambda: reading.read(1 << 20), b""))


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("after", [0, HALF], ids=["at-its-start", "in-the-middle"])
def test_a_part_that_is_cut_is_sent_again(line: Line, number: int, after: int) -> None:
    line.proxy.plan("PUT", f"partNumber={number}", CutSent(min(after, len(PARTS[number - 1]) - 1)))
    line.put(parts=True)
    assert content(line.direct) == WHOLE
    assert line.proxy.asked("PUT", f"partNumber={number}") == 2


@pytest.mark.parametrize(
    ("parts", "method", "text", "mishap"),
    [
        pytest.param(False, "PUT", "key", CutSent(HALF), id="put-cut"),
        pytest.param(False, "PUT", "key", LoseAnswer(), id="put-answer-lost"),
        pytest.param(False, "PUT", "key", StallSent(HALF), id="put-stalled"),
        pytest.param(True, "POST", "uploads", LoseAnswer(), id="begin-answer-lost"),
        pytest.param(True, "PUT", "partNumber=2", LoseAnswer(), id="part-answer-lost"),
        pytest.param(True, "PUT", "partNumber=2", StallAnswer(-1), id="part-answer-stalled"),
        pytest.param(True, "PUT", "partNumber=2", Answer(503, "SlowDown"), id="part-throttled"),
        pytest.param(True, "PUT", "partNumber=2", Answer(429, ""), id="part-too-many"),
        pytest.param(True, "PUT", "partNumber=2", Answer(500, "InternalError"), id="part-failed"),
        pytest.param(True, "PUT", "partNumber=2", Answer(400, "BadDigest"), id="part-damaged"),
        pytest.param(True, "POST", "uploadId", CutSent(20), id="complete-cut"),
        pytest.param(True, "POST", "uploadId", LoseAnswer(), id="complete-answer-lost"),
        pytest.param(True, "HEAD", "key", LoseAnswer(), id="size-answer-lost"),
    ],
)
def test_a_write_that_met_one_mishap_is_whole(
    line: Line, parts: bool, method: str, text: str, mishap: Mishap
) -> None:
    line.proxy.plan(method, text, mishap)
    line.put(parts=parts)
    assert content(line.direct) == WHOLE
    assert line.proxy.asked(method, text) >= 2, "the mishap was met"


@pytest.mark.parametrize(
    ("parts", "method", "text", "mishap", "error"),
    [
        pytest.param(False, "PUT", "key", CutSent(HALF), ConnectionCut, id="put-cut"),
        pytest.param(True, "PUT", "partNumber=2", CutSent(HALF), ConnectionCut, id="part-cut"),
        pytest.param(True, "POST", "uploadId", CutSent(20), ConnectionCut, id="complete-cut"),
        pytest.param(
            True, "PUT", "partNumber=3", Answer(503, "SlowDown"), Throttled, id="throttled"
        ),
        pytest.param(True, "PUT", "partNumber=3", Answer(503, ""), StoreFailing, id="failing"),
        pytest.param(
            True, "PUT", "partNumber=3", Answer(400, "BadDigest"), DamagedOnTheWay, id="damaged"
        ),
    ],
)
def test_a_mishap_that_goes_on_is_told_and_leaves_nothing(
    line: Line, parts: bool, method: str, text: str, mishap: Mishap, error: type[StoreError]
) -> None:
    line.proxy.plan(method, text, mishap, times=ALWAYS)
    with pytest.raises(error, match="key") as raised:
        line.put(parts=parts)
    assert not raised.value.is_final
    assert line.proxy.asked(method, text) == PATIENCE.tries
    assert line.keys() == []


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        pytest.param(Answer(507, ""), StoreFull, "make room", id="full-by-status"),
        pytest.param(Answer(507, "InsufficientStorage"), StoreFull, "make room", id="full"),
        pytest.param(Answer(403, "QuotaExceeded"), StoreFull, "quota", id="quota"),
        pytest.param(Answer(403, "AccessDenied"), NotAllowed, "allow it", id="not-allowed"),
        pytest.param(Answer(403, "RequestTimeTooSkewed"), ClockSkew, "clock", id="clock-skew"),
        pytest.param(Answer(400, "InvalidArgument"), RequestRefused, "so it is", id="refused"),
        pytest.param(
            Answer(302, "", "Location: http://127.0.0.1:1/\r\n"),
            RequestRefused,
            "302",
            id="redirect",
        ),
    ],
)
def test_what_does_not_pass_is_told_at_once(
    line: Line, answer: Answer, error: type[StoreError], words: str
) -> None:
    line.proxy.plan("PUT", "key", answer, times=ALWAYS)
    with pytest.raises(error, match=words) as raised:
        line.store.put("key", WHOLE)
    assert line.direct.name.partition(" at ")[0] in str(raised.value) or error is ClockSkew
    assert raised.value.is_final
    assert line.proxy.asked("PUT", "key") == 1
    assert line.keys() == []


def test_an_upload_aborted_by_somebody_else_is_for_a_new_run(line: Line) -> None:
    upload = line.store.upload("key")
    upload.part(1, b"data")
    (abandoned,) = line.direct.abandoned_uploads("", datetime.now(UTC) + timedelta(days=1))
    line.direct.abort(abandoned)
    asks: list[Callable[[], object]] = [lambda: upload.part(1, b"data"), upload.complete]
    for ask in asks:
        with pytest.raises(UploadGone, match="key") as raised:
            ask()
        assert not raised.value.is_final
    assert line.keys() == []


def test_an_object_of_another_size_is_not_taken_for_the_one_sent(line: Line) -> None:
    """The answer to `complete` is lost, and what is there then is not what was sent."""
    upload = line.store.upload("key")
    upload.part(1, b"data")
    line.direct.put("key", b"something else")
    line.proxy.plan("POST", "uploadId", Answer(500, "InternalError"))
    line.proxy.plan("POST", "uploadId", Answer(404, "NoSuchUpload"))
    with pytest.raises(ObjectChanged, match="14 bytes where 4"):
        upload.complete()


@pytest.mark.soak
def test_a_slow_store_has_time_for_a_part_as_long_as_it_takes_some_of_it(side: RealSide) -> None:
    with connected(replace(side, patience=Patience(connect_seconds=1.0, tries=2))) as line:
        line.proxy.plan("PUT", "key", Slow(3.0 / (MIN_PART_BYTES // BLOCK)))
        line.store.put("key", PARTS[0])
        assert content(line.direct) == PARTS[0]
        assert line.proxy.asked("PUT", "key") == 1


@pytest.mark.parametrize(
    "mishaps",
    [
        pytest.param([CutAnswer(0)], id="at-its-start"),
        pytest.param([CutAnswer(1)], id="after-a-byte"),
        pytest.param([CutAnswer(HALF)], id="in-the-middle"),
        pytest.param([CutAnswer(len(WHOLE) - 1)], id="before-the-last-byte"),
        pytest.param([CutAnswer(2 << 20)] * 4, id="again-and-again"),
        pytest.param([LoseAnswer(), CutAnswer(HALF), LoseAnswer()], id="lost-and-cut"),
        pytest.param([StallAnswer(HALF)], id="stalled"),
        pytest.param([Answer(503, "SlowDown"), CutAnswer(HALF)], id="throttled-and-cut"),
    ],
)
def test_a_cut_download_goes_on_where_it_was_cut(line: Line, mishaps: list[Mishap]) -> None:
    line.direct.put("key", WHOLE)
    for mishap in mishaps:
        line.proxy.plan("GET", "key", mishap)
    assert content(line.store) == WHOLE
    assert line.proxy.asked("GET", "key") == 1 + len(mishaps)


def test_a_download_that_is_always_cut_is_told(line: Line) -> None:
    line.direct.put("key", WHOLE)
    line.proxy.plan("GET", "key", CutAnswer(0), times=ALWAYS)
    with pytest.raises(ConnectionCut, match="key"):
        content(line.store)
    assert line.proxy.asked("GET", "key") == PATIENCE.tries


@pytest.mark.soak
def test_a_store_that_always_stalls_is_told(side: RealSide, line: Line) -> None:
    line.direct.put("key", WHOLE)
    line.proxy.plan("GET", "key", StallAnswer(100), times=ALWAYS)
    line.proxy.plan("PUT", "key", StallSent(HALF), times=ALWAYS)
    hasty = replace(side, patience=Patience(0.5, 0.5, tries=2, wait_seconds=0.02))
    store = hasty.store(ENDPOINT=f"http://127.0.0.1:{line.proxy.port}")
    asks: list[Callable[[], object]] = [
        lambda: content(store),
        lambda: store.put("key", b"new" * HALF),
    ]
    for ask in asks:
        with pytest.raises(Unreachable, match=r"key.* in time") as raised:
            ask()
        assert not raised.value.is_final
    assert content(line.direct) == WHOLE


def test_a_download_does_not_go_on_with_another_object(line: Line) -> None:
    line.direct.put("key", WHOLE)
    line.proxy.plan("GET", "key", CutAnswer(HALF))
    with line.store.read("key") as reading:
        assert reading.read(10) == WHOLE[:10]
        line.direct.put("key", WHOLE[::-1])
        with pytest.raises(ObjectChanged, match="key") as raised:
            rest(reading)
    assert not raised.value.is_final


def test_a_range_that_is_ignored_is_noticed(line: Line) -> None:
    line.direct.put("key", b"0123456789")
    whole = Answer(200, "")
    line.proxy.plan("GET", "key", whole, times=ALWAYS)
    with pytest.raises(RequestRefused, match="ranges"):
        line.store.read("key", 4)


@pytest.mark.parametrize("mishap", [LoseAnswer(), CutAnswer(100), Answer(503, "SlowDown")])
def test_a_listing_and_a_deletion_are_asked_again(line: Line, mishap: Mishap) -> None:
    for key in ("a", "b"):
        line.direct.put(key, b"")
    line.proxy.plan("GET", "prefix", mishap)
    assert [entry.key for entry in line.store.list("")] == ["a", "b"]
    for method in ("DELETE", "POST"):
        line.proxy.plan(method, "", LoseAnswer())
    line.store.delete(["a", "b"])
    assert line.keys() == []


def test_uploads_carry_their_sum_and_no_trailers(line: Line) -> None:
    """Trailers and checksums of Amazon's own are what other servers refuse."""
    line.put(parts=True)
    line.store.put("last-key", b"data")
    heads = [head.lower() for head in line.proxy.heads]
    sent = [head for head in heads if head.startswith("put ") and "key" in head]
    assert len(sent) == 4
    assert all("content-md5: " in head or "x-amz-content-sha256: " in head for head in sent)
    assert base64.b64encode(md5(b"data").digest()).decode().lower() in sent[-1] or (
        sha256(b"data").hexdigest() in sent[-1]
    )
    assert not any("x-amz-checksum" in head or "aws-chunked" in head for head in heads)
    assert not any("transfer-encoding" in head for head in heads)


@pytest.mark.parametrize("parts", [False, True], ids=["put", "part"])
def test_a_bit_that_flips_on_the_way_is_sent_again(servers: dict[str, Server], parts: bool) -> None:
    """S3 compares the sum as well; rclone does not, so that only OSS shows it here."""
    with connected(RealSide(servers["oss"])) as line:
        which = "partNumber=1" if parts else "key"
        line.proxy.plan("PUT", which, Flip(HALF))
        line.put(parts=parts)
        assert content(line.direct) == WHOLE
        assert line.proxy.asked("PUT", which) == 2


def test_the_authority_of_an_endpoint_can_be_given(
    side: RealSide, tmp_path: Path, line: Line
) -> None:
    make_keys(tmp_path, ["localhost"], ["127.0.0.1"])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "api-server.crt", tmp_path / "api-server.key")
    with Proxy(side.server.port, tls) as proxy:
        endpoint = f"https://127.0.0.1:{proxy.port}"
        store = side.store(ENDPOINT=endpoint, CA_FILE=str(tmp_path / "ca.crt"))
        store.put("key", WHOLE)
        assert content(line.direct) == WHOLE
        assert content(store) == WHOLE
        with pytest.raises(Untrusted, match="caSecret") as raised:
            side.store(ENDPOINT=endpoint).size("key")
        assert raised.value.is_final


def _nobody() -> str:
    return f"http://127.0.0.1:{free_ports(1)[0]}"


@pytest.mark.parametrize(
    ("endpoint", "error", "words"),
    [
        pytest.param(_nobody, Unreachable, "Nobody listens", id="refused"),
        pytest.param(lambda: "http://no.such.invalid", Unreachable, "not resolve", id="no-name"),
    ],
)
def test_an_endpoint_that_is_not_there_is_told(
    side: RealSide, endpoint: Callable[[], str], error: type[StoreError], words: str
) -> None:
    address = endpoint()
    store = side.store(ENDPOINT=address)
    for ask in (lambda: store.put("key", b""), lambda: store.read("key"), store.create_bucket):
        with pytest.raises(error, match=words) as raised:
            ask()
        assert address in str(raised.value)
        assert not raised.value.is_final


@pytest.mark.parametrize(
    ("path_style", "host"),
    [
        pytest.param("true", "'no.such.invalid'", id="path"),
        pytest.param("false", "'{bucket}.no", id="host"),
    ],
)
def test_the_bucket_is_in_the_path_or_in_the_host_name(
    side: RealSide, path_style: str, host: str
) -> None:
    store = side.store(ENDPOINT="http://no.such.invalid", PATH_STYLE=path_style)
    with pytest.raises(Unreachable, match="pathStyle") as raised:
        store.size("key")
    assert host.format(bucket=side.bucket) in str(raised.value)


def test_plain_http_is_not_taken_for_tls(side: RealSide) -> None:
    store = side.store(ENDPOINT=f"https://127.0.0.1:{side.server.port}")
    with pytest.raises(Untrusted, match="http://"):
        store.size("key")


@pytest.mark.parametrize("region", ["laptop", ""], ids=["version-4", "version-1"])
def test_a_clock_that_is_wrong_is_told(tmp_path: Path, region: str) -> None:
    with oss_server(tmp_path, ahead=3600) as server:
        store = RealSide(server).store(REGION=region)
        for ask in (lambda: store.put("key", b""), lambda: store.size("key")):
            with pytest.raises(ClockSkew, match="clock"):
                ask()


def test_an_error_inside_a_good_answer_is_no_success(servers: dict[str, Server]) -> None:
    """S3 may answer `complete` with 200 before it knows that it fails."""
    with connected(RealSide(servers["s3"])) as line:
        line.proxy.plan("POST", "uploadId", Answer(200, "InternalError"))
        line.put(parts=True)
        assert content(line.direct) == WHOLE
        assert line.proxy.asked("POST", "uploadId") == 2
