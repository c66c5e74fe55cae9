"""What the eventing contract tests need: the eventing part as a process, and a recorder."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import urllib3

from tests.contract.api_server import ApiServer
from tests.contract.processes import free_ports, running, until

RECORDINGS = Path(__file__).parents[1] / "recordings"
REPOSITORY = Path(__file__).parents[2]
# What a name answers, as in the recorded run: status, headers, body, and how long it takes.
ANSWERS: Mapping[str, tuple[int, Mapping[str, str], bytes, float]] = {
    "/body": (200, {"Content-Type": "text/plain"}, b"OK", 0),
    "/json": (200, {"Content-Type": "application/json"}, b"{}", 0),
    "/empty": (200, {}, b"", 0),
    "/fail400": (400, {}, b"bad", 0),
    "/fail409": (409, {}, b"", 0),
    "/fail500": (500, {}, b"boom", 0),
    "/fail503": (503, {}, b"", 0),
    "/slow": (204, {}, b"", 1.0),
    "/reply": (
        200,
        {
            "Content-Type": "application/json",
            "ce-specversion": "1.0",
            "ce-id": "r1",
            "ce-source": "/rec",
            "ce-type": "rec.reply",
            "ce-name": "x",
        },
        b"{}",
        0,
    ),
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request a subscriber received, `t` in seconds."""

    t: float
    path: str
    headers: Mapping[str, str]
    body: str

    @property
    def name(self) -> str:
        return self.headers.get("ce-name", "")


@dataclass(slots=True)
class Recorder:
    """A subscriber under every path, which notes what it gets."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    answers: dict[str, tuple[int, Mapping[str, str], bytes, float]] = field(
        default_factory=lambda: dict(ANSWERS)
    )

    def to(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]


@contextmanager
def recorder() -> Iterator[Recorder]:
    """Serve a recorder on a free port of loopback."""
    found = Recorder()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.requests.append(Request(time.monotonic(), self.path, headers, body.decode()))
            status, answered, content, seconds = found.answers.get(self.path, (204, {}, b"", 0))
            time.sleep(seconds)
            self.send_response(status)
            for name, value in answered.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: pytest shows what matters."""

        def handle(self) -> None:
            try:
                super().handle()
            except (BrokenPipeError, ConnectionResetError):
                return  # the sender gave up waiting, as it should

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


def lines(name: str) -> list[dict[str, Any]]:
    """Return the lines of one recording."""
    return [json.loads(line) for line in (RECORDINGS / name).read_text().splitlines()]


@dataclass(frozen=True, slots=True)
class Eventing:
    """A running eventing part on loopback."""

    api: ApiServer
    ingress: str
    faults: str

    def broker(
        self, namespace: str, name: str, *, annotations: Mapping[str, str] | None = None
    ) -> str:
        """Create a Broker and return the address of its ingress once it takes events."""
        path = f"/apis/eventing.knative.dev/v1/namespaces/{namespace}/brokers"
        metadata = {"name": name, "namespace": namespace, "annotations": dict(annotations or {})}
        self.api.call("POST", path, manifest("eventing", "Broker", metadata, {}))
        until(lambda: all_ready(self.api, path), f"the Brokers of {namespace} are Ready")
        address = f"{self.ingress}/{namespace}/{name}"
        until(lambda: post(address, EVENT)[0] == 202, f"{address} takes events")
        return address

    def trigger(self, namespace: str, name: str, spec: Mapping[str, Any]) -> None:
        """Create a Trigger and wait until it is Ready."""
        path = f"/apis/eventing.knative.dev/v1/namespaces/{namespace}/triggers"
        metadata = {"name": name, "namespace": namespace}
        self.api.call("POST", path, manifest("eventing", "Trigger", metadata, spec))
        until(lambda: all_ready(self.api, path), f"the Triggers of {namespace} are Ready")


EVENT: Mapping[str, str] = {
    "Content-Type": "application/json",
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "/test",
    "ce-type": "test",
}


@contextmanager
def eventing(api: ApiServer, folder: Path) -> Iterator[Eventing]:
    """Run the eventing part as a process until the block ends."""
    ingress, faults, webhook = free_ports(3)
    command = [
        *(sys.executable, "-m", "local.eventing"),
        f"--kubeconfig={api.kubeconfig}",
        f"--state={folder}",
        "--host=127.0.0.1",
        f"--ingress-port={ingress}",
        f"--faults-port={faults}",
        f"--webhook-port={webhook}",
    ]
    log = folder / "eventing.log"
    with running(command, log, cwd=REPOSITORY):
        until(lambda: "following Brokers" in log.read_text(), f"eventing is up (see {log})")
        yield Eventing(api, f"http://127.0.0.1:{ingress}", f"http://127.0.0.1:{faults}/faults")


def manifest(
    group: str, kind: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]
) -> dict[str, Any]:
    """Return an object of one of Knative's v1 groups."""
    version = f"{group}.knative.dev/v1"
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": dict(spec)}


def allow_config_maps(api: ApiServer, namespace: str, account: str = "default") -> None:
    """Let a service account do what a source of ConfigMaps needs."""
    access = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account}
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    metadata = {"name": account}
    api.call("POST", f"{access}/roles", {"metadata": metadata, "rules": [rule]})
    binding = {"metadata": metadata, "roleRef": role, "subjects": [subject]}
    api.call("POST", f"{access}/rolebindings", binding)


def all_ready(api: ApiServer, path: str) -> bool:
    """Tell whether every object of a collection is Ready for its newest generation."""
    return all(_is_ready(item) for item in api.call("GET", path)["items"])


def _is_ready(item: Mapping[str, Any]) -> bool:
    status = item.get("status") or {}
    return status.get("observedGeneration") == item["metadata"]["generation"] and any(
        one["type"] == "Ready" and one["status"] == "True" for one in status["conditions"]
    )


def post(
    url: str, headers: Mapping[str, str], body: str = "{}", method: str = "POST"
) -> tuple[int, str]:
    """Send one request; return the status and the body of the answer."""
    with urllib3.PoolManager() as pool:
        answer = pool.request(
            method, url, body=body, headers=dict(headers), timeout=30, retries=False
        )
        return answer.status, answer.data.decode()
