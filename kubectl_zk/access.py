"""Which Kubernetes cluster and namespace are meant, and a session there: as kubectl finds them."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from functions.adapters.kubernetes import KubernetesApi, connect_by_file
from functions.adapters.kubernetes.in_pod import SERVICE_ACCOUNT, connect_in_pod
from functions.api.errors import Unavailable
from kubectl_zk import terminal
from kubectl_zk.problem import FAILED, UNREACHABLE, Problem
from kubectl_zk.servers import ServersBehindKubernetes
from kubectl_zk.session import Session

SECONDS = 10.0
DEFAULT_NAMESPACE = "default"


def connect(asked: argparse.Namespace) -> Session:
    """Return the session that the options lead to; raises Problem when they lead nowhere."""
    path, context = _kubeconfig(asked), getattr(asked, "context", None)
    kube = _api(path, context, _seconds(asked))
    namespace = getattr(asked, "namespace", None) or _namespace(path, context)
    kubectl = _kubectl(path, context)
    servers = ServersBehindKubernetes(kube, namespace, kubectl)
    is_json = getattr(asked, "output", "text") == "json"
    return Session(
        kube=kube,
        servers=servers,
        programs=servers,
        namespace=namespace,
        terminal=terminal.connected(sys.stdout, sys.stderr, sys.stdin, is_json=is_json),
        now=lambda: datetime.now(UTC),
        pause=time.sleep,
        launch=lambda words: _launch((*kubectl, *words)),
    )


def _kubeconfig(asked: argparse.Namespace) -> str | None:
    """Return the files to read, as kubectl chooses them; None inside a pod without any."""
    given = getattr(asked, "kubeconfig", None) or os.environ.get("KUBECONFIG")
    if given:
        return str(given)
    own = Path.home() / ".kube" / "config"
    in_pod = not own.exists() and SERVICE_ACCOUNT.exists()
    return None if in_pod else str(own)


def _seconds(asked: argparse.Namespace) -> float:
    patience: timedelta | None = getattr(asked, "patience", None)
    return SECONDS if patience is None else patience.total_seconds()


def _api(path: str | None, context: str | None, seconds: float) -> KubernetesApi:
    try:
        if path is None:
            return connect_in_pod(seconds)
        return connect_by_file(path, context, timeout=seconds)
    except Unavailable as error:
        why = str(error).partition(" Set KUBECONFIG")[0]
        raise Problem(
            f"{why}\nChoose with --kubeconfig and --context; `kubectl config get-contexts` shows "
            "what there is.",
            UNREACHABLE,
        ) from error


def _namespace(path: str | None, context: str | None) -> str:
    """Return the context's namespace, as kubectl would use it."""
    if path is None:
        return (SERVICE_ACCOUNT / "namespace").read_text().strip() or DEFAULT_NAMESPACE
    from kubernetes import config

    read: Any = config.list_kube_config_contexts  # The package has no types.
    contexts, active = read(config_file=path)
    chosen = next((it for it in contexts if it["name"] == context), active)
    return str(chosen["context"].get("namespace") or DEFAULT_NAMESPACE)


def _kubectl(path: str | None, context: str | None) -> tuple[str, ...]:
    """Return the command that asks the same API server as the same user."""
    # kubectl takes several files from its environment only.
    alone = path is not None and os.pathsep not in path
    return (
        "kubectl",
        *(("--kubeconfig", str(path)) if alone else ()),
        *(("--context", context) if context else ()),
    )


def _launch(command: Sequence[str]) -> int:
    try:
        return subprocess.run(command, check=False).returncode
    except FileNotFoundError:
        raise Problem("kubectl is not on PATH, and the shell runs through it.", FAILED) from None
