"""Who may call the API server: static tokens, the kubeconfig of each caller, the audit policy."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

USERS: Mapping[str, str] = {
    "admin": "admin",
    "node": "local:node",
    "eventing": "local:eventing",
    "serving": "local:serving",
    "provisioner": "local:provisioner",
    "network": "local:network",
    "controller-manager": "system:kube-controller-manager",
    "scheduler": "system:kube-scheduler",
    "proxy": "system:kube-proxy",
}

# Reads count as much as writes: "how many calls does one event cost" is read from this log. Of
# our own kinds also the written values are kept, so that one can see who wrote which field.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "nonResourceURLs": ["/readyz*", "/livez*", "/healthz*"]},
        {
            "level": "Request",
            "verbs": ["create", "update", "patch", "delete"],
            "resources": [{"group": "zookeeper.example.com"}],
            "omitManagedFields": True,
        },
        {"level": "Metadata"},
    ],
}


def new_tokens() -> dict[str, str]:
    """Return a fresh secret token for every caller of the platform."""
    return {part: secrets.token_urlsafe(24) for part in USERS}


def token_file(tokens: Mapping[str, str]) -> str:
    """The API server's --token-auth-file: token, user, uid, groups."""
    return "".join(
        f'{token},{USERS[part]},{USERS[part]},"system:masters"\n' for part, token in tokens.items()
    )


def kubeconfig(server: str, authority: Path, user: str, token: str) -> str:
    """A kubeconfig with one context (JSON is YAML)."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "local",
            "clusters": [
                {
                    "name": "local",
                    "cluster": {"server": server, "certificate-authority": str(authority)},
                }
            ],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "local", "context": {"cluster": "local", "user": user}}],
        },
        indent=2,
    )
