"""The Kubernetes port over REST: get, list, apply, create, delete, evict and discovery."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from functions.adapters.kubernetes.answers import Expired, NotFound
from functions.adapters.kubernetes.rest import Rest
from functions.adapters.preconditions import check_apply, check_create, without_empty_status
from functions.api.errors import Conflict, NotServed, Refused, Unavailable
from functions.api.kinds import Kind, Ref
from functions.api.manifest import Manifest, Selector, ref_of

# Inside the class, `list` is the method.
Manifests = list[Manifest]

# A page is held twice, as text and as objects: few enough that this is no burden.
PAGE = 100
LIST_ATTEMPTS = 3
DISCOVERY_SECONDS = 60.0

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
# A misspelt field is a bug of a builder: it must fail, not vanish.
_STRICT = {"fieldValidation": "Strict"}


class KubernetesApi:
    """The API server, uncached. Satisfies `functions.runtime.world.Kube`."""

    def __init__(self, rest: Rest, *, discovery_seconds: float = DISCOVERY_SECONDS) -> None:
        self._rest = rest
        self._discovery_seconds = discovery_seconds
        self._discovered: dict[str, tuple[float, frozenset[str]]] = {}

    def get(self, ref: Ref) -> Manifest | None:
        """Return the object as it is now, or None when there is none."""
        try:
            return _object(ref, self._rest.call("GET", _path(ref)))
        except NotFound:
            return None

    def list(self, kind: Kind, namespace: str | None, labels: Selector | None = None) -> Manifests:
        """Return all objects of `kind` in `namespace` (None: all) that carry all `labels`."""
        query = {"limit": str(PAGE)}
        if labels:
            query["labelSelector"] = ",".join(_selecting(*label) for label in labels.items())
        for _ in range(LIST_ATTEMPTS):
            try:
                return self._pages(kind, namespace or "", query)
            except Expired:
                continue
            except NotFound as error:
                raise Refused(
                    f"The API server does not serve {kind.plural} of {kind.api_version}: {error}"
                ) from error
        raise Unavailable(f"The list of {kind.plural} expired {LIST_ATTEMPTS} times while read.")

    def apply(
        self, manifest: Manifest, *, manager: str, subresource: str = "", force: bool = False
    ) -> Manifest:
        """Server-side apply as `manager`; returns the stored object."""
        ref = ref_of(manifest)
        check_apply(manifest, subresource)
        path = _path(ref) + (f"/{subresource}" if subresource else "")
        body = without_empty_status(manifest)
        query = {"fieldManager": manager, "force": str(force).lower(), **_STRICT}
        try:
            answer = self._rest.call("PATCH", path, query=query, body=body, content_type=_APPLY)
        except NotFound as error:
            raise _nowhere(ref, error) from error
        return _object(ref, answer)

    def replace(self, manifest: Manifest, *, manager: str) -> Manifest:
        """Replace the whole object by compare-and-set on its resourceVersion."""
        ref = ref_of(manifest)
        query = {"fieldManager": manager, **_STRICT}
        try:
            answer = self._rest.call("PUT", _path(ref), query=query, body=manifest)
        except NotFound as error:
            raise _nowhere(ref, error) from error
        return _object(ref, answer)

    def patch(self, ref: Ref, change: Manifest, *, manager: str) -> Manifest:
        """Merge `change` into the object, as `kubectl patch --type=merge` does."""
        query = {"fieldManager": manager, **_STRICT}
        try:
            return self._rest.call(
                "PATCH", _path(ref), query=query, body=change, content_type=_MERGE
            )
        except NotFound as error:
            raise _nowhere(ref, error) from error

    def ask_pod(self, pod: Ref, port: int, path: str) -> Manifest:
        """Return the JSON object at a path of a program in a pod, through the API server's proxy.

        For whoever reaches the API server but not the pods.
        """
        return self._rest.call(
            "GET", f"{_collection(pod.kind, pod.namespace)}/{pod.name}:{port}/proxy{path}"
        )

    def create(self, manifest: Manifest, *, manager: str) -> Manifest:
        """Create; raises AlreadyExists."""
        ref = ref_of(manifest)
        check_create(manifest)
        query = {"fieldManager": manager, **_STRICT}
        try:
            answer = self._rest.call(
                "POST", _collection(ref.kind, ref.namespace), query=query, body=manifest
            )
        except NotFound as error:
            raise _nowhere(ref, error) from error
        return _object(ref, answer)

    def delete(self, ref: Ref, *, uid: str) -> None:
        """Delete the object with exactly this uid; one that is already gone is success."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            # The default of some kinds is to orphan what the object owns.
            "propagationPolicy": "Background",
        }
        try:
            self._rest.call("DELETE", _path(ref), body=options)
        except NotFound:
            return

    def evict(self, ref: Ref, *, uid: str) -> None:
        """Evict the pod with exactly this uid; one that is already gone is success.

        The uid is looked at first, because the API server tries an eviction whose precondition
        fails again for ten seconds before it says so.
        """
        pod = self.get(ref)
        if pod is None:
            return
        if pod["metadata"]["uid"] != uid:
            raise Conflict(f"The pod {ref.namespace}/{ref.name} is another one by now.")
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": ref.name, "namespace": ref.namespace},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        try:
            self._rest.call("POST", f"{_path(ref)}/eviction", body=eviction)
        except NotFound:
            return

    def serves(self, kind: Kind) -> bool:
        """Whether the API server serves this kind, as of the last minute.

        What kinds there are changes by a person's hand, about once a year: it is the one answer
        that is kept, for all kinds of a group at once.
        """
        path = _version_path(kind)
        until, plurals = self._discovered.get(path, (0.0, frozenset()))
        if time.monotonic() >= until:
            plurals = self._discover(path)
            self._discovered[path] = (time.monotonic() + self._discovery_seconds, plurals)
        return kind.plural in plurals

    def _discover(self, path: str) -> frozenset[str]:
        try:
            found = self._rest.call("GET", path)
        except NotFound:
            return frozenset()
        return frozenset(entry["name"] for entry in found.get("resources") or [])

    def _pages(self, kind: Kind, namespace: str, query: Mapping[str, str]) -> Manifests:
        found: Manifests = []
        place = ""
        while True:
            page = self._rest.call(
                "GET",
                _collection(kind, namespace),
                query={**query, "continue": place} if place else query,
            )
            items, place = _page(kind, page)
            found += items
            if not place:
                return found


