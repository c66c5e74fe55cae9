"""Where the API server is and who we are to it, as the `kubernetes` package finds it out.

The package is used for nothing else: its typed classes would cost a cold start more than
everything we do with the answers.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from functools import partial
from typing import Any

import urllib3

from functions.adapters.kubernetes.api import KubernetesApi
from functions.adapters.kubernetes.rest import Rest
from functions.api.errors import Unavailable

DEFAULT_SECONDS = 10.0
_CONNECTIONS = 8


def connect(timeout: float = DEFAULT_SECONDS) -> KubernetesApi:
    """Return the API of `$KUBECONFIG` when that is set, else of the cluster this pod is in.

    Raises Unavailable with what to set when there is neither. Nothing is sent yet.
    """
    configuration = _configuration()
    return KubernetesApi(
        Rest(
            _pool(configuration),
            configuration.host,
            credentials=_Credentials(configuration),
            timeout=timeout,
        )
    )


class _Credentials:
    """The token of a configuration, asked for on every call.

    The package itself reads an in-cluster token again every minute and runs a plugin again when
    its token expires, but a `tokenFile` of a kubeconfig only when the kubeconfig is read.
    """

    def __init__(self, configuration: Any) -> None:
        self._configuration = configuration

    def headers(self) -> Mapping[str, str]:
        token = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        return {"Authorization": token.strip()} if token else {}

    def renew(self) -> None:
        self._configuration = _configuration()


def _configuration() -> Any:
    # Imported late, so that what never talks to a cluster (`render`, tests) does not pay for it.
    from kubernetes import config
    from kubernetes.client.configuration import Configuration

    found = Configuration()
    path = os.environ.get("KUBECONFIG")
    # The package looks at KUBECONFIG only once, when it is imported; and it has no types.
    load: Any = (
        partial(config.load_kube_config, config_file=path) if path else config.load_incluster_config
    )
    try:
        load(client_configuration=found)
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
    options: dict[str, Any] = {"ssl_context": context, "maxsize": _CONNECTIONS, "block": False}
    if configuration.tls_server_name:
        options["server_hostname"] = configuration.tls_server_name
    if configuration.proxy:
        return urllib3.ProxyManager(configuration.proxy, **options)
    return urllib3.PoolManager(**options)
