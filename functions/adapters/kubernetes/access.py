"""Where the API server is and who we are to it: of a kubeconfig, or else of the pod we are in.

A kubeconfig is read by the `kubernetes` package, for its many ways to authenticate. The package is
used for nothing else: its typed classes would cost a start more than all we do with the answers.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import Any

import urllib3

from functions.adapters.kubernetes.api import KubernetesApi
from functions.adapters.kubernetes.in_pod import CONNECTIONS, connect_in_pod
from functions.adapters.kubernetes.rest import Rest
from functions.api.errors import Unavailable

DEFAULT_SECONDS = 10.0


def connect(timeout: float = DEFAULT_SECONDS) -> KubernetesApi:
    """Return the API of `$KUBECONFIG` when that is set, else of the cluster this pod is in.

    Raises Unavailable with what to set when there is neither. Nothing is sent yet.
    """
    path = os.environ.get("KUBECONFIG")
    return connect_by_file(path, timeout=timeout) if path else connect_in_pod(timeout)


def connect_by_file(
    path: str, context: str | None = None, *, timeout: float = DEFAULT_SECONDS
) -> KubernetesApi:
    """Return the API that a context of a kubeconfig (None: its current one) leads to."""
    configuration = _configuration(path, context)
    credentials = _Credentials(path, context, configuration)
    rest = Rest(_pool(configuration), configuration.host, credentials=credentials, timeout=timeout)
    return KubernetesApi(rest)


class _Credentials:
    """The token of a kubeconfig, asked for on every call.

    The package itself runs a plugin again when its token expires, but it reads a `tokenFile` only
    when the kubeconfig is read.
    """

    def __init__(self, path: str, context: str | None, configuration: Any) -> None:
        self._path = path
        self._context = context
        self._configuration = configuration

    def headers(self) -> Mapping[str, str]:
        token = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        return {"Authorization": token.strip()} if token else {}

    def renew(self) -> None:
        self._configuration = _configuration(self._path, self._context)


def _configuration(path: str, context: str | None) -> Any:
    # Imported late, so that what never reads a kubeconfig (a pod, `render`) does not pay for it.
    from kubernetes import config
    from kubernetes.client.configuration import Configuration

    found = Configuration()
    load: Any = config.load_kube_config  # The package has no types.
    try:
        load(config_file=path, context=context, client_configuration=found)
    except (config.ConfigException, OSError) as error:
        raise Unavailable(
            f"No usable access to a Kubernetes API server: {error} "
            "Set KUBECONFIG to a kubeconfig file, or run in a pod with a service account token."
        ) from error
    return found


def _pool(configuration: Any) -> urllib3.PoolManager:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    options: dict[str, Any] = {"ssl_context": context, "maxsize": CONNECTIONS, "block": False}
    if configuration.tls_server_name:
        options["server_hostname"] = configuration.tls_server_name
    if configuration.proxy:
        return urllib3.ProxyManager(configuration.proxy, **options)
    return urllib3.PoolManager(**options)
