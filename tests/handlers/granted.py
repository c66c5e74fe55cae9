"""The Kubernetes API as one function may use it: a call that its role does not grant is a failure.

So every handler test holds config/base/rbac.yaml to what the functions do. That nothing more is
granted is seen on the real API server (tests/system/test_rights_used.py).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from functions.api.kinds import POD, Kind, Ref
from functions.api.manifest import Manifest, Selector, ref_of
from functions.runtime.world import Kube

RBAC = Path(__file__).parents[2] / "config/base/rbac.yaml"
ROLE = "zookeeper-functions-"


@cache
def _documents() -> list[Any]:
    return list(yaml.safe_load_all(RBAC.read_text()))


@cache
def rights_of(function: str) -> frozenset[tuple[str, str, str]]:
    """Return (verb, group, resource) of all that is bound to the function's account."""
    bound = {
        document["roleRef"]["name"]
        for document in _documents()
        if document["kind"] == "ClusterRoleBinding" and document["subjects"][0]["name"] == function
    }
    return frozenset(
        (verb, group, resource)
        for document in _documents()
        if document["kind"] == "ClusterRole" and document["metadata"]["name"] in bound
        for rule in document["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    )


class GrantedKube:
    """Satisfies `functions.runtime.world.Kube`, as far as one function's role goes."""

    def __init__(self, kube: Kube, function: str) -> None:
        self._kube = kube
        self._function = function

    def get(self, ref: Ref) -> Manifest | None:
        self._ask("get", ref.kind)
        return self._kube.get(ref)

    def list(
        self,
        kind: Kind,
        namespace: str | None,
        labels: Selector | None = None,
    ) -> list[Manifest]:
        self._ask("list", kind)
        return self._kube.list(kind, namespace, labels)

    def apply(
        self, manifest: Manifest, *, manager: str, subresource: str = "", force: bool = False
    ) -> Manifest:
        ref = ref_of(manifest)
        self._ask("patch", ref.kind, subresource)
        if "uid" not in manifest["metadata"]:
            # It makes the object if that is not there.
            self._ask("create", ref.kind)
        return self._kube.apply(manifest, manager=manager, subresource=subresource, force=force)

    def replace(self, manifest: Manifest, *, manager: str) -> Manifest:
        self._ask("update", ref_of(manifest).kind)
        return self._kube.replace(manifest, manager=manager)

    def create(self, manifest: Manifest, *, manager: str) -> Manifest:
        self._ask("create", ref_of(manifest).kind)
        return self._kube.create(manifest, manager=manager)

    def delete(self, ref: Ref, *, uid: str) -> None:
        self._ask("delete", ref.kind)
        self._kube.delete(ref, uid=uid)

    def evict(self, ref: Ref, *, uid: str) -> None:
        self._ask("get", POD)
        self._ask("create", POD, "eviction")
        self._kube.evict(ref, uid=uid)

    def serves(self, kind: Kind) -> bool:
        return self._kube.serves(kind)

    def _ask(self, verb: str, kind: Kind, subresource: str = "") -> None:
        resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
        needed = (verb, kind.group, resource)
        assert needed in rights_of(self._function), f"{self._function} may not {' '.join(needed)}"
