"""The Kubernetes API over plain REST: what the functions use in a cluster."""

from __future__ import annotations

from functions.adapters.kubernetes.access import connect, connect_by_file
from functions.adapters.kubernetes.api import KubernetesApi

__all__ = ["KubernetesApi", "connect", "connect_by_file"]
