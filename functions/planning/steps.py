"""The steps a planner can ask for: values that say what to do, applied by `runtime/apply.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from functions.api.kinds import Ref
from functions.api.manifest import Manifest


@dataclass(frozen=True, slots=True)
class ApplyObject:
    """Server-side apply of this manifest as field manager `manager`.

    `uid` and `resourceVersion` in it, where given, are preconditions. Fields that a manager in
    `takes_over` of our own holds are taken from it: who creates an object owns all of it at first.
    """

    manifest: Manifest
    manager: str
    takes_over: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ApplyToGeneration:
    """Apply to the object whose spec nobody changed since it was read; its status may have.

    For what follows at once on something that changes the status of the object.
    """

    manifest: Manifest
    manager: str
    generation: int


@dataclass(frozen=True, slots=True)
class ApplyWhereServed:
    """Apply an object of a kind that not every API server has; where it went away, nothing."""

    manifest: Manifest
    manager: str


@dataclass(frozen=True, slots=True)
class ReplaceObject:
    """Replace the object as it was read: for entries of others that clash with ours."""

    manifest: Manifest
    manager: str


@dataclass(frozen=True, slots=True)
class CreateObject:
    """Create once; that it is there already is success."""

    manifest: Manifest
    manager: str


@dataclass(frozen=True, slots=True)
class DeleteObject:
    """Delete exactly the object with this uid."""

    ref: Ref
    uid: str


@dataclass(frozen=True, slots=True)
class EvictPod:
    """Remove exactly the pod with this uid, as far as the disruption budget allows."""

    ref: Ref
    uid: str


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Apply one function's complete slice of an object's status, by compare-and-set."""

    manifest: Manifest
    manager: str


@dataclass(frozen=True, slots=True)
class Reconfigure:
    """Change the ensemble's member list by compare-and-set on its version.

    `joining` is a line of a member list, or several with commas, `leaving` an id; either may be
    empty. `host` is asked, `witnesses` tell afterwards whether a change whose answer was lost took
    effect. `port` is that of servers that do not serve clients yet; 0: the clients'. With
    `tls_name`, the name in its certificate, the server is asked by TLS.
    """

    host: str
    witnesses: tuple[str, ...]
    joining: str
    leaving: str
    from_config: int
    port: int = 0
    tls_name: str = ""


@dataclass(frozen=True, slots=True)
class Announce:
    """Make a Kubernetes Event about the object that is worked on, for `kubectl describe`.

    `since` tells one transition from the next of the same kind: what was so before it.
    """

    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    since: str = ""


@dataclass(frozen=True, slots=True)
class LookAgain:
    """End the plan and make a new one at once: what was made must be seen before going on."""


Step = (
    ApplyObject
    | ApplyToGeneration
    | ApplyWhereServed
    | ReplaceObject
    | CreateObject
    | DeleteObject
    | EvictPod
    | WriteStatus
    | Reconfigure
    | Announce
    | LookAgain
)
Plan = tuple[Step, ...]
