"""The in-memory twin of the Kubernetes API: server-side apply, versions, deletion, eviction.

It answers what the real API server answers (one contract suite runs against both) as far as the
functions can tell the difference. It has no controllers: a StatefulSet makes no pods here, and
what an owner leaves behind goes away when a test calls `collect_garbage`. A deleted pod is gone
at once, as a pod on no node is in a cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from functions.adapters.memory.budget import blocking, has_labels
from functions.adapters.memory.faults import Faults
from functions.adapters.memory.fields import Object, owned
from functions.adapters.memory.ownership import (
    APPLY,
    UPDATE,
    Owner,
    Owners,
    apply,
    owners_of,
    update,
)
from functions.adapters.memory.requests import (
    MAIN,
    STATUS,
    as_json,
    check_preconditions,
    check_uid,
    free_metadata,
    joined,
    merged,
    part,
    requested,
    system_metadata,
)
from functions.adapters.memory.store import Admit, Clock, Store, Stored
from functions.adapters.preconditions import check_apply, check_create, without_empty_status
from functions.api.errors import AlreadyExists, Conflict, EvictionBlocked, NotServed, Refused
from functions.api.kinds import (
    CERTIFICATE,
    POD,
    POD_DISRUPTION_BUDGET,
    PROMETHEUS_RULE,
    SERVICE_MONITOR,
    Kind,
    Ref,
)
from functions.api.manifest import Manifest, Selector, ref_of

Manifests = list[Manifest]

# What the API server says of an object, that one put here from elsewhere keeps.
KEPT = frozenset({"generation", "deletionTimestamp", "deletionGracePeriodSeconds"})
# The kinds of the Prometheus operator and of cert-manager, which may not be there.
OPTIONAL = frozenset({SERVICE_MONITOR, PROMETHEUS_RULE, CERTIFICATE})


@dataclass(frozen=True, slots=True)
class Write:
    """One write request, whether or not it changed anything."""

    verb: str
    ref: Ref
    manager: str = ""
    subresource: str = ""


class MemoryKube:
    """A Kubernetes API in this process. Satisfies `functions.runtime.world.Kube`.

    `writes` lists every write request; `faults` makes chosen calls fail; `admit` may default and
    refuse objects as a CRD does (`(new, old) -> new`); kinds in `unserved` have no CRD here.
    """

    def __init__(
        self,
        *,
        now: Clock | None = None,
        admit: Admit | None = None,
        faults: Faults | None = None,
        unserved: frozenset[Kind] = OPTIONAL,
    ) -> None:
        self.faults = faults or Faults()
        self.writes: list[Write] = []
        self._store = Store(now, admit)
        self.unserved = unserved
        self._discovered: dict[str, frozenset[Kind]] = {}
        self._lagging: dict[Ref, Stored] | None = None

    # The port.

    def get(self, ref: Ref) -> Manifest | None:
        """Return the object as it is now, or None when there is none."""
        with self.faults.around():
            stored = self._seen().get(ref)
            return stored.shown() if stored else None

    def list(self, kind: Kind, namespace: str | None, labels: Selector | None = None) -> Manifests:
        """Return all objects of `kind` in `namespace` (None: all) that carry all `labels`."""
        with self.faults.around():
            self._check_served(kind)
            seen = self._seen()
            found = [
                ref
                for ref in seen
                if ref.kind == kind
                and namespace in (None, "", ref.namespace)
                and has_labels(seen[ref].object, labels or {})
            ]
            found.sort(key=lambda ref: (ref.namespace, ref.name))
            return [seen[ref].shown() for ref in found]

    def apply(
        self, manifest: Manifest, *, manager: str, subresource: str = "", force: bool = False
    ) -> Manifest:
        """Server-side apply as `manager`; returns the stored object."""
        ref = ref_of(manifest)
        self.writes.append(Write("apply", ref, manager, subresource))
        with self.faults.around():
            self._check_served(ref.kind)
            check_apply(manifest, subresource)
            wanted = requested(ref, without_empty_status(manifest), subresource)
            live = self._store.get(ref)
            check_preconditions(ref, manifest["metadata"], live.object if live else None)
            if live is None:
                if subresource:
                    raise Conflict(f'{ref.kind.plural} "{ref.name}" not found')
                ref, item = self._store.blank(ref, manifest["metadata"])
                live = Stored(item, {}, "")
            owner = Owner(manager, APPLY, subresource)
            item, owners = apply(ref.kind, live.object, live.owners, wanted, owner, force=force)
            return self._store.write(ref, item, owners).shown()

    def replace(self, manifest: Manifest, *, manager: str) -> Manifest:
        """Replace the whole object by compare-and-set on its resourceVersion."""
        self.writes.append(Write("replace", ref_of(manifest), manager))
        with self.faults.around():
            return self.update(manifest, manager=manager)

    def patch(self, ref: Ref, change: Manifest, *, manager: str) -> Manifest:
        """Merge `change` into the object, as `kubectl patch --type=merge` does."""
        self.writes.append(Write("patch", ref, manager))
        with self.faults.around():
            live = self._store.get(ref)
            if live is None:
                raise Conflict(f'{ref.kind.plural} "{ref.name}" not found')
            return self.update(merged(live.object, change), manager=manager)

    def create(self, manifest: Manifest, *, manager: str) -> Manifest:
        """Create; raises AlreadyExists."""
        ref = ref_of(manifest)
        self.writes.append(Write("create", ref, manager))
        with self.faults.around():
            self._check_served(ref.kind)
            check_create(manifest)
            if self._store.get(ref):
                raise AlreadyExists(f'{ref.kind.plural} "{ref.name}" already exists')
            wanted = requested(ref, manifest, MAIN)
            ref, blank = self._store.blank(ref, manifest["metadata"])
            owners = {Owner(manager, UPDATE): owned(ref.kind, wanted)}
            return self._store.write(ref, _over(blank, wanted), owners).shown()

    def delete(self, ref: Ref, *, uid: str) -> None:
        """Delete the object with exactly this uid; one that is already gone is success."""
        self.writes.append(Write("delete", ref))
        with self.faults.around():
            if stored := self._store.get(ref):
                check_uid(ref, uid, stored.object["metadata"]["uid"])
                self._store.remove(ref)

    def evict(self, ref: Ref, *, uid: str) -> None:
        """Evict the pod with exactly this uid, as far as its disruption budget allows."""
        self.writes.append(Write("evict", ref))
        with self.faults.around():
            stored = self._store.get(ref)
            if stored is None:
                return
            pods, budgets = (self._all(kind, ref) for kind in (POD, POD_DISRUPTION_BUDGET))
            if budget := blocking(stored.object, pods, budgets):
                raise EvictionBlocked(
                    "Cannot evict pod as it would violate the pod's disruption budget "
                    f"{budget['metadata']['name']}."
                )
            check_uid(ref, uid, stored.object["metadata"]["uid"])
            self._store.remove(ref)

    def serves(self, kind: Kind) -> bool:
        """Whether this kind is served here, as it was when its group was asked for first."""
        if kind.api_version not in self._discovered:
            with self.faults.around():
                self._discovered[kind.api_version] = self.unserved
        return kind not in self._discovered[kind.api_version]

    # What a test, or `render`, does around it. None of this is counted as a call.

    def load(self, manifests: Iterable[Manifest]) -> None:
        """Put all `manifests` there, as `put` does."""
        for manifest in manifests:
            self.put(manifest)

    def put(self, manifest: Manifest, *, manager: str = "") -> Manifest:
        """Store exactly this object, status included, as if `manager` had applied it.

        Without a manager nobody owns its fields, so that applying over them never conflicts.
        """
        kind, given = ref_of(manifest).kind, as_json(ref_of(manifest), manifest)
        operation = APPLY if manager else ""
        owners = {
            Owner(manager, operation, half): paths
            for half in (MAIN, STATUS)
            if (paths := owned(kind, part(kind, given, half)))
        }
        return self._put(given, owners)

    def mirror(self, manifest: Manifest) -> Manifest:
        """Store exactly this object of a real API server, with its field managers."""
        return self._put(
            as_json(ref_of(manifest), manifest),
            owners_of(manifest["metadata"].get("managedFields", ())),
        )

    def _put(self, given: Manifest, owners: Owners) -> Manifest:
        ref = ref_of(given)
        before = self._store.get(ref)
        if before is None:
            self._check_new_uid(ref, given["metadata"].get("uid"))
            ref, blank = self._store.blank(ref, given["metadata"])
            blank["metadata"] |= {k: v for k, v in given["metadata"].items() if k in KEPT}
        else:
            blank = {"metadata": system_metadata(before.object["metadata"])}
        item = _over({**blank, **given, "metadata": blank["metadata"]}, given)
        return self._store.write(ref, item, owners).shown()

    def update(self, manifest: Manifest, *, manager: str, subresource: str = "") -> Manifest:
        """Replace an object (or its status) as `kubectl edit` or a controller would."""
        ref = ref_of(manifest)
        live = self._store.get(ref)
        if live is None:
            raise Refused(f'{ref.kind.plural} "{ref.name}" not found')
        check_preconditions(ref, manifest["metadata"], live.object)
        halves = {half: part(ref.kind, live.object, half) for half in (MAIN, STATUS)}
        halves[subresource], owners = update(
            ref.kind,
            halves[subresource],
            {who: paths for who, paths in live.owners.items() if who.subresource == subresource},
            requested(ref, manifest, subresource),
            Owner(manager, UPDATE, subresource),
        )
        kept = {who: paths for who, paths in live.owners.items() if who.subresource != subresource}
        item = joined(_over(_identified(live.object), halves[MAIN]), halves[STATUS])
        return self._store.write(ref, item, {**kept, **owners}).shown()

    def stored(self, kind: Kind) -> Manifests:
        """Return all objects of `kind` as `list` does, not copied: to be read, never changed."""
        return [stored.to_read for _, stored in self._store.items(kind)]

    def stored_at(self, ref: Ref) -> Manifest | None:
        """Return what `get` does, not copied: to be read, never changed."""
        stored = self._store.get(ref)
        return stored.to_read if stored else None

    def forget_kinds(self) -> None:
        """Let a minute pass, after which it is asked anew which kinds are served."""
        self._discovered.clear()

    def collect_garbage(self) -> None:
        """Delete what names owners that are all gone, and then what that leaves behind."""
        while orphans := self._orphans():
            for ref in orphans:
                self._store.remove(ref)

    @contextmanager
    def lagging(self) -> Iterator[None]:
        """Let every read within see the state of now, whatever is written meanwhile."""
        self._lagging = self._store.snapshot()
        yield
        self._lagging = None

    def _orphans(self) -> Iterable[Ref]:
        alive = {stored.object["metadata"]["uid"] for _, stored in self._store.items()}
        return [
            ref
            for ref, stored in self._store.items()
            if "deletionTimestamp" not in stored.object["metadata"]
            and (owners := stored.object["metadata"].get("ownerReferences"))
            and not any(owner["uid"] in alive for owner in owners)
        ]

    def _seen(self) -> Mapping[Ref, Stored]:
        return self._store.snapshot() if self._lagging is None else self._lagging

    def _all(self, kind: Kind, beside: Ref) -> Iterable[Object]:
        return [
            stored.object
            for ref, stored in self._store.items(kind)
            if ref.namespace == beside.namespace
        ]

    def _check_served(self, kind: Kind) -> None:
        if kind in self.unserved:
            raise NotServed(f"The API server does not serve {kind.plural} of {kind.api_version}")

    def _check_new_uid(self, ref: Ref, uid: str | None) -> None:
        for other, stored in self._store.items():
            if uid and stored.object["metadata"]["uid"] == uid:
                raise Refused(f"{ref} cannot have the uid {uid}: {other} has it.")


def _identified(item: Object) -> Object:
    """Return `item` with nothing in it but what the API server says of it."""
    metadata = system_metadata(item["metadata"])
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": metadata}


def _over(blank: Object, wanted: Object) -> Object:
    """Return everything of `wanted`, under the metadata that `blank` already has."""
    metadata = {**free_metadata(wanted["metadata"]), **blank["metadata"]}
    return {**blank, **wanted, "metadata": metadata}
