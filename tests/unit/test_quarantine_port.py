"""The port of restored servers that nobody has looked at: nothing else in the pod listens there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from functions.api.cluster import ClusterSpec
from functions.api.ports import AGENT_PORT, PROGRESS_PORT
from functions.api.quarantine import quarantine_port

NAMES = ("clientPort", "followerPort", "leaderElectionPort")
NEAR = st.sampled_from([2181, *range(2187, 2197)])


def _spec(config: dict[str, int], admin: int, metrics: int) -> dict[str, Any]:
    return {
        "config": config,
        "adminServer": {"enabled": True, "port": admin},
        "metrics": {"enabled": True, "port": metrics},
    }


@given(st.tuples(NEAR, NEAR, NEAR), NEAR, NEAR)
def test_it_is_no_other_port_of_the_pod(config: tuple[int, ...], admin: int, metrics: int) -> None:
    asked = _spec(dict(zip(NAMES, config, strict=True)), admin, metrics)
    try:
        spec = ClusterSpec.model_validate(asked)
    except ValidationError:
        return  # Two of its own ports are the same.
    assert quarantine_port(spec) not in {*config, admin, metrics, AGENT_PORT, PROGRESS_PORT}


@pytest.mark.parametrize("is_enabled", [True, False])
def test_switching_something_on_does_not_move_it(is_enabled: bool) -> None:
    """The servers of a restore that is under way are asked there."""
    metrics = {"enabled": is_enabled, "port": 2189}
    assert quarantine_port(ClusterSpec.model_validate({"metrics": metrics})) == 2190
