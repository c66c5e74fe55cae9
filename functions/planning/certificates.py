"""What a certificate lacks for the servers that are to show it: names, time, or a key that fits.

`cryptography` is read in late: clusters without TLS never need it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

CERTIFICATE, KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"


UNUSABLE = "CertificateUnusable"


class UnusableSecret(Exception):
    """A Secret cannot be what servers show; its text says why and what to do."""

    def __init__(self, sentence: str, reason: str = UNUSABLE) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Certificate:
    """What of a certificate matters here; the first of a chain."""

    names: frozenset[str]
    expires: datetime

    def lacks(self, names: Iterable[str]) -> list[str]:
        """Return which names it does not stand for; a star stands for one label (RFC 6125)."""
        return [name for name in names if not self.names & {name, f"*.{name.partition('.')[2]}"}]


def read_certificate(
    name: str, secret: Mapping[str, Any] | None, *, needs_authority: bool
) -> Certificate:
    """Return the certificate in a Secret; raises UnusableSecret."""
    if secret is None:
        raise UnusableSecret(
            f"The Secret {name} is not there: make it (type kubernetes.io/tls, with ca.crt), or "
            "wait until cert-manager has."
        )
    needed = (CERTIFICATE, KEY, *((AUTHORITY,) if needs_authority else ()))
    texts = {key: _text(name, secret, key) for key in needed}
    if needs_authority:
        _certificates(name, AUTHORITY, texts[AUTHORITY])
    first = _certificates(name, CERTIFICATE, texts[CERTIFICATE])[0]
    key, names = _shown(name, first)
    if key != _public_key(name, texts[KEY]):
        raise UnusableSecret(f"tls.key of the Secret {name} is not the key of its tls.crt.")
    return Certificate(names, first.not_valid_after_utc)


def _text(name: str, secret: Mapping[str, Any], key: str) -> bytes:
    try:
        text = base64.b64decode(secret.get("data", {}).get(key, ""), validate=True)
    except binascii.Error as error:
        raise UnusableSecret(f"{key} of the Secret {name} is not base64.") from error
    if not text.strip():
        raise UnusableSecret(f"The Secret {name} has no {key}.")
    return text


def _certificates(name: str, key: str, text: bytes) -> Sequence[Any]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(text)
    except (ValueError, x509.InvalidVersion) as error:
        raise UnusableSecret(f"{key} of the Secret {name} is no certificate in PEM.") from error


def _shown(name: str, certificate: Any) -> tuple[Any, frozenset[str]]:
    """Return the key and the names of a certificate: both are read only when they are asked for."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return certificate.public_key(), _names(certificate)
    except (
        ValueError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise UnusableSecret(
            f"tls.crt of the Secret {name} has a key or names that cannot be read: {error}."
        ) from error


def _public_key(name: str, text: bytes) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(text, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnusableSecret(
            f"tls.key of the Secret {name} is no private key in PEM without a password."
        ) from error
    if not isinstance(key, EllipticCurvePrivateKey | RSAPrivateKey):
        raise UnusableSecret(f"tls.key of the Secret {name} is neither an RSA nor an EC key.")
    return key.public_key()


def _names(certificate: Any) -> frozenset[str]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(it.lower() for it in found.value.get_values_for_type(x509.DNSName))
