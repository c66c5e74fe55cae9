"""A certificate for the admission webhook, made anew at each start and kept in memory only."""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Serving:
    """A self-signed certificate: what the server needs, and what its callers must trust."""

    context: ssl.SSLContext
    authority: bytes


def self_signed(host: str) -> Serving:
    """Return a certificate for one address."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(host, key)
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # Python reads keys from files only; this one is gone again before anybody connects.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "webhook.pem"
        path.write_bytes(pem + private)
        context.load_cert_chain(path)
    return Serving(context, pem)


def _certificate(host: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "local-eventing-webhook")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address(host))
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
