"""What a cluster's pods may do, and the super user that alone may change the member list."""

from __future__ import annotations

import base64
import hashlib

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import ROLE_BINDING, SECRET, SERVICE_ACCOUNT
from functions.api.manifest import Manifest
from functions.manifests.names import (
    SERVER_ROLE,
    identity,
    owned_metadata,
    role_binding_name,
    service_account_name,
    super_user_secret_name,
)

SUPER_USER = "super"


def service_account(cluster: ZooKeeperCluster) -> Manifest:
    return {
        **identity(SERVICE_ACCOUNT),
        "metadata": owned_metadata(cluster, service_account_name(cluster)),
    }


def role_binding(cluster: ZooKeeperCluster) -> Manifest:
    """Return the binding of the pods to the pre-installed role: reading their cluster's record."""
    return {
        **identity(ROLE_BINDING),
        "metadata": owned_metadata(cluster, role_binding_name(cluster)),
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": SERVER_ROLE,
        },
        "subjects": [
            {
                "kind": "ServiceAccount",
                "name": service_account_name(cluster),
                "namespace": cluster.metadata.namespace,
            }
        ],
    }


def super_user_digest(password: str) -> str:
    """Return `super:BASE64(SHA1("super:<password>"))`, as DigestAuthenticationProvider wants it."""
    sha1 = hashlib.sha1(f"{SUPER_USER}:{password}".encode(), usedforsecurity=False).digest()
    return f"{SUPER_USER}:{base64.b64encode(sha1).decode()}"


def super_user_secret(cluster: ZooKeeperCluster, password: str) -> Manifest:
    """Return the Secret with a freshly made password; it is created once and never changed."""
    return {
        **identity(SECRET),
        "metadata": owned_metadata(cluster, super_user_secret_name(cluster)),
        "type": "Opaque",
        "data": {
            "username": _encoded(SUPER_USER),
            "password": _encoded(password),
            "digest": _encoded(super_user_digest(password)),
        },
    }


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
