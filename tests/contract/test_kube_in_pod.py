"""How the functions reach the API server of the cluster they run in: by their service account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from functions.adapters.kubernetes import connect
from functions.adapters.kubernetes.in_pod import connect_in_pod
from functions.api.errors import Unavailable
from functions.api.kinds import CONFIG_MAP, Ref
from tests.contract.api_server import ApiServer

pytestmark = pytest.mark.contract

NOBODY = Ref(CONFIG_MAP, "default", "nobody")


@pytest.fixture
def account(tmp_path: Path, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder a kubelet mounts, and what it sets, for a pod under an administrator's account."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    address = urlsplit(api_server.url)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(address.hostname))
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(address.port))
    (tmp_path / "ca.crt").write_bytes(api_server.ca.read_bytes())
    (tmp_path / "token").write_text(f"{api_server.token}\n")
    return tmp_path


def test_a_pod_is_its_service_account(account: Path) -> None:
    assert connect_in_pod(5, account).get(NOBODY) is None


def test_a_renewed_token_is_used_from_the_next_call_on(
    account: Path, api_server: ApiServer
) -> None:
    kube = connect_in_pod(5, account)
    (account / "token").write_text("expired")
    with pytest.raises(Unavailable, match="does not accept the token"):
        kube.get(NOBODY)
    (account / "token").write_text(api_server.stranger)
    with pytest.raises(Unavailable, match='User "stranger" cannot get'):
        kube.get(NOBODY)
    (account / "token").write_text(api_server.token)
    assert kube.get(NOBODY) is None


def test_a_server_with_another_certificate_is_not_trusted(account: Path) -> None:
    (account / "ca.crt").write_bytes(_another_certificate())
    with pytest.raises(Unavailable, match="certificate verify failed"):
        connect_in_pod(5, account).get(NOBODY)


@pytest.mark.parametrize("file", ["ca.crt", "token"])
def test_a_missing_file_is_named_with_what_to_do(account: Path, file: str) -> None:
    (account / file).unlink()
    with pytest.raises(Unavailable, match=rf"{file} cannot be read: No such file.*Set KUBECONFIG"):
        connect_in_pod(5, account).get(NOBODY)


def test_outside_of_any_pod_the_error_says_what_to_set(
    account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    with pytest.raises(Unavailable, match="KUBERNETES_SERVICE_HOST is not set"):
        connect_in_pod(5, account)
    with pytest.raises(Unavailable, match="Set KUBECONFIG"):
        connect()


def _another_certificate() -> bytes:
    """Return the certificate of an authority nobody here has heard of."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody else")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now,
        not_valid_after=now + timedelta(days=1),
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
