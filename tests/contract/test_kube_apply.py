"""Server-side apply, on the real API server and its twin: owners, conflicts, preconditions."""

from __future__ import annotations

import pytest

from functions.api.errors import Conflict, FieldConflict
from functions.api.kinds import (
    CONFIG_MAP,
)
from tests.contract.sides import (
    Side,
    config_map,
    made,
    now,
    version,
)

pytestmark = pytest.mark.contract


def test_apply_creates_what_is_missing(side: Side) -> None:
    made = side.kube.apply(config_map(side, a="1"), manager="one")
    assert made["data"] == {"a": "1"}
    assert now(side, CONFIG_MAP, "it") == made
    assert {made["kind"], made["apiVersion"]} == {"ConfigMap", "v1"}
    assert made["metadata"]["uid"]
    assert made["metadata"]["creationTimestamp"].endswith("Z")


def test_an_apply_that_changes_nothing_keeps_the_resource_version(side: Side) -> None:
    first = side.kube.apply(config_map(side, a="1"), manager="one")
    assert version(side.kube.apply(config_map(side, a="1"), manager="one")) == version(first)
    assert version(side.kube.apply(config_map(side, a="2"), manager="one")) != version(first)


def test_an_apply_with_fewer_fields_erases_the_others_of_that_manager(side: Side) -> None:
    side.kube.apply(config_map(side, a="1", b="2"), manager="one")
    side.kube.apply(config_map(side, c="3"), manager="two")
    assert side.kube.apply(config_map(side, a="1"), manager="one")["data"] == {"a": "1", "c": "3"}


def test_a_field_that_two_managers_agree_on_stays_until_both_drop_it(side: Side) -> None:
    side.kube.apply(config_map(side, a="1", b="1"), manager="one")
    side.kube.apply(config_map(side, a="1"), manager="two")
    assert side.kube.apply(config_map(side, b="1"), manager="one")["data"] == {"a": "1", "b": "1"}
    assert side.kube.apply(config_map(side), manager="two")["data"] == {"b": "1"}


def test_changing_what_somebody_else_owns_is_a_conflict_that_names_him(side: Side) -> None:
    side.kube.apply(config_map(side, a="1"), manager="one")
    side.kube.apply(config_map(side, b="1"), manager='the "other"')
    with pytest.raises(FieldConflict) as caught:
        side.kube.apply(config_map(side, a="2", b="2"), manager="two")
    assert caught.value.managers == {"one", 'the "other"'}
    assert now(side, CONFIG_MAP, "it")["data"] == {"a": "1", "b": "1"}


def test_force_takes_what_somebody_else_owns(side: Side) -> None:
    side.kube.apply(config_map(side, a="1", b="1"), manager="one")
    side.kube.apply(config_map(side, a="2"), manager="two", force=True)
    with pytest.raises(FieldConflict):
        side.kube.apply(config_map(side, a="1", b="1"), manager="one")
    assert side.kube.apply(config_map(side, b="1"), manager="one")["data"] == {"a": "2", "b": "1"}


def test_a_foreign_edit_conflicts_and_is_mended_by_force(side: Side) -> None:
    applied = side.kube.apply(config_map(side, a="1"), manager="one")
    side.edit({**applied, "data": {"a": "edited"}}, manager="kubectl-edit")
    with pytest.raises(FieldConflict) as caught:
        side.kube.apply(config_map(side, a="1"), manager="one")
    assert caught.value.managers == {"kubectl-edit"}
    assert side.kube.apply(config_map(side, a="1"), manager="one", force=True)["data"]["a"] == "1"


def test_an_apply_with_an_old_resource_version_is_a_conflict(side: Side) -> None:
    old = version(side.kube.apply(config_map(side, a="1"), manager="one"))
    side.kube.apply(config_map(side, a="2"), manager="one")
    about = {"resourceVersion": old, "uid": now(side, CONFIG_MAP, "it")["metadata"]["uid"]}
    stale = made(side, CONFIG_MAP, "it", data={"a": "3"}, metadata=about)
    with pytest.raises(Conflict) as caught:
        side.kube.apply(stale, manager="one")
    assert not isinstance(caught.value, FieldConflict)
    assert now(side, CONFIG_MAP, "it")["data"] == {"a": "2"}


def test_an_apply_for_another_uid_is_a_conflict(side: Side) -> None:
    side.kube.apply(config_map(side, a="1"), manager="one")
    other = made(side, CONFIG_MAP, "it", data={"a": "2"}, metadata={"uid": "not-this"})
    with pytest.raises(Conflict):
        side.kube.apply(other, manager="one")
    assert now(side, CONFIG_MAP, "it")["data"] == {"a": "1"}
