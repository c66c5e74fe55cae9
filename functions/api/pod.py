"""What the servers' pods need: resources, environment, scheduling and probe timings."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from functions.api.config import OWNED_KEYS, OWNED_PREFIXES
from functions.api.rules import Rule, Spec, cel_list
from functions.api.values import (
    NONE_GIVEN,
    Bool,
    Count,
    Labels,
    PassedOn,
    PositiveCount,
    Quantity,
    StringMap,
    is_short,
    list_map,
    quantity,
    without_duplicates,
)

Amounts = Annotated[dict[str, Quantity], Field(max_length=16)]


def _limits_cover_requests(it: Resources) -> bool:
    return all(
        quantity(it.limits[name]) >= quantity(amount)
        for name, amount in it.requests.items()
        if name in it.limits
    )


class Resources(Spec):
    """CPU and memory of a server, as for any container."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.requests) || !has(self.limits) || "
            "self.requests.all(name, !(name in self.limits) || "
            f"!({is_short('self.limits[name]')}) || !({is_short('self.requests[name]')}) || "
            "!quantity(string(self.limits[name])).isLessThan("
            "quantity(string(self.requests[name]))))",
            "A limit in spec.resources is below the request for the same resource: raise the limit "
            "or lower the request.",
            _limits_cover_requests,
        ),
    )

    requests: Amounts = NONE_GIVEN
    """What a server is sure to get, for example cpu and memory."""
    limits: Amounts = NONE_GIVEN
    """What a server may use at most."""


# Memory is requested and limited alike, so that a server is not the first to be killed when its
# node runs short. CPU has no limit: a throttled server misses its heartbeats.
DEFAULT_RESOURCES = Resources(
    requests={"cpu": "250m", "memory": "512Mi"}, limits={"memory": "512Mi"}
)


class EnvVar(Spec):
    """One environment variable of the ZooKeeper container."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Its name."""
    value: str | None = None
    """Its value."""
    value_from: PassedOn | None = None
    """A source for its value, as in any pod (configMapKeyRef, secretKeyRef, fieldRef)."""


# These are how the functions tell a server its heap, its flags and the super user.
OWNED_VARIABLES = (
    "SUPER_DIGEST", "ZK_SERVER_HEAP", "SERVER_JVMFLAGS", "ZOO_LOG_DIR", "ZOO_LOG4J_PROP",
    "ZOOCFG", "ZOOCFGDIR",
)  # fmt: skip
Environment = Annotated[
    tuple[EnvVar, ...],
    Field(max_length=128, json_schema_extra=list_map("name")),
    AfterValidator(without_duplicates),
    Rule(
        f"self.all(entry, !(entry.name in {cel_list(OWNED_VARIABLES)}))",
        "This variable is set for you. The heap has spec.heap, further JVM flags have "
        "spec.jvmFlags, the log level has spec.logLevel.",
        lambda entries: not any(entry.name in OWNED_VARIABLES for entry in entries),
    ),
]


class ImagePullSecret(Spec):
    """A Secret with the credentials of an image registry."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """The Secret's name, in the cluster's namespace."""


ImagePullSecrets = Annotated[
    tuple[ImagePullSecret, ...],
    Field(max_length=16, json_schema_extra=list_map("name")),
    AfterValidator(without_duplicates),
]


_OWNED_FLAGS = tuple(f"-Dzookeeper.{key}" for key in (*OWNED_KEYS, *OWNED_PREFIXES))

# Printable ASCII without the blank, quotes, the backslash, the dollar sign and the backquote.
_PLAIN_FLAG = "-[!#%&(-Z^_a-~]+"

JvmFlag = Annotated[
    str,
    Field(max_length=512),
    Rule(
        f"self.matches('^{_PLAIN_FLAG}$')",
        "A JVM flag starts with a dash and has no blanks and no characters that a shell would "
        "read, for example -XX:+UseG1GC.",
        lambda flag: re.fullmatch(_PLAIN_FLAG, flag) is not None,
    ),
    Rule(
        f"!{cel_list(_OWNED_FLAGS)}.exists(owned, self.startsWith(owned))",
        "This flag sets something of ZooKeeper that keeps the data safe and is set for you. "
        "Remove it; what can be chosen has a field of its own in spec.",
        lambda flag: not flag.startswith(_OWNED_FLAGS),
    ),
]


class Toleration(Spec):
    """A taint of nodes that the pods accept, as in any pod."""

    key: str | None = None
    """The taint's key. Empty: every key."""
    operator: Literal["Exists", "Equal", "Lt", "Gt"] | None = None
    """How key and value are compared. Default: Equal."""
    value: str | None = None
    """The taint's value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The taint's effect. Empty: every effect."""
    toleration_seconds: Annotated[int, Field(strict=True)] | None = None
    """How long a pod stays on a node that got the taint (NoExecute)."""


