"""The REST client against answers no well-behaved API server gives on request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import urllib3

from functions.adapters.kubernetes.api import KubernetesApi
from functions.adapters.kubernetes.rest import Rest
from functions.api.errors import EvictionBlocked, FieldConflict, Refused, Unavailable
from functions.api.kinds import CONFIG_MAP, POD, Ref

IT = Ref(CONFIG_MAP, "here", "it")
MANIFEST = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "it", "namespace": "here"},
}


@dataclass
class Token:
    """Credentials that are renewed from `next` tokens."""

    value: str = "first"
    next: list[str] = field(default_factory=list)

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.value}"}

    def renew(self) -> None:
        if self.next:
            self.value = self.next.pop(0)


@dataclass
class Server:
    """Answers with what a test put into `answers`, and remembers the requests."""

    url: str
    answers: list[Any]
    requests: list[tuple[str, str, str]]

    def api(self, credentials: Token | None = None, timeout: float = 5.0) -> KubernetesApi:
        pool = urllib3.PoolManager()
        self.pools.append(pool)
        return KubernetesApi(
            Rest(pool, self.url, credentials=credentials or Token(), timeout=timeout)
        )

    pools: list[urllib3.PoolManager] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    answers: list[Any] = []
    requests: list[tuple[str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            requests.append((self.command, self.path, self.headers.get("Authorization", "")))
            code, body = answers.pop(0)
            if callable(body):
                body()
                self.close_connection = True
                return
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    server = Server(f"http://127.0.0.1:{http.server_address[1]}", answers, requests)
    yield server
    for pool in server.pools:
        pool.clear()
    http.shutdown()
    thread.join()
    http.server_close()


def page(*names: str, more: str = "") -> dict[str, Any]:
    items = [{"metadata": {"name": name}} for name in names]
    return {"metadata": {"continue": more} if more else {}, "items": items}


def status(message: str, **more: Any) -> dict[str, Any]:
    return {"kind": "Status", "message": message, **more}


def names(found: list[dict[str, Any]]) -> list[str]:
    return [item["metadata"]["name"] for item in found]


def test_a_list_is_read_page_by_page(server: Server) -> None:
    server.answers += [(200, page("a", "b", more="x y")), (200, page("c"))]
    found = server.api().list(CONFIG_MAP, "here", {"app": "zoo"})
    assert names(found) == ["a", "b", "c"]
    assert all((item["kind"], item["apiVersion"]) == ("ConfigMap", "v1") for item in found)
    assert [path for _, path, _ in server.requests] == [
        "/api/v1/namespaces/here/configmaps?limit=100&labelSelector=app%3Dzoo",
        "/api/v1/namespaces/here/configmaps?limit=100&labelSelector=app%3Dzoo&continue=x+y",
    ]


def test_a_list_that_expires_between_its_pages_is_read_anew(server: Server) -> None:
    expired = (410, status("too old"))
    server.answers += [(200, page("a", more="x")), expired, (200, page("b")), *[expired] * 3]
    assert names(server.api().list(CONFIG_MAP, None)) == ["b"]
    with pytest.raises(Unavailable, match="expired 3 times"):
        server.api().list(CONFIG_MAP, None)


def test_a_token_that_is_not_accepted_is_renewed_once(server: Server) -> None:
    server.answers += [(401, status("no")), (200, MANIFEST), *[(401, status("no"))] * 2]
    assert server.api(Token(next=["second"])).get(IT) == MANIFEST
    assert [token for _, _, token in server.requests] == ["Bearer first", "Bearer second"]
    with pytest.raises(Unavailable, match="does not accept the token"):
        server.api().get(IT)


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_unavailable(server: Server, code: int) -> None:
    server.answers.append((code, status("not now")))
    with pytest.raises(Unavailable, match="not now"):
        server.api().apply(MANIFEST, manager="one")
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", [400, 403, 405, 413, 415, 422])
def test_what_will_not_pass_is_refused(server: Server, code: int) -> None:
    server.answers.append((code, status("never")))
    with pytest.raises(Refused, match="never"):
        server.api().apply(MANIFEST, manager="one")


def test_a_denial_by_the_authorizer_may_pass_and_one_by_admission_will_not(server: Server) -> None:
    denied = 'pods is forbidden: User "observe" cannot list resource "pods": RBAC: [...]'
    ending = 'events "it" is forbidden: unable to create new content in namespace "one"'
    server.answers += [(403, status(denied)), (403, status(ending))]
    with pytest.raises(Unavailable, match="cannot list"):
        server.api().apply(MANIFEST, manager="one")
    with pytest.raises(Refused, match="unable to create"):
        server.api().apply(MANIFEST, manager="one")


def test_a_schema_without_the_field_is_refused_although_it_comes_as_500(server: Server) -> None:
    server.answers.append((500, status("failed: .spec.x: field not declared in schema")))
    with pytest.raises(Refused, match="field not declared"):
        server.api().apply(MANIFEST, manager="one")


def test_an_answer_that_is_no_json_is_unavailable(server: Server) -> None:
    server.answers += [(200, b"<html>"), (200, b"[" * 3), (502, b"bad gateway"), (503, b"")]
    for sentence in ("no JSON", "no JSON", "bad gateway", "HTTP 503"):
        with pytest.raises(Unavailable, match=sentence):
            server.api().get(IT)


def test_a_server_that_hangs_is_unavailable_in_time(server: Server) -> None:
    done = threading.Event()
    server.answers.append((200, done.wait))
    with pytest.raises(Unavailable, match="timed out"):
        server.api(timeout=0.2).get(IT)
    done.set()


def test_a_lost_answer_is_unavailable_and_nothing_is_sent_again(server: Server) -> None:
    server.answers.append((200, lambda: None))
    with pytest.raises(Unavailable, match="could not be reached"):
        server.api().delete(IT, uid="1")
    assert len(server.requests) == 1


def test_a_blocked_eviction_is_told_from_a_busy_server(server: Server) -> None:
    causes = {"causes": [{"reason": "DisruptionBudget", "message": "needs 2"}]}
    found = (200, {"metadata": {"name": "zoo-0", "uid": "1"}})
    server.answers += [
        found,
        (429, status("would violate", details=causes)),
        found,
        (429, status("too many requests")),
    ]
    pod = Ref(POD, "here", "zoo-0")
    with pytest.raises(EvictionBlocked):
        server.api().evict(pod, uid="1")
    with pytest.raises(Unavailable) as caught:
        server.api().evict(pod, uid="1")
    assert not isinstance(caught.value, EvictionBlocked)


def test_a_field_conflict_names_every_manager(server: Server) -> None:
    causes = [
        {"reason": "FieldManagerConflict", "message": message, "field": ".x"}
        for message in (
            'conflict with "kubectl-edit" using v1',
            r'conflict with "a \"b\"" with subresource "status" using v1 at 2026-01-01T00:00:00Z',
        )
    ]
    server.answers.append((409, status("2 conflicts", details={"causes": causes})))
    with pytest.raises(FieldConflict) as caught:
        server.api().apply(MANIFEST, manager="one")
    assert caught.value.managers == {"kubectl-edit", 'a "b"'}


def call_names() -> list[tuple[str, Callable[[KubernetesApi], Any]]]:
    return [
        ("get", lambda api: api.get(IT)),
        ("serves", lambda api: api.serves(CONFIG_MAP)),
        ("delete", lambda api: api.delete(IT, uid="1")),
        ("evict", lambda api: api.evict(IT, uid="1")),
    ]


@pytest.mark.parametrize(("name", "call"), call_names(), ids=[name for name, _ in call_names()])
def test_what_is_not_there_is_no_error_for(
    server: Server, name: str, call: Callable[[KubernetesApi], Any]
) -> None:
    server.answers.append((404, b"404 page not found"))
    assert not call(server.api()), name
