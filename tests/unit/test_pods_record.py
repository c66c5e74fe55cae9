"""Reading a cluster's record inside a pod, from an HTTPS server of our own."""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from functions.api.errors import Refused, Unavailable
from functions.planning.preparation import RecordState
from functions.pods.record import parse_record, read_object


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers with the status the path ends with; 200 says who asked."""

    def do_GET(self) -> None:
        status = int(self.path.rpartition("/")[2])
        body = json.dumps({"token": self.headers["Authorization"]}).encode()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"no json" if self.path.startswith("/broken") else body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ServiceAccount's folder, and the server's own certificate in it."""
    folder = tmp_path_factory.mktemp("account")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "api")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / "token").write_text("the-token")
    return folder


@pytest.fixture(scope="module")
def environment(account: Path) -> Iterator[dict[str, str]]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(account / "ca.crt", account / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    port = str(server.server_address[1])
    yield {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port}
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_an_object_is_read_as_the_pods_own_account(
    environment: dict[str, str], account: Path
) -> None:
    assert read_object("/200", environment, account) == {"token": "Bearer the-token"}


def test_an_object_that_is_not_there_is_none(environment: dict[str, str], account: Path) -> None:
    assert read_object("/404", environment, account) is None


@pytest.mark.parametrize(
    ("path", "error", "told"),
    [
        ("/401", Refused, "refuses /401: 401"),
        ("/403", Refused, "refuses /403: 403"),
        ("/500", Unavailable, "answers 500"),
        ("/503", Unavailable, "answers 503"),
        ("/broken/200", Unavailable, "cannot be reached"),
    ],
)
def test_what_fails_is_told_apart(
    environment: dict[str, str], account: Path, path: str, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        read_object(path, environment, account)


def test_a_server_that_is_not_there_is_unavailable(account: Path) -> None:
    nowhere = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"}
    with pytest.raises(Unavailable, match="cannot be reached"):
        read_object("/200", nowhere, account)


@pytest.mark.parametrize("cluster", [None, {}, {"status": {}}, {"status": {"bootstrap": None}}])
def test_a_cluster_without_a_record_has_none(cluster: dict[str, object] | None) -> None:
    assert parse_record(cluster) is None


def test_the_member_list_wins_over_the_first_members() -> None:
    bootstrap = {"state": "completed", "members": [{"id": 1, "name": "zk-0"}]}
    members = [{"id": 1, "role": "observer"}, {"id": 2, "role": "participant"}]
    first = parse_record({"status": {"bootstrap": bootstrap}})
    later = parse_record({"status": {"bootstrap": bootstrap, "members": members}})
    assert first is not None
    assert later is not None
    assert (first.state, first.roles, first.volumes) == (
        RecordState.COMPLETED,
        {1: "participant"},
        {},
    )
    assert later.roles == {1: "observer", 2: "participant"}
