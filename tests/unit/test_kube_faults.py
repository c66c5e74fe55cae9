"""Answers that no API server would give, or none that is well, for every verb of the adapter.

Each is given byte by byte: what a load balancer says in its place, what is cut, slow, packed or
beside the point. None may be taken for a decision, and no write may be sent twice because of one.
"""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import urllib3

from functions.adapters.kubernetes.api import KubernetesApi
from functions.adapters.kubernetes.rest import LONGEST_PAUSE, MOST_SENDS, Rest
from functions.api.errors import Denied, Unavailable
from functions.api.kinds import CONFIG_MAP, POD, Ref
from tests.listener import Listener

IT = Ref(CONFIG_MAP, "here", "it")
ZOO = Ref(POD, "here", "zoo-0")
MANIFEST = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "it", "namespace": "here"},
}
HTML = b"<html><body>It is all right, really.</body></html>"
# Longer than any of this takes on a busy machine; only what drips in is given less.
PATIENT = 20.0
SECONDS = 0.5

Call = Callable[[KubernetesApi], Any]
CALLS: dict[str, Call] = {
    "get": lambda api: api.get(IT),
    "list": lambda api: api.list(CONFIG_MAP, "here"),
    "apply": lambda api: api.apply(MANIFEST, manager="one"),
    "apply-status": lambda api: api.apply(MANIFEST, manager="one", subresource="status"),
    "replace": lambda api: api.replace(MANIFEST, manager="one"),
    "create": lambda api: api.create(MANIFEST, manager="one"),
    "delete": lambda api: api.delete(IT, uid="1"),
    "evict": lambda api: api.evict(ZOO, uid="1"),
    "serves": lambda api: api.serves(CONFIG_MAP),
}


class NoToken:
    def headers(self) -> dict[str, str]:
        return {}

    def renew(self) -> None:
        """There is none."""


