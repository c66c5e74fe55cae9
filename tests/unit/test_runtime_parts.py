"""The small parts of the runtime: settings, logs, events, steps in words, turns."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from functions.adapters.memory import (
    MemoryAdminServers,
    MemoryJobPrograms,
    MemoryKube,
    MemoryZooKeeper,
)
from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import FieldConflict, InvalidEvent
from functions.api.kinds import CLUSTER, CONFIG_MAP, EVENT, KINDS, POD, Ref
from functions.planning.steps import (
    Announce,
    ApplyObject,
    ApplyToGeneration,
    CreateObject,
    DeleteObject,
    LookAgain,
    ReplaceObject,
    Step,
    WriteStatus,
)
from functions.runtime.apply import TwoWriters, Unfinished, apply, describe
from functions.runtime.events import Event, parse_event, reference_event, subject_of
from functions.runtime.logs import JsonLines, bound, set_up_logs
from functions.runtime.settings import DEFAULT_IMAGE, Settings, read_settings
from functions.runtime.turns import Turns
from functions.runtime.world import World

CONFIG = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "c", "namespace": "apps"},
    "data": {"a": "1"},
}
REF = Ref(CONFIG_MAP, "apps", "c")


@pytest.fixture
def kube() -> MemoryKube:
    return MemoryKube()


@pytest.fixture
def world(kube: MemoryKube) -> World:
    return World(
        kube=kube,
        zookeeper=MemoryZooKeeper(),
        programs=MemoryJobPrograms(),
        admin_servers=MemoryAdminServers(),
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        emit=lambda *_: None,
        fresh_password=lambda: "secret",
        settings=Settings(),
    )


@pytest.fixture
def cluster() -> ZooKeeperCluster:
    metadata = {"name": "zk", "namespace": "apps", "uid": "u", "generation": 1}
    return ZooKeeperCluster.parse({"metadata": metadata, "spec": {}})


def test_without_an_environment_every_setting_has_its_default() -> None:
    assert read_settings({}) == Settings()
    assert Settings().functions_image == DEFAULT_IMAGE


def test_the_sink_of_a_sink_binding_wins_over_the_broker_address() -> None:
    both = {"K_SINK": "http://sink", "BROKER_URL": "http://broker"}
    assert read_settings(both).broker_url == "http://sink"
    assert read_settings({"BROKER_URL": "http://broker"}).broker_url == "http://broker"


def test_an_installation_for_one_namespace_looks_at_nothing_else() -> None:
    one = read_settings({"WATCH_NAMESPACE": "apps"})
    assert (one.listed, one.looks_at("apps"), one.looks_at("other")) == ("apps", True, False)
    everywhere = read_settings({"WATCH_NAMESPACE": ""})
    assert (everywhere.listed, everywhere.looks_at("other")) == (None, True)


def test_where_the_functions_run_can_be_said() -> None:
    assert read_settings({"FUNCTIONS_NAMESPACE": "ours"}).installation.namespace == "ours"


@pytest.mark.parametrize("name", ["KUBERNETES_TIMEOUT", "ZOOKEEPER_TIMEOUT", "CONFLICT_PAUSE"])
def test_a_time_that_is_no_number_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}='soon' is not a number of seconds"):
        read_settings({name: "soon"})
    assert read_settings({name: "1.5"}) != Settings()


@pytest.fixture
def stray_handlers() -> Iterator[None]:
    ours = logging.getLogger("functions")
    handlers, propagate, level = list(ours.handlers), ours.propagate, ours.level
    yield
    ours.handlers[:], ours.propagate = handlers, propagate
    ours.setLevel(level)


def _line(**extra: Any) -> dict[str, Any]:
    record = logging.makeLogRecord({"msg": "step %s", "args": ("one",), "levelname": "INFO"})
    record.__dict__.update(extra)
    loaded: dict[str, Any] = json.loads(JsonLines().format(record))
    return loaded


def test_a_log_line_is_json_with_what_it_is_about() -> None:
    with bound(function="scale"), bound(cluster="apps/zk"):
        line = _line(step={"a": CONFIG_MAP})
    assert (line["message"], line["level"]) == ("step one", "INFO")
    assert (line["function"], line["cluster"]) == ("scale", "apps/zk")
    assert "step" in line
    assert "function" not in _line()


def test_a_traceback_is_one_field_of_the_line() -> None:
    try:
        json.loads("no json")
    except json.JSONDecodeError:
        line = _line(exc_info=sys.exc_info())
    assert "JSONDecodeError: Expecting value" in line["traceback"]


@pytest.mark.usefixtures("stray_handlers")
def test_logs_are_set_up_once() -> None:
    set_up_logs()
    count = len(logging.getLogger("functions").handlers)
    set_up_logs()
    assert len(logging.getLogger("functions").handlers) == count


def test_an_event_of_resync_names_its_object_as_the_api_server_source_does() -> None:
    ref = Ref(CLUSTER, "apps", "zk")
    attributes, data = reference_event(ref)
    assert subject_of(Event(attributes, data)) == ref
    path = "/apis/zookeeper.example.com/v1alpha1/namespaces/apps/zookeeperclusters/zk"
    assert attributes["subject"] == path


@pytest.mark.parametrize(("api_version", "name"), KINDS)
def test_the_subject_of_every_known_kind_is_found(api_version: str, name: str) -> None:
    ref = Ref(KINDS[api_version, name], "apps", "it")
    assert subject_of(Event(*reference_event(ref))) == ref


def test_a_body_that_is_too_large_is_not_even_parsed() -> None:
    with pytest.raises(InvalidEvent, match="at most 1048576 are read"):
        parse_event({}, b"x" * (2**20 + 1))


STEPS: list[tuple[Step, str]] = [
    (ApplyObject(CONFIG, "me"), "apply ConfigMap apps/c as me"),
    (ApplyToGeneration(CONFIG, "me", 3), "apply ConfigMap apps/c as me"),
    (WriteStatus(CONFIG, "me"), "write status of ConfigMap apps/c as me"),
    (CreateObject(CONFIG, "me"), "create ConfigMap apps/c"),
    (ReplaceObject(CONFIG, "me"), "replace ConfigMap apps/c"),
    (DeleteObject(REF, "u"), "delete ConfigMap apps/c"),
    (Announce("Normal", "Why", "Because."), "announce Normal Why: Because."),
    (LookAgain(), "look again"),
]


@pytest.mark.parametrize(("step", "words"), STEPS, ids=lambda value: type(value).__name__)
def test_every_step_has_words(step: Step, words: str) -> None:
    assert describe(step).startswith(words)


def test_a_plan_is_carried_out_in_its_order_and_stops_at_what_must_be_seen(
    world: World, kube: MemoryKube, cluster: ZooKeeperCluster
) -> None:
    later = {**CONFIG, "metadata": {"name": "later", "namespace": "apps"}}
    with pytest.raises(Unfinished):
        apply((CreateObject(CONFIG, "me"), LookAgain(), CreateObject(later, "me")), cluster, world)
    assert [write.ref.name for write in kube.writes] == ["c"]


def test_what_is_created_twice_and_deleted_twice_is_fine(
    world: World, kube: MemoryKube, cluster: ZooKeeperCluster
) -> None:
    apply((CreateObject(CONFIG, "me"), CreateObject(CONFIG, "me")), cluster, world)
    found = kube.get(REF)
    assert found is not None
    gone = DeleteObject(REF, found["metadata"]["uid"])
    apply((gone, gone), cluster, world)
    assert kube.get(REF) is None


@pytest.mark.parametrize(
    ("owner", "takes_over", "is_bug"),
    [
        pytest.param("kubectl-edit", frozenset(), False, id="a-persons-edit-is-taken-back"),
        pytest.param("observe", frozenset(), True, id="another-function-is-a-bug"),
        pytest.param("scale", frozenset({"scale"}), False, id="unless-it-hands-over"),
    ],
)
def test_a_field_of_somebody_else_is_taken_back_but_never_one_of_ours(
    world: World,
    kube: MemoryKube,
    cluster: ZooKeeperCluster,
    owner: str,
    takes_over: frozenset[str],
    is_bug: bool,
) -> None:
    kube.apply({**CONFIG, "data": {"a": "theirs"}}, manager=owner)
    plan = (ApplyObject(CONFIG, "reconcile-cluster", takes_over),)
    if is_bug:
        with pytest.raises(TwoWriters, match="observe") as caught:
            apply(plan, cluster, world)
        assert isinstance(caught.value.__cause__, FieldConflict)
    else:
        apply(plan, cluster, world)
    found = kube.get(REF)
    assert found is not None
    assert (found["data"]["a"] == "1") != is_bug


def test_the_same_news_is_told_once_a_transition(
    world: World, kube: MemoryKube, cluster: ZooKeeperCluster
) -> None:
    """Guards against G14: Events that say nothing, and one for every look."""
    news = Announce("Warning", "NoQuorum", "1 of 3 voters serve.", since="2026-01-01T00:00:00Z")
    apply((news, news), cluster, world)
    assert [event["message"] for event in kube.list(EVENT, "apps")] == ["1 of 3 voters serve."]
    later = Announce("Warning", "NoQuorum", "1 of 3 voters serve.", since="2026-01-02T00:00:00Z")
    apply((later,), cluster, world)
    assert len(kube.list(EVENT, "apps")) == 2


def test_one_cluster_is_worked_on_by_one_delivery_at_a_time_and_others_meanwhile() -> None:
    turns = Turns()
    order: list[str] = []
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with turns.of(REF):
            order.append("first")
            inside.set()
            assert leave.wait(5)
            order.append("first ends")

    def second() -> None:
        with turns.of(REF):
            order.append("second")

    threads = [threading.Thread(target=work) for work in (first, second)]
    threads[0].start()
    assert inside.wait(5)
    threads[1].start()
    with turns.of(Ref(POD, "apps", "c")):
        order.append("other")
    leave.set()
    for thread in threads:
        thread.join(5)
    assert order == ["first", "other", "first ends", "second"]
