"""PEM texts as ZooKeeper reads them: a key in PKCS#8 and its certificates in one (`PemReader`).

A Secret of the type kubernetes.io/tls has its key in a file of its own, and often in the older form
of its algorithm (PKCS#1, SEC1).
"""

from __future__ import annotations

import base64
import re

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\s(.*?)-----END \1-----", re.DOTALL)

# The algorithm identifier of RSA (RFC 8017, A.1) and the object identifier of EC keys (RFC 5480).
_RSA = bytes.fromhex("300d06092a864886f70d0101010500")
_EC_KEY = bytes.fromhex("06072a8648ce3d0201")
_SEQUENCE, _OCTETS, _PARAMETERS = 0x30, 0x04, 0xA0
_VERSION_0 = bytes.fromhex("020100")


def key_store(chain: str, key: str) -> str:
    """Return the key, as PKCS#8, and the certificates in one text."""
    found = next((block for block in _BLOCK.findall(key) if "PRIVATE KEY" in block[0]), None)
    if found is None:
        raise ValueError("tls.key holds no private key in PEM")
    return _pem("PRIVATE KEY", _pkcs8(*found)) + trust_store(chain, "tls.crt")


def trust_store(text: str, file: str = "ca.crt") -> str:
    """Return the certificates of a text, and nothing else of it."""
    found = [body for label, body in _BLOCK.findall(text) if label == "CERTIFICATE"]
    if not found:
        raise ValueError(f"{file} holds no certificate in PEM")
    return "".join(_pem("CERTIFICATE", base64.b64decode(body)) for body in found)


def _pkcs8(label: str, body: str) -> bytes:
    """Return a private key as PKCS#8 (RFC 5208): version, algorithm, and the key as it was."""
    der = base64.b64decode(body)
    match label:
        case "PRIVATE KEY":
            return der
        case "RSA PRIVATE KEY":
            algorithm = _RSA
        case "EC PRIVATE KEY":
            algorithm = _element(_SEQUENCE, _EC_KEY + _curve(der))
        case _:
            raise ValueError(f"tls.key is a {label}: use an unencrypted RSA or EC key")
    return _element(_SEQUENCE, _VERSION_0 + algorithm + _element(_OCTETS, der))


def _curve(der: bytes) -> bytes:
    """Return the curve that an EC key names (SEC 1, C.4: version, key, [0] parameters, ...)."""
    _, content, _ = _read(der)
    while content:
        tag, value, content = _read(content)
        if tag == _PARAMETERS:
            return value
    raise ValueError("tls.key is an EC key that does not say of which curve")


def _read(der: bytes) -> tuple[int, bytes, bytes]:
    """Return the first element's tag and content, and what follows it."""
    if len(der) < 2:
        raise ValueError("tls.key is cut off")
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if start + length > len(der):
        raise ValueError("tls.key is cut off")
    return der[0], der[start : start + length], der[start + length :]


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _pem(label: str, der: bytes) -> str:
    text = base64.b64encode(der).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""))
