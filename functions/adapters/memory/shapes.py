"""How the API server merges each field: which lists are keyed, which values are one piece.

Server-side apply depends on it. Taken from the API's published schema (`x-kubernetes-list-type`,
`x-kubernetes-map-type`), for the fields that we or our users write; the contract suite compares
the twin with the real API server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from functions.api.kinds import (
    BACKUP,
    CERTIFICATE,
    CLUSTER,
    CRON_JOB,
    JOB,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    POD_DISRUPTION_BUDGET,
    PROMETHEUS_RULE,
    RESTORE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_MONITOR,
    STATEFUL_SET,
    Kind,
)


@dataclass(frozen=True, slots=True)
class KeyedBy:
    """A list of objects told apart by some of their fields, each owned on its own."""

    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Values:
    """A list of distinct scalars, each owned on its own."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A value that has one owner, whatever is in it."""


@dataclass(frozen=True, slots=True)
class Fields:
    """An object whose fields are owned one by one."""


Shape = KeyedBy | Values | Whole | Fields

# By the last names of the path, the longest match wins. Lists are `Whole` unless they are here,
# objects are `Fields` unless they are here.
_SHAPES: dict[tuple[str, ...], Shape] = {
    ("metadata", "finalizers"): Values(),
    ("metadata", "ownerReferences"): KeyedBy(("uid",)),
    ("status", "conditions"): KeyedBy(("type",)),
    ("containers",): KeyedBy(("name",)),
    ("initContainers",): KeyedBy(("name",)),
    ("volumes",): KeyedBy(("name",)),
    ("env",): KeyedBy(("name",)),
    ("volumeMounts",): KeyedBy(("mountPath",)),
    ("volumeDevices",): KeyedBy(("devicePath",)),
    ("containers", "ports"): KeyedBy(("containerPort", "protocol")),
    ("initContainers", "ports"): KeyedBy(("containerPort", "protocol")),
    ("spec", "ports"): KeyedBy(("port", "protocol")),
    ("spec", "imagePullSecrets"): KeyedBy(("name",)),
    ("spec", "groups"): KeyedBy(("name",)),
    ("topologySpreadConstraints",): KeyedBy(("topologyKey", "whenUnsatisfiable")),
    ("hostAliases",): KeyedBy(("ip",)),
    ("selector",): Whole(),
    ("labelSelector",): Whole(),
    ("namespaceSelector",): Whole(),
    ("nodeSelector",): Whole(),
    ("roleRef",): Whole(),
    ("fieldRef",): Whole(),
    ("resourceFieldRef",): Whole(),
    ("secretKeyRef",): Whole(),
    ("configMapKeyRef",): Whole(),
    ("secretRef",): Whole(),
    ("involvedObject",): Whole(),
}
_LONGEST = max(map(len, _SHAPES))

# Our own kinds, by whole path: as their CRDs say (a test compares).
_OUR_SHAPES: dict[tuple[str, ...], Shape] = {
    ("metadata", "finalizers"): Values(),
    ("metadata", "ownerReferences"): KeyedBy(("uid",)),
    ("spec", "env"): KeyedBy(("name",)),
    ("spec", "imagePullSecrets"): KeyedBy(("name",)),
    ("spec", "login", "users"): KeyedBy(("secretName",)),
    ("status", "bootstrap"): Whole(),
    ("status", "conditions"): KeyedBy(("type",)),
    ("status", "endpoints"): Whole(),
    ("status", "operation"): Whole(),
    ("status", "servers"): KeyedBy(("name",)),
}
_OURS = frozenset({CLUSTER, BACKUP, RESTORE})

KEY_DEFAULTS = {"protocol": "TCP"}

WITH_STATUS = frozenset(
    {CLUSTER, BACKUP, RESTORE, POD, PERSISTENT_VOLUME_CLAIM, SERVICE, STATEFUL_SET, JOB, CRON_JOB,
     POD_DISRUPTION_BUDGET, CERTIFICATE}
)  # fmt: skip

WITH_GENERATION = frozenset(
    {CLUSTER, BACKUP, RESTORE, POD, STATEFUL_SET, JOB, CRON_JOB, POD_DISRUPTION_BUDGET,
     SERVICE_MONITOR, PROMETHEUS_RULE, CERTIFICATE}
)  # fmt: skip

# What an update may not change, below `spec` (below the object for a RoleBinding).
FIXED: dict[Kind, tuple[tuple[str, ...], ...]] = {
    STATEFUL_SET: (
        ("spec", "selector"),
        ("spec", "serviceName"),
        ("spec", "podManagementPolicy"),
        ("spec", "volumeClaimTemplates"),
    ),
    JOB: (("spec", "selector"), ("spec", "template"), ("spec", "completionMode")),
    ROLE_BINDING: (("roleRef",),),
}

# What the API server fills in where nothing is said, as far as it decides how our functions act.
DEFAULTS: dict[Kind, dict[tuple[str, ...], Any]] = {
    STATEFUL_SET: {("spec", "replicas"): 1, ("status", "replicas"): 0},
}


def shape_of(kind: Kind, names: tuple[str, ...], value: Any) -> Shape | None:
    """Return how `value` at the field `names` of a `kind` is merged; None for a scalar."""
    if not isinstance(value, (dict, list)):
        return None
    if kind in _OURS:
        return _OUR_SHAPES.get(names, _default(value))
    for length in range(min(_LONGEST, len(names)), 0, -1):
        if found := _SHAPES.get(names[-length:]):
            return found
    return _default(value)


def _default(value: Any) -> Shape:
    return Whole() if isinstance(value, list) else Fields()
