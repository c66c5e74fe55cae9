"""`spec.tls`: encryption between clients and servers, and among the servers.

The certificates come from Secrets of the type kubernetes.io/tls, as cert-manager writes them:
`tls.crt`, `tls.key` and `ca.crt`. With `issuerRef` cert-manager is asked to write them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from functions.api.rules import Rule, Spec, cel_list
from functions.api.values import Bool, Port

SecretName = Annotated[str, Field(min_length=1, max_length=253)]

# What spec.tls writes into zoo.cfg; a cluster without it may set these lines itself.
TLS_KEYS = (
    "sslQuorum", "portUnification", "sslQuorumReloadCertFiles", "serverCnxnFactory",
    "client.certReload",
)  # fmt: skip
TLS_PREFIX = "ssl."


class ClientTls(Spec):
    """TLS for clients, on a port of its own beside the plain one."""

    secret_name: SecretName
    """The Secret with tls.crt, tls.key and ca.crt. The certificate names the client Service and
    every server."""
    port: Port = 2281
    """The port for clients that speak TLS. A change rolls the servers."""
    plaintext: Bool = False
    """Whether clients may go on without TLS. Set true while they move: otherwise, once every server
    speaks TLS, the servers are rolled to listen at spec.config.clientPort no more. A change rolls
    the servers."""
    client_auth: Literal["none", "want", "need"] = "none"
    """Whether clients show a certificate of their own, signed by ca.crt: none does not ask, want
    checks one that is shown, need refuses clients without."""


class QuorumTls(Spec):
    """TLS among the servers. Servers always show each other their certificates."""

    secret_name: SecretName
    """The Secret with tls.crt, tls.key and ca.crt. The certificate names every server."""
    verify_hostnames: Bool = True
    """Whether a server's name has to be in the certificate it shows."""


class IssuerRef(Spec):
    """An issuer of cert-manager."""

    name: SecretName
    """Its name."""
    kind: Annotated[str, Field(min_length=1, max_length=63)] = "Issuer"
    """Issuer, in the cluster's namespace, or ClusterIssuer; an issuer of another group has a kind
    of its own."""
    group: Annotated[str, Field(min_length=1, max_length=253)] = "cert-manager.io"
    """The API group of the kind."""


class Tls(Spec):
    """Encryption. What is left out is not encrypted. A change is made by rolling the servers, as
    often as it takes for old and new ones to understand each other."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.issuerRef) || has(self.client) || has(self.quorum)",
            "spec.tls.issuerRef alone encrypts nothing: say with spec.tls.client and "
            "spec.tls.quorum what is to be, and which Secrets the certificates are written into.",
            lambda it: it.issuer_ref is None or it.client is not None or it.quorum is not None,
        ),
    )

    client: ClientTls | None = None
    """TLS for clients."""
    quorum: QuorumTls | None = None
    """TLS among the servers."""
    issuer_ref: IssuerRef | None = None
    """Have cert-manager make the certificates, and write them into the Secrets that client and
    quorum name. Without it those Secrets are yours to make."""


def _says_it_once(tls: Tls, lines: Iterable[str]) -> bool:
    return tls == Tls() or not any(key in TLS_KEYS or key.startswith(TLS_PREFIX) for key in lines)


TLS_RULES = (
    Rule(
        "!has(self.tls) || !(has(self.tls.client) || has(self.tls.quorum)) || "
        "!has(self.config.additionalConfig) || !self.config.additionalConfig.exists(key, "
        f"key.startsWith('{TLS_PREFIX}') || key in {cel_list(TLS_KEYS)})",
        "spec.tls and spec.config.additionalConfig both set lines about TLS: keep spec.tls.",
        lambda it: _says_it_once(it.tls, it.config.additional_config),
    ),
)
