"""Certificates for tests: an authority, and what it signs, as the Secrets that hold them."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

MADE = datetime(2025, 12, 1, tzinfo=UTC)
LASTS = timedelta(days=365)
_CURVE = ec.SECP256R1()


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs certificates; `text` is its own."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def text(self) -> str:
        return _text(self.certificate)

    def secret(self, *names: str, expires: datetime = MADE + LASTS) -> dict[str, str]:
        """Return what a Secret for these names, or addresses, holds, as cert-manager writes it."""
        key = ec.generate_private_key(_CURVE)
        chain = _text(_signed("server", names, key.public_key(), self, expires))
        return {"tls.crt": chain, "tls.key": key_text(key), "ca.crt": self.text}


def authority(name: str = "tests", made: datetime = MADE) -> Authority:
    key = ec.generate_private_key(_CURVE)
    subject = _named(name)
    certificate = (
        _builder(subject, subject, key.public_key(), made + LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(key, certificate)


def manifest(name: str, namespace: str, content: dict[str, str]) -> dict[str, Any]:
    """Return the Secret as the API server stores it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": namespace},
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in content.items()},
    }


def key_text(key: CertificateIssuerPrivateKeyTypes, *, old_form: bool = True) -> str:
    """Return a key, by default in the form that cert-manager writes by default."""
    form = serialization.PrivateFormat
    return key.private_bytes(
        serialization.Encoding.PEM,
        form.TraditionalOpenSSL if old_form else form.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def _signed(
    name: str, names: Iterable[str], key: ec.EllipticCurvePublicKey, by: Authority, until: datetime
) -> x509.Certificate:
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = _builder(_named(name), by.certificate.subject, key, until).add_extension(
        x509.ExtendedKeyUsage(both), critical=False
    )
    if listed := [_alternative(it) for it in names]:
        builder = builder.add_extension(x509.SubjectAlternativeName(listed), critical=False)
    return builder.sign(by.key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(MADE, until - LASTS))
        .not_valid_after(until)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
