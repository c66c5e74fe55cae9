"""The guard that holds every handler test to the roles: it refuses what is not granted."""

from __future__ import annotations

from typing import Any

import pytest

from functions.api.kinds import CLUSTER, POD, SECRET, STATEFUL_SET, Ref
from tests.handlers.granted import GrantedKube

SECRET_REF = Ref(SECRET, "apps", "zk-super-user")
SET: Any = {
    "apiVersion": STATEFUL_SET.api_version,
    "kind": STATEFUL_SET.name,
    "metadata": {"name": "zk", "namespace": "apps"},
    "spec": {},
}


@pytest.mark.parametrize(
    ("function", "call"),
    [
        pytest.param("observe", lambda kube: kube.get(SECRET_REF), id="get"),
        pytest.param("dead-letter", lambda kube: kube.list(POD, None), id="list"),
        pytest.param("roll", lambda kube: kube.apply(SET, manager="roll"), id="apply"),
        pytest.param("scale", lambda kube: kube.apply(SET, manager="scale"), id="apply-that-makes"),
        pytest.param("scale", lambda kube: kube.replace(SET, manager="scale"), id="replace"),
        pytest.param("scale", lambda kube: kube.create(SET, manager="scale"), id="create"),
        pytest.param("scale", lambda kube: kube.delete(SECRET_REF, uid="u"), id="delete"),
        pytest.param("scale", lambda kube: kube.evict(Ref(POD, "a", "b"), uid="u"), id="evict"),
        pytest.param(
            "backup", lambda kube: kube.get(Ref(CLUSTER, "apps", "zk")), id="another-verb"
        ),
    ],
)
def test_what_a_role_does_not_grant_is_a_failure(simulation: Any, function: str, call: Any) -> None:
    with pytest.raises(AssertionError, match=f"{function} may not"):
        call(GrantedKube(simulation.kube, function))
