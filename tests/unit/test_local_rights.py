"""Comparing roles with an audit log: what each right is counted for, and what is left unused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from local.audit import Call
from local.rights import RBAC, Right, table, uses

SCALE = "system:serviceaccount:zookeeper-functions:scale"
SERVER = "system:serviceaccount:{}:zk-sa"
ROLE = "zookeeper-functions-scale"


def call(verb: str, resource: str, *, user: str = SCALE, **more: Any) -> Call:
    given = {"group": "", "subresource": "", "name": "zk", "code": 200, "is_denied": False, **more}
    at = datetime(2026, 1, 31, tzinfo=UTC)
    return Call(user=user, verb=verb, resource=resource, namespace="one", at=at, **given)


def role(*rules: dict[str, Any], kind: str = "ClusterRole", name: str = ROLE) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name}, "rules": list(rules)}


def rule(resource: str, *verbs: str, group: str = "", **more: Any) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs), **more}


def binding(user: str = SCALE, kind: str = "ClusterRoleBinding") -> dict[str, Any]:
    namespace, _, name = user.removeprefix("system:serviceaccount:").partition(":")
    subject = {"kind": "ServiceAccount", "namespace": namespace, "name": name}
    return {"kind": kind, "metadata": {"name": name}, "roleRef": {"name": ROLE},
            "subjects": [subject, {"kind": "Group", "name": "people"}]}  # fmt: skip


def unused(*found: dict[str, Any], calls: tuple[Call, ...] = ()) -> list[str]:
    return [str(right) for use in uses(found, calls) for right in use.unused]


def test_a_right_that_no_call_needed_is_unused() -> None:
    found = (role(rule("pods", "list", "delete")), binding())
    assert unused(*found, calls=(call("list", "pods"),)) == ["delete pods"]


@pytest.mark.parametrize(
    ("granted", "made"),
    [
        pytest.param(rule("pods", "list"), call("get", "pods"), id="another-verb"),
        pytest.param(rule("jobs", "get", group="batch"), call("get", "jobs"), id="another-group"),
        pytest.param(rule("pods/eviction", "create"), call("create", "pods"), id="another-part"),
        pytest.param(rule("pods", "get"), call("get", "pods", user="admin"), id="another-caller"),
        pytest.param(rule("pods", "get"), call("get", "pods", is_denied=True), id="denied"),
        pytest.param(
            rule("pods", "get", resourceNames=["other"]), call("get", "pods"), id="another-name"
        ),
        pytest.param(rule("pods", "create"), call("patch", "pods"), id="apply-to-what-is-there"),
    ],
)
def test_a_call_does_not_count_for_what_it_did_not_need(
    granted: dict[str, Any], made: Call
) -> None:
    assert len(unused(role(granted), binding(), calls=(made,))) == 1


@pytest.mark.parametrize(
    ("granted", "made"),
    [
        pytest.param(
            rule("pods/eviction", "create"), call("create", "pods", subresource="eviction"),
            id="subresource",
        ),
        pytest.param(
            rule("pods", "create"), call("patch", "pods", code=201), id="apply-that-makes"
        ),
        pytest.param(
            rule("pods", "get", resourceNames=["zk"]), call("get", "pods"), id="the-named-one"
        ),
        pytest.param(
            rule("clusterroles", "bind", group=RBAC, resourceNames=["server"]),
            call("patch", "rolebindings", group=RBAC, code=201), id="binding-a-role",
        ),
    ],
)  # fmt: skip
def test_a_call_counts_for_all_it_needed(granted: dict[str, Any], made: Call) -> None:
    assert unused(role(granted), binding(), calls=(made,)) == []


def test_a_role_bound_in_many_namespaces_counts_once() -> None:
    bindings = [binding(SERVER.format(name), "RoleBinding") for name in ("one", "two")]
    found = role(rule("pods", "get"))
    (use,) = uses([found, *bindings], [call("get", "pods", user=SERVER.format("two"))] * 3)
    assert use.times == {Right("", "pods", "get"): 3}


def test_roles_of_others_are_left_out() -> None:
    assert uses([role(rule("pods", "get"), name="view"), binding()], []) == []


def test_the_table_names_each_right_with_its_count() -> None:
    found = (role(rule("jobs", "get", "list", group="batch")), binding())
    shown = table(uses(found, [call("get", "jobs", group="batch")])).splitlines()
    assert shown == [
        f"{ROLE}: 2 rights, 1 unused",
        "       1  get jobs.batch",
        "       0  list jobs.batch",
    ]
