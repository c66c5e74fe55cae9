"""What an overlay of config/ comes to, and the requests that apply it to a real API server."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
import yaml

from local import knative_crds
from local.eventing.kinds import group_path, guessed_plural
from tests.contract.api_server import REPOSITORY, ApiServer, control_plane
from tests.contract.processes import until

Manifest = dict[str, Any]

SECONDS = 30
OVERLAYS = ("knative", "kafka-broker", "eventing-only", "namespaced")


def kustomize(folder: Path) -> list[Manifest]:
    """Return the objects of a kustomization; fails with what kustomize says."""
    done = subprocess.run(
        [control_plane("kubectl"), "kustomize", str(folder)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # The parser in C, where there is one: the CRDs are long.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return list(yaml.load_all(done.stdout, Loader=loader))


def overlay(name: str) -> list[Manifest]:
    return kustomize(REPOSITORY / "config" / "overlays" / name)


def checkout(folder: Path) -> Path:
    """Copy what kustomizations are made of."""
    for part in ("config", "crds", "sources"):
        shutil.copytree(REPOSITORY / part, folder / part)
    return folder


def namespaced(namespace: str, folder: Path) -> list[Manifest]:
    """Return the overlay for one namespace, for another one than it names: one line is changed."""
    overlay = checkout(folder) / "config/overlays/namespaced"
    file = overlay / "kustomization.yaml"
    text = file.read_text()
    assert text.count("\nnamespace: ") == 1
    file.write_text(text.replace("\nnamespace: zookeeper-functions", f"\nnamespace: {namespace}"))
    return kustomize(overlay)


def key(manifest: Manifest) -> tuple[str, str, str, str]:
    """Return what tells an object apart."""
    metadata = manifest["metadata"]
    at = metadata.get("namespace", "")
    return manifest["apiVersion"], manifest["kind"], at, metadata["name"]


def path_of(manifest: Manifest) -> str:
    """Return the object's path in the API."""
    namespace = manifest["metadata"].get("namespace")
    inside = f"/namespaces/{namespace}" if namespace else ""
    plural = guessed_plural(manifest["kind"])
    return f"{group_path(manifest['apiVersion'])}{inside}/{plural}/{manifest['metadata']['name']}"


def applied(server: ApiServer, manifests: Iterable[Manifest], **query: str) -> dict[Any, str]:
    """Apply objects, server side and with strict validation; return what was refused and why."""
    asked = {"fieldManager": "test", "force": "true", "fieldValidation": "Strict", **query}
    refused = {}
    with urllib3.PoolManager(ca_certs=str(server.ca)) as pool:
        for manifest in manifests:
            answer = pool.request(
                "PATCH",
                f"{server.url}{path_of(manifest)}?{urlencode(asked)}",
                body=json.dumps(manifest),
                headers={
                    "Authorization": f"Bearer {server.token}",
                    "Content-Type": "application/apply-patch+yaml",
                },
                timeout=SECONDS,
                retries=False,
            )
            if answer.status >= 300:
                refused[key(manifest)] = answer.json()["message"]
    return refused


def serve_knatives_kinds(server: ApiServer) -> None:
    """Install Knative's definitions, and return once their objects can be asked for."""
    definitions = [*knative_crds.definitions("eventing"), *knative_crds.definitions("serving")]
    assert applied(server, definitions) == {}
    for definition in definitions:
        plural, _, group = definition["metadata"]["name"].partition(".")
        version = definition["spec"]["versions"][0]["name"]
        path = f"/apis/{group}/{version}/{plural}"
        until(partial(_is_served, server, path), f"{path} is served")


def _is_served(server: ApiServer, path: str) -> bool:
    try:
        return server.ask("GET", path)[0] == 200
    except ValueError:
        return False  # "404 page not found", in so many words.
