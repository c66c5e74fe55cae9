"""What a program in a Job's pod is told of its object store. Nothing secret is in it: credentials
are named by their Secret, and the kubelet puts them in."""

from __future__ import annotations

from functions.api.location import Location, SecretKey
from functions.api.manifest import Manifest

CA_VOLUME = "store-ca"
CA_FOLDER = "/store-ca"
CA_FILE = "ca.pem"


def store_environment(location: Location) -> list[Manifest]:
    """Return the variables that `functions.adapters.stores.connect` reads."""
    store = location.store
    wants_bucket = store.create_bucket_if_not_present
    return [
        variable("STORE", location.store_kind),
        variable("ENDPOINT", store.endpoint or ""),
        variable("REGION", store.region or ""),
        variable("BUCKET", store.bucket),
        variable("PATH_STYLE", _path_style(location)),
        variable("CA_FILE", f"{CA_FOLDER}/{CA_FILE}" if store.ca_secret is not None else ""),
        *([variable("CREATE_BUCKET", "true")] if wants_bucket else []),
        *_secret("ACCESS_KEY", store.access_key_secret),
        *_secret("SECRET_KEY", store.secret_key_secret),
    ]


def store_volumes(location: Location) -> list[Manifest]:
    """Return the volume with the store's certificate authority, where the spec names one."""
    secret = location.store.ca_secret
    if secret is None:
        return []
    items = [{"key": secret.key, "path": CA_FILE}]
    return [
        {
            "name": CA_VOLUME,
            "secret": {"secretName": secret.name, "items": items, "optional": secret.optional},
        }
    ]


def store_mounts(location: Location) -> list[Manifest]:
    is_there = location.store.ca_secret is not None
    return [{"name": CA_VOLUME, "mountPath": CA_FOLDER, "readOnly": True}] if is_there else []


def variable(name: str, value: str) -> Manifest:
    """Return one variable whose value everybody may read."""
    # The kubelet takes `$(NAME)` for another variable, a secret one too, and two dollar signs for
    # one. So every sign is doubled: with `$(` alone, what comes as `$$(NAME)` would be put in.
    return {"name": name, "value": value.replace("$", "$$")}


def secret_variable(name: str, secret: str, key: str, *, optional: bool = False) -> Manifest:
    """Return one variable whose value only the kubelet and the program see."""
    return {
        "name": name,
        "valueFrom": {"secretKeyRef": {"name": secret, "key": key, "optional": optional}},
    }


def _path_style(location: Location) -> str:
    """Return `true` or `false`: a store of one's own mostly knows no host name per bucket."""
    asked = location.store.path_style
    if asked is None:
        asked = location.store.endpoint is not None
    return str(asked).lower()


def _secret(name: str, secret: SecretKey | None) -> list[Manifest]:
    if secret is None:
        return []
    return [secret_variable(name, secret.name, secret.key, optional=secret.optional)]
