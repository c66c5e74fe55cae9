"""Who we are to the API server of the cluster this pod is in: its service account's three files.

The `kubernetes` package reads them too, but importing it costs a cold start more processor time
than everything else that is ours; it is left to those who come with a kubeconfig.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

import urllib3

from functions.adapters.kubernetes.api import KubernetesApi
from functions.adapters.kubernetes.rest import Rest
from functions.api.errors import Unavailable

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CONNECTIONS = 8


def connect_in_pod(timeout: float, folder: Path = SERVICE_ACCOUNT) -> KubernetesApi:
    """Return the API of the cluster this pod is in; raises Unavailable outside of one."""
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
    try:
        context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    except OSError as error:
        raise _nowhere(f"{folder / 'ca.crt'} cannot be read: {error.strerror or error}.") from error
    if not host:
        raise _nowhere("KUBERNETES_SERVICE_HOST is not set.")
    pool = urllib3.PoolManager(ssl_context=context, maxsize=CONNECTIONS, block=False)
    return KubernetesApi(
        Rest(pool, _server(host), credentials=ServiceAccountToken(folder), timeout=timeout)
    )


class ServiceAccountToken:
    """The token, read for every call: the kubelet replaces it about once an hour."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "token"

    def headers(self) -> Mapping[str, str]:
        try:
            return {"Authorization": f"Bearer {self._file.read_text().strip()}"}
        except OSError as error:
            raise _nowhere(f"{self._file} cannot be read: {error.strerror}.") from error

    def renew(self) -> None:
        """Nothing is kept, so there is nothing to renew."""


def _server(host: str) -> str:
    port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _nowhere(why: str) -> Unavailable:
    return Unavailable(
        f"No usable access to a Kubernetes API server: {why} "
        "Set KUBECONFIG to a kubeconfig file, or run in a pod with a service account token."
    )