# Named so that the rule below may look at it; what is inside is Kubernetes' own.
_ANY_OBJECT: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


class Pod(Spec):
    """Where and how the servers' pods run."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.affinity) || !has(self.affinity.podAntiAffinity) || "
            "self.antiAffinity != 'hard'",
            "spec.pod.antiAffinity: hard and spec.pod.affinity.podAntiAffinity both say how the "
            "pods keep apart: keep one of them.",
            lambda it: (
                it.affinity is None
                or "podAntiAffinity" not in it.affinity
                or it.anti_affinity != "hard"
            ),
        ),
    )

    labels: Labels = NONE_GIVEN
    """Further labels for the pods."""
    annotations: StringMap = NONE_GIVEN
    """Further annotations for the pods. A change rolls the servers."""
    anti_affinity: Literal["soft", "hard", "none"] = "soft"
    """Whether two servers may share a node: soft avoids it, hard forbids it, none ignores it."""
    affinity: Annotated[
        PassedOn | None,
        Field(json_schema_extra={"properties": {"podAntiAffinity": _ANY_OBJECT}}),
    ] = None
    """Affinity as in any pod. A podAntiAffinity given here replaces the soft default."""
    node_selector: StringMap = NONE_GIVEN
    """Labels a node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=64)] = ()
    """Taints of nodes that the pods accept."""
    topology_spread_constraints: Annotated[tuple[PassedOn, ...], Field(max_length=16)] = ()
    """Topology spread constraints as in any pod. Without a labelSelector they count this
    cluster's servers."""
    priority_class_name: Annotated[str, Field(max_length=253)] | None = None
    """The PriorityClass of the pods."""
    security_context: PassedOn | None = None
    """The pods' security context. Default: user, group and fsGroup 1000, no root."""
    assigned_user: Bool = False
    """Name no user, group and fsGroup: the platform assigns them to the namespace, as OpenShift
    does, and would refuse ours. A change rolls the servers."""
    termination_grace_period_seconds: Annotated[PositiveCount, Field(le=3600)] = 30
    """Seconds a server gets to stop before it is killed."""


class ReadinessProbe(Spec):
    """How often a server is asked whether it serves in a quorum."""

    initial_delay_seconds: Count = 0
    """Seconds before the first question."""
    period_seconds: PositiveCount = 2
    """Seconds between two questions."""
    timeout_seconds: PositiveCount = 3
    """Seconds an answer may take."""
    failure_threshold: PositiveCount = 3
    """Failures in a row after which the pod counts as not ready."""
    success_threshold: PositiveCount = 1
    """Successes in a row after which the pod counts as ready."""


class LivenessProbe(Spec):
    """How often a server is asked whether it answers at all; patient, since a restart costs."""

    initial_delay_seconds: Count = 30
    """Seconds before the first question."""
    period_seconds: PositiveCount = 15
    """Seconds between two questions."""
    timeout_seconds: PositiveCount = 10
    """Seconds an answer may take."""
    failure_threshold: PositiveCount = 6
    """Failures in a row after which the server is restarted."""


class Probes(Spec):
    """The timings of the two probes. What they ask is fixed."""

    readiness: ReadinessProbe = ReadinessProbe()
    """Does the server serve in a quorum?"""
    liveness: LivenessProbe = LivenessProbe()
    """Does the server answer at all?"""