def _object(ref: Ref, answer: dict[str, Any]) -> Manifest:
    """Return the answer as the object that was meant; raises Unavailable when it is another."""
    metadata = answer.get("metadata")
    # Of an object whose name the API server makes up, any name is right.
    if not isinstance(metadata, dict) or (ref.name and metadata.get("name") != ref.name):
        raise Unavailable(f"The answer about {ref.kind.name} {ref.name} is not of that object.")
    return answer


def _page(kind: Kind, answer: dict[str, Any]) -> tuple[Manifests, str]:
    """Return the objects of one page of a list and where the next begins, if there is one."""
    items, metadata = answer.get("items"), answer.get("metadata")
    if not isinstance(items, list | None) or not isinstance(metadata, dict):
        raise Unavailable(f"The answer to a list of {kind.plural} is no list.")
    return [_typed(kind, item) for item in items or []], metadata.get("continue", "")


def _nowhere(ref: Ref, error: NotFound) -> Conflict | NotServed:
    """Return what a 404 to a write means: the object went away, or its place never was."""
    text = f"{ref.kind.name} {ref.namespace}/{ref.name} cannot be written: {error}"
    gone = str(error).startswith(f"{_resource(ref.kind)} ")
    return Conflict(text) if gone else NotServed(text)


def _resource(kind: Kind) -> str:
    """Return the name the API server gives a resource in its messages: `statefulsets.apps`."""
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


def _selecting(key: str, value: str | tuple[str, ...]) -> str:
    return f"{key}={value}" if isinstance(value, str) else f"{key} in ({','.join(value)})"


def _typed(kind: Kind, item: dict[str, Any]) -> Manifest:
    """Add what a list leaves out of its items, so that an object always says what it is.

    Who wrote what is left out: it is half of an object, and nobody asks for it of a list.
    """
    item["metadata"].pop("managedFields", None)
    return {**item, "apiVersion": kind.api_version, "kind": kind.name}


def _version_path(kind: Kind) -> str:
    return f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.api_version}"


def _collection(kind: Kind, namespace: str) -> str:
    inside = f"/namespaces/{namespace}" if namespace else ""
    return f"{_version_path(kind)}{inside}/{kind.plural}"


def _path(ref: Ref) -> str:
    return f"{_collection(ref.kind, ref.namespace)}/{ref.name}"
