"""Rights that are granted against rights that were used: roles compared with the audit log.

`python -m local rights` prints them. A right that a full run never uses is one too many; it is
counted per role, since a role bound in many namespaces is one decision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.audit import SERVICE_ACCOUNT, Call

Object = Mapping[str, Any]

PREFIX = "zookeeper-functions-"
KINDS = "clusterroles,roles,clusterrolebindings,rolebindings"
RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One verb on one resource; `name` when it is granted for one object only."""

    group: str
    resource: str
    verb: str
    name: str = ""

    def __str__(self) -> str:
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {resource}{f' {self.name}' if self.name else ''}"


@dataclass(frozen=True, slots=True)
class Use:
    """What became of one role: how often each of its rights was used."""

    role: str
    times: Mapping[Right, int]

    @property
    def unused(self) -> tuple[Right, ...]:
        return tuple(right for right, times in sorted(self.times.items()) if not times)


def uses(objects: Iterable[Object], calls: Iterable[Call]) -> list[Use]:
    """Return the use of each of our roles among (cluster) roles and bindings, by its name."""
    found = list(objects)
    holders = _holders(found)
    done: dict[str, dict[Right, int]] = defaultdict(lambda: defaultdict(int))
    for call in calls:
        if not call.is_denied:
            for right in _used(call):
                done[call.user][right] += 1
    return [
        Use(name, {right: _times(right, holders[name], done) for right in rights})
        for name, rights in sorted(_granted(found).items())
    ]


def table(found: Iterable[Use]) -> str:
    """Return the rights as a person reads them: how often each was used, role by role."""
    lines = []
    for use in found:
        lines.append(f"{use.role}: {len(use.times)} rights, {len(use.unused)} unused")
        lines += [f"{times:8}  {right}" for right, times in sorted(use.times.items())]
    return "\n".join(lines)


def _granted(objects: list[Object]) -> dict[str, set[Right]]:
    roles: dict[str, set[Right]] = defaultdict(set)
    for role in objects:
        name = role["metadata"]["name"]
        if role["kind"] in ("ClusterRole", "Role") and name.startswith(PREFIX):
            roles[name] |= {right for rule in role.get("rules") or () for right in _rights(rule)}
    return roles


def _rights(rule: Object) -> Iterator[Right]:
    for group in rule.get("apiGroups", ()):
        for resource in rule.get("resources", ()):
            for verb in rule["verbs"]:
                for name in rule.get("resourceNames") or ("",):
                    yield Right(group, resource, verb, name)


def _holders(objects: list[Object]) -> dict[str, set[str]]:
    """Return who holds each role, as the audit log names them."""
    holders: dict[str, set[str]] = defaultdict(set)
    for binding in objects:
        if binding["kind"] in ("ClusterRoleBinding", "RoleBinding"):
            holders[binding["roleRef"]["name"]] |= {
                f"{SERVICE_ACCOUNT}{subject['namespace']}:{subject['name']}"
                for subject in binding.get("subjects") or ()
                if subject["kind"] == "ServiceAccount"
            }
    return holders


def _used(call: Call) -> Iterator[Right]:
    """Return the rights that one call needed."""
    resource = "/".join(part for part in (call.resource, call.subresource) if part)
    yield Right(call.group, resource, call.verb, call.name)
    is_new = call.code == 201
    if call.verb == "patch" and is_new:
        # An apply to an object that is not there asks for both.
        yield Right(call.group, resource, "create", call.name)
    if (call.group, call.resource) == (RBAC, "rolebindings") and is_new:
        # Whoever binds a role it does not hold itself needs this; the log does not say which role.
        yield Right(RBAC, "clusterroles", "bind")


def _times(right: Right, holders: set[str], done: Mapping[str, Mapping[Right, int]]) -> int:
    return sum(
        times
        for holder in holders
        for used, times in done.get(holder, {}).items()
        if _covers(right, used)
    )


def _covers(right: Right, used: Right) -> bool:
    is_same = (right.group, right.resource, right.verb) == (used.group, used.resource, used.verb)
    return is_same and (not right.name or used.name in ("", right.name))
