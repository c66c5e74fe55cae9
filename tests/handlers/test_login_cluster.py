"""A cluster whose clients learn to log in, on the memory twin."""

from __future__ import annotations

import base64
from typing import Any

from functions.api.kinds import POD, SECRET, Ref
from functions.manifests.login import login_of

ASKED = {"users": [{"secretName": "alice"}]}
DEMANDED = {**ASKED, "required": True}


def _give(simulation: Any, name: str, password: str = "wonder") -> None:
    """Make a user's Secret, or give it another password."""
    data = {
        key: base64.b64encode(text.encode()).decode()
        for key, text in (("username", name), ("password", password))
    }
    metadata = {"name": name, "namespace": "apps"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
    simulation.kube.apply(
        {**secret, "type": "kubernetes.io/basic-auth"}, manager="person", force=True
    )


def _pods(simulation: Any) -> list[Any]:
    return list(simulation.kube.list(POD, "apps"))


def _is_required(simulation: Any) -> list[bool]:
    return [login_of(pod["metadata"]["annotations"]).is_required for pod in _pods(simulation)]


def _uids(simulation: Any) -> set[str]:
    return {pod["metadata"]["uid"] for pod in _pods(simulation)}


def test_a_running_cluster_learns_its_users_before_it_turns_anybody_away(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    assert simulation.condition("UsersKnown") == ("", "")
    _give(simulation, "alice")
    simulation.apply(replicas=3, login=DEMANDED)
    for _ in range(80):
        written, changed = simulation.round(), simulation.kubernetes()
        known = [login_of(pod["metadata"]["annotations"]).users for pod in _pods(simulation)]
        assert all(known) or not any(_is_required(simulation))
        if not written and not changed:
            break
    assert _is_required(simulation) == [True] * 3
    assert simulation.condition("UsersKnown") == ("True", "AsWanted")
    assert simulation.condition("Updated") == ("True", "AsWanted")
    assert not simulation.resync("unsettled")

    simulation.apply(replicas=3)
    simulation.settle()
    assert simulation.condition("UsersKnown") == ("", "")
    assert not any(login_of(pod["metadata"]["annotations"]).users for pod in _pods(simulation))


def test_another_password_is_a_roll_and_a_broken_secret_is_none(simulation: Any) -> None:
    _give(simulation, "alice")
    simulation.apply(replicas=3, login=DEMANDED)
    simulation.settle()
    before = _uids(simulation)
    _give(simulation, "alice", "broken\n};")
    simulation.settle()
    assert _uids(simulation) == before
    assert simulation.condition("UsersKnown") == ("False", "UserUnusable")
    assert simulation.condition("Reconciled") == ("False", "UserUnusable")
    assert simulation.condition("Available")[0] == "True"
    assert simulation.events().count("UserUnusable") == 1
    assert simulation.resync("unsettled")
    _give(simulation, "alice", "mended")
    simulation.settle()
    assert before.isdisjoint(_uids(simulation))
    assert _is_required(simulation) == [True] * 3
    assert simulation.condition("Reconciled") == ("True", "AsWanted")


def test_a_new_cluster_waits_for_its_users(simulation: Any) -> None:
    simulation.apply(replicas=3, login=ASKED)
    simulation.settle()
    assert simulation.pods() == []
    assert simulation.condition("Reconciled") == ("False", "UserUnusable")
    _give(simulation, "alice")
    simulation.settle()
    assert simulation.condition("UsersKnown") == ("True", "AsWanted")
    assert _is_required(simulation) == [False] * 3
    simulation.apply(replicas=3)
    simulation.settle()
    assert simulation.condition("UsersKnown") == ("", "")


def test_no_password_is_in_anything_but_secrets(simulation: Any) -> None:
    _give(simulation, "alice", "a-password-to-be-found")
    simulation.apply(replicas=3, login=DEMANDED)
    simulation.settle()
    written = {write.ref for write in simulation.kube.writes}
    texts = {ref: str(simulation.kube.get(ref)) for ref in written}
    stored = base64.b64encode(b"a-password-to-be-found").decode()
    assert not any("a-password-to-be-found" in text for text in texts.values())
    assert {ref for ref in written if stored in texts[ref]} == {Ref(SECRET, "apps", "alice")}
