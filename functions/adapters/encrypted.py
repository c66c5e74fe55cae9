"""Connections by TLS to servers of which the Secret of their certificate is known.

A server is trusted that shows the very certificate of the Secret, whatever names are in it. One
that shows another, because the Secret was just renewed, has to show one for its own name, signed by
the authority of the Secret: clients may have certificates of that authority, too.
"""

from __future__ import annotations

import os
import socket
import ssl
from typing import Any

from kazoo.handlers.threading import SequentialThreadingHandler

from functions.planning.ensemble import Trust

_END = "-----END CERTIFICATE-----"


class EncryptedHandler(SequentialThreadingHandler):  # type: ignore[misc]  # It has no types.
    """kazoo's own handler, but for how it connects; `failure` is why it last could not."""

    def __init__(self, trust: Trust) -> None:
        super().__init__()
        self._trust = trust
        self.failure = ""

    def create_connection(
        self, address: tuple[str, int], timeout: float | None = None, **_: Any
    ) -> ssl.SSLSocket:
        try:
            return connect(address, self._trust, timeout)
        except (OSError, ValueError) as error:
            self.failure = str(error)
            # kazoo knows only these as a connection that could not be had.
            raise error if isinstance(error, OSError) else OSError(str(error)) from error


def connect(address: tuple[str, int], trust: Trust, timeout: float | None) -> ssl.SSLSocket:
    """Return the connection; raises OSError, or ValueError for a Secret that is no certificate."""
    try:
        return _connect(address, _by_certificate(trust), "", timeout)
    except ssl.SSLCertVerificationError:
        if not trust.authority:
            raise
        return _connect(address, _by_name(trust), trust.name, timeout)


def _by_certificate(trust: Trust) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    # The certificate itself is the anchor; who signed it is not asked.
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    made.load_verify_locations(cadata=f"{trust.chain.partition(_END)[0]}{_END}\n")
    return _showing(trust, made)


def _by_name(trust: Trust) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(cadata=trust.authority)
    return _showing(trust, made)


def _showing(trust: Trust, context: ssl.SSLContext) -> ssl.SSLContext:
    """Let the context show the certificate; the key is in memory alone, under a path there."""
    if trust.key:
        file = os.memfd_create("certificate")
        try:
            os.write(file, f"{trust.chain}\n{trust.key}".encode())
            context.load_cert_chain(f"/proc/self/fd/{file}")
        finally:
            os.close(file)
    return context


def _connect(
    address: tuple[str, int], context: ssl.SSLContext, name: str, timeout: float | None
) -> ssl.SSLSocket:
    plain = socket.create_connection(address, timeout)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(plain, server_hostname=name or None)
    except BaseException:
        plain.close()
        raise
