"""What a cluster's pods may do, and the super user that alone may change the member list."""

from __future__ import annotations

import base64
import json

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import ROLE_BINDING, SECRET, SERVICE_ACCOUNT
from functions.api.manifest import Manifest
from functions.manifests.digests import SUPER_USER, super_user_digest
from functions.manifests.fingerprint import fingerprint
from functions.manifests.names import (
    SERVER_ROLE,
    identity,
    owned_metadata,
    role_binding_name,
    service_account_name,
    super_user_secret_name,
)

# On the Secret: for which `spec.superUser.rotatedAt` its password was made.
ROTATED_AT = "zookeeper.example.com/rotated-at"
# In the Secret, while servers may run with them: the passwords before, as a list in JSON.
FORMER_PASSWORDS = "formerPasswords"
_DIGEST = "digest"


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


def super_user_secret(cluster: ZooKeeperCluster, password: str) -> Manifest:
    """Return the Secret with a freshly made password."""
    asked = _asked_for(cluster)
    annotations = {"annotations": asked} if asked else {}
    return {
        **identity(SECRET),
        "metadata": {**owned_metadata(cluster, super_user_secret_name(cluster)), **annotations},
        "type": "Opaque",
        "data": _data(cluster, password),
    }


def with_new_password(cluster: ZooKeeperCluster, found: Manifest, password: str) -> Manifest:
    """Return the Secret with another password, and those that servers may still know beside it."""
    metadata = found["metadata"]
    former = _encoded(json.dumps(passwords(found)))
    return {
        **found,
        "metadata": {
            **metadata,
            "annotations": {**metadata.get("annotations", {}), **_asked_for(cluster)},
        },
        "data": {**found["data"], **_data(cluster, password), FORMER_PASSWORDS: former},
    }


def without_former_passwords(cluster: ZooKeeperCluster, found: Manifest) -> Manifest:
    """Return the Secret with all that belongs to its present password, and nothing of others."""
    kept = {
        key: value
        for key, value in found["data"].items()
        if key == digest_key(cluster) or not _is_of_a_rotation(key)
    }
    return {**found, "data": kept}


def has_asked_password(cluster: ZooKeeperCluster, found: Manifest) -> bool:
    """Whether the password was made for the present `spec.superUser.rotatedAt`, if there is one."""
    annotations = found["metadata"].get("annotations", {})
    is_asked = annotations.items() >= _asked_for(cluster).items()
    return is_asked and digest_key(cluster) in found["data"]


def passwords(secret: Manifest) -> list[str]:
    """Return the password, and the former ones that servers may still know."""
    data = secret["data"]
    former = json.loads(_decoded(data[FORMER_PASSWORDS])) if FORMER_PASSWORDS in data else []
    return [_decoded(data["password"]), *former]


def digest_in(cluster: ZooKeeperCluster, secret: Manifest) -> str:
    """Return the digest that servers are started with from now on."""
    return _decoded(secret["data"][digest_key(cluster)])


def password_hash(secret: Manifest) -> str:
    """Return what changes with the password, and with nothing that comes and goes with a change."""
    data = secret["data"].items()
    return fingerprint({key: value for key, value in data if not _is_of_a_rotation(key)})


def digest_key(cluster: ZooKeeperCluster) -> str:
    """Return the key of the Secret that a server's digest is under.

    A password that was asked for has a key of its own. A kubelet that still holds the Secret of
    before does not find it and tries again, instead of starting a server with the old password.
    """
    asked = cluster.spec.super_user.rotated_at
    return _DIGEST if asked is None else f"{_DIGEST}-{fingerprint(str(asked))}"


def _is_of_a_rotation(key: str) -> bool:
    return key == FORMER_PASSWORDS or key.startswith(f"{_DIGEST}-")


def _asked_for(cluster: ZooKeeperCluster) -> dict[str, str]:
    asked = cluster.spec.super_user.rotated_at
    return {} if asked is None else {ROTATED_AT: str(asked)}


def _data(cluster: ZooKeeperCluster, password: str) -> dict[str, str]:
    digest = _encoded(super_user_digest(password))
    return {
        "username": _encoded(SUPER_USER),
        "password": _encoded(password),
        _DIGEST: digest,
        digest_key(cluster): digest,
    }


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()