def answer(code: int, body: bytes, headers: str = "", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    # Said beforehand: the next request must not go into a connection that is about to be closed.
    head = f"HTTP/1.1 {code} It\r\nConnection: close\r\nContent-Length: {size}\r\n{headers}\r\n"
    return head.encode() + body


def status(code: int, message: str, headers: str = "", **more: Any) -> bytes:
    body = {"kind": "Status", "status": "Failure", "message": message, "code": code, **more}
    return answer(code, json.dumps(body).encode(), headers)


@dataclass
class Script:
    """A server that says what is planned, one answer for each connection; the last stays."""

    answers: list[Any] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    pools: list[urllib3.PoolManager] = field(default_factory=list)
    _listener: Listener = field(init=False)

    def says(self, *answers: Any, timeout: float = PATIENT) -> KubernetesApi:
        self.answers[:] = answers
        self.asked.clear()
        pool = urllib3.PoolManager()
        self.pools.append(pool)
        url = f"http://127.0.0.1:{self._listener.port}"
        return KubernetesApi(Rest(pool, url, credentials=NoToken(), timeout=timeout))

    def start(self) -> None:
        self._listener = Listener(self._serve)

    def close(self) -> None:
        for pool in self.pools:
            pool.clear()
        self._listener.close()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            head = client.recv(1 << 16).decode()
            self.asked.append(head.split(" ", 1)[0])
            said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if callable(said):
                said(client)
            else:
                client.sendall(said)
            client.shutdown(socket.SHUT_WR)


@pytest.fixture
def script() -> Iterator[Script]:
    made = Script()
    made.start()
    yield made
    made.close()


def drip(client: socket.socket) -> None:
    """Send a body so slowly that no single read ever takes too long."""
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    until = time.monotonic() + 40 * SECONDS
    while time.monotonic() < until:
        client.sendall(b" ")
        time.sleep(SECONDS / 10)


def chunked(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{")


BROKEN: dict[str, Any] = {
    "html-200": answer(200, HTML),
    "html-403": answer(403, HTML),
    "html-404": answer(404, HTML),
    "html-409": answer(409, HTML),
    "html-413": answer(413, HTML),
    "html-422": answer(422, HTML),
    "html-502": answer(502, HTML),
    "json-that-is-no-status-404": answer(404, b'{"message": "no route"}'),
    "redirected": answer(302, b"", "Location: http://127.0.0.1:1/login\r\n"),
    "a-list-of-nothing": answer(200, b"[]"),
    "null": answer(200, b"null"),
    "too-deep": answer(200, b"[" * 100_000),
    "no-text": answer(200, b"\xff\xfe\x00"),
    "cut-in-the-body": answer(200, b'{"metadata": {', length=4000),
    "cut-in-the-head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "cut-in-a-chunk": chunked,
    "closed-at-once": b"",
    "no-http": b"SSH-2.0-OpenSSH_9.2\r\n",
    "dripping": drip,
    "broken-gzip": answer(200, b"\x1f\x8b\x08\x00nonsense", "Content-Encoding: gzip\r\n"),
    "500-with-a-status": status(500, "etcdserver: request timed out", reason="InternalError"),
    "503-with-a-status": status(503, "the server is shutting down"),
    "504-with-a-status": status(504, "request did not complete", reason="Timeout"),
    "webhook-away": status(500, 'failed calling webhook "a.b.c": connection refused'),
}


# Every verb reads its answer in the same place; what only some may believe is tried with each.
TELLING = ("html-200", "html-403", "html-404", "cut-in-the-body", "closed-at-once", "webhook-away")


@pytest.mark.parametrize(
    ("call", "broken"),
    [
        pytest.param(call, broken, id=f"{call}-{broken}")
        for call in CALLS
        for broken in (BROKEN if call in ("get", "apply") else TELLING)
        if broken != "dripping"
    ],
)
def test_what_no_api_server_decided_is_unavailable_and_sent_once(
    script: Script, call: str, broken: str
) -> None:
    api = script.says(BROKEN[broken])
    with pytest.raises(Unavailable):
        CALLS[call](api)
    assert len(script.asked) == 1


@pytest.mark.parametrize("call", ["get", "list", "apply"])
def test_an_answer_that_drips_in_ends_in_time(script: Script, call: str) -> None:
    api = script.says(drip, timeout=SECONDS)
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="timed out"):
        CALLS[call](api)
    assert time.monotonic() - begun < 15 * SECONDS


@pytest.mark.parametrize(
    ("call", "said"),
    [
        pytest.param("get", {"metadata": {"name": "other"}}, id="get-another"),
        pytest.param("get", {"kind": "Status", "metadata": {}}, id="get-a-status"),
        pytest.param("apply", {}, id="apply-nothing"),
        pytest.param("list", {"items": []}, id="list-without-metadata"),
        pytest.param("list", {"metadata": {}, "items": {}}, id="list-of-no-list"),
    ],
)
def test_an_object_that_was_not_asked_for_is_unavailable(
    script: Script, call: str, said: dict[str, Any]
) -> None:
    with pytest.raises(Unavailable, match=r"is no list|not of that object"):
        CALLS[call](script.says(answer(200, json.dumps(said).encode())))


def test_a_packed_answer_is_read(script: Script) -> None:
    packed = gzip.compress(json.dumps(MANIFEST).encode())
    assert script.says(answer(200, packed, "Content-Encoding: gzip\r\n")).get(IT) == MANIFEST


BUSY = status(429, "too many requests, please try again later", "Retry-After: 0\r\n")


@pytest.mark.parametrize("call", ["get", "apply", "create", "replace"])
def test_what_a_busy_server_put_off_is_sent_again(script: Script, call: str) -> None:
    api = script.says(BUSY, BUSY, answer(200, json.dumps(MANIFEST).encode()))
    assert CALLS[call](api) == MANIFEST
    assert len(script.asked) == 3


@pytest.mark.parametrize(
    ("said", "sends"),
    [
        pytest.param(BUSY, MOST_SENDS, id="always"),
        pytest.param(status(429, "busy", "Retry-After: 3600\r\n"), 1, id="for-an-hour"),
        pytest.param(status(429, "busy"), 1, id="for-no-time-named"),
        pytest.param(
            status(429, "busy", "Retry-After: Wed, 21 Oct 2099 07:28:00 GMT\r\n"), 1, id="a-date"
        ),
        pytest.param(status(429, "busy", "Retry-After: -1\r\n"), 1, id="before-now"),
        # It may have been done: only whoever looks again can tell.
        pytest.param(status(503, "busy", "Retry-After: 0\r\n"), 1, id="not-only-put-off"),
    ],
)
def test_a_server_that_stays_busy_is_left_to_the_next_delivery(
    script: Script, said: bytes, sends: int
) -> None:
    with pytest.raises(Unavailable, match=r"busy|too many"):
        CALLS["apply"](script.says(said))
    assert len(script.asked) == sends
    assert LONGEST_PAUSE * (MOST_SENDS - 1) < 10, "a delivery has other things to do, too"


DENIALS = {
    "policy-422": (422, "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no."),
    "policy-401": (401, "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no."),
    "policy-403": (
        403,
        "statefulsets.apps \"zk\" is forbidden: ValidatingAdmissionPolicy 'p' with binding "
        "'b' denied request: User \"x\" cannot do that",
    ),
    "webhook-403": (403, 'admission webhook "a.b.c" denied the request: no.'),
    "webhook-500": (500, 'admission webhook "a.b.c" denied the request: no\nat all.'),
    "webhook-409": (409, 'admission webhook "a.b.c" denied the request: no.'),
}


@pytest.mark.parametrize("name", DENIALS)
def test_what_the_cluster_does_not_allow_is_told_from_what_passes(
    script: Script, name: str
) -> None:
    code, message = DENIALS[name]
    with pytest.raises(Denied, match="denied"):
        CALLS["apply"](script.says(status(code, message)))
