"""Reading the API server directly: tests look often, and each kubectl costs as much as a server."""

from __future__ import annotations

import functools
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

Manifest = dict[str, Any]

SECONDS = 10.0
# Kind as kubectl takes it, to where the API server has it.
PLACES = {
    "zkcluster": ("apis/zookeeper.example.com/v1alpha1", "zookeeperclusters"),
    "statefulset": ("apis/apps/v1", "statefulsets"),
    "poddisruptionbudget": ("apis/policy/v1", "poddisruptionbudgets"),
    "deployment": ("apis/apps/v1", "deployments"),
    "job": ("apis/batch/v1", "jobs"),
    "cronjob": ("apis/batch/v1", "cronjobs"),
    "zkbackup": ("apis/zookeeper.example.com/v1alpha1", "zookeeperbackups"),
    "zkrestore": ("apis/zookeeper.example.com/v1alpha1", "zookeeperrestores"),
    "servicemonitor": ("apis/monitoring.coreos.com/v1", "servicemonitors"),
    "prometheusrule": ("apis/monitoring.coreos.com/v1", "prometheusrules"),
    "certificate": ("apis/cert-manager.io/v1", "certificates"),
    "rolebinding": ("apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    "networkpolicy": ("apis/networking.k8s.io/v1", "networkpolicies"),
    "pod": ("api/v1", "pods"),
    "pvc": ("api/v1", "persistentvolumeclaims"),
    "service": ("api/v1", "services"),
    "configmap": ("api/v1", "configmaps"),
    "secret": ("api/v1", "secrets"),
    "serviceaccount": ("api/v1", "serviceaccounts"),
    "event": ("api/v1", "events"),
}


def get(kubeconfig: Path, namespace: str, kind: str, name: str = "", **query: str) -> Manifest:
    """Return an object, or without a name the List of all; empty when there is none."""
    group, plural = PLACES[kind]
    path = f"/{group}/namespaces/{namespace}/{plural}/{name}".rstrip("/")
    server, token, trust = _access(kubeconfig.read_text())
    url = f"{server}{path}?{urllib.parse.urlencode(query)}"
    request = urllib.request.Request(url, headers=_credentials(token))
    try:
        with urllib.request.urlopen(request, timeout=SECONDS, context=trust) as answer:
            found: Manifest = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 404:
                return {}
            raise AssertionError(f"{url}: {error.code} {error.read().decode()}") from error


def evict(kubeconfig: Path, namespace: str, pod: str) -> int:
    """Ask for a pod's eviction, as a drain does; return the status: 201, or 429 when refused."""
    server, token, trust = _access(kubeconfig.read_text())
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
    }
    request = urllib.request.Request(
        f"{server}/api/v1/namespaces/{namespace}/pods/{pod}/eviction",
        json.dumps(eviction).encode(),
        {**_credentials(token), "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS, context=trust) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@functools.cache
def _access(kubeconfig: str) -> tuple[str, str, ssl.SSLContext]:
    """Return address, token and trust of a kubeconfig's text (JSON is YAML)."""
    config = json.loads(kubeconfig)
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    trust = ssl.create_default_context(cafile=cluster.get("certificate-authority"))
    return cluster["server"], user.get("token", ""), trust


def _credentials(token: str) -> dict[str, str]:
    """Return the header, or none: `kubectl proxy` brings its own."""
    return {"Authorization": f"Bearer {token}"} if token else {}
