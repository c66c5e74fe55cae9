"""What lies on the servers' volumes while restores come and go: whose data, and what is aside.

The decisions are the product's own (`functions.planning.restoring`); here is only what they do to a
volume, what a restore's programs do to it, and what must never come of it: servers of two histories
in one ensemble.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from functions.api.manifest import Manifest
from functions.planning.restoring import Restoring, Swap, Verdict, Volume, plan_restoring

PROGRAMS = ("stage", "arm", "clean")
FACTS = {"zxid": "0x100000007", "nodes": 9, "epoch": 1, "warnings": []}


@dataclass(frozen=True)
class Content:
    """One volume: the restore its data comes from, what a Job staged, and what lies aside.

    `own` is (is empty, history, zxid) of the data aside, while a restore is applied.
    """

    history: str = ""
    staged: frozenset[str] = frozenset()
    armed: str = ""
    is_applied: bool = False
    own: tuple[bool, str, int] = (True, "", 0)


@dataclass
class Volumes:
    """The volumes by the uid of their claim; `claims` are the uids by (namespace, name).

    `mixes` are servers that met another history, and clients that met a restore too early.
    """

    contents: dict[str, Content] = field(default_factory=dict)
    claims: dict[tuple[str, str], str] = field(default_factory=dict)
    mixes: list[str] = field(default_factory=list)

    def of(self, uid: str) -> Content:
        return self.contents.get(uid, Content())

    def change(self, uid: str, content: Content) -> None:
        self.contents[uid] = content

    def decide(self, uid: str, is_empty: bool, verdict: Verdict) -> Restoring:
        held = self.of(uid)
        swap = Swap.DONE if held.is_applied else Swap.NONE
        return plan_restoring(Volume(is_empty, held.armed, swap, held.history), verdict)

    def run(self, pod: Manifest) -> tuple[int, Manifest]:
        """Do what the program of a Job's pod does; return its exit code and its last words."""
        container, namespace = pod["spec"]["containers"][0], pod["metadata"]["namespace"]
        env = {entry["name"]: entry.get("value") for entry in container["env"]}
        program, uid = container["name"], str(env["RESTORE_UID"])
        for volume in pod["spec"]["volumes"]:
            if claim := volume.get("persistentVolumeClaim"):
                place = self.claims[namespace, claim["claimName"]]
                held = self.of(place)
                if program == "clean" and self._is_needed(held, uid, str(env["OUTCOME"])):
                    return 1, {"error": "The server has to start once more.", "final": False}
                if program == "arm" and uid not in held.staged:
                    return 2, {"error": "What was staged is not all there any more."}
                self.change(place, _after(program, held, uid))
        return 0, {} if program == "clean" else dict(FACTS)

    def _is_needed(self, held: Content, uid: str, outcome: str) -> bool:
        is_own = held.armed == uid
        return is_own and (held.is_applied if outcome == "kept" else not held.is_applied)


def _after(program: str, held: Content, uid: str) -> Content:
    if program == "stage":
        return replace(held, staged=held.staged | {uid})
    if program == "arm":
        # What an earlier restore put in place is the own data of this one.
        return replace(held, armed=uid, is_applied=held.is_applied and held.armed == uid)
    left = replace(held, staged=held.staged - {uid})
    return replace(left, armed="", is_applied=False) if held.armed == uid else left
