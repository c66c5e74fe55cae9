"""What `kubectl zk` shows, in full: the screens and the JSON are files under tests/golden/plugin.

`UPDATE_GOLDEN=1` writes them anew; read them as the person on call would.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from functions.api.kinds import POD, STATEFUL_SET, Ref
from tests.expected import TESTS, check_text
from tests.handlers.conftest import Simulation
from tests.handlers.plugin import Plugin, WithFunctions

GOLDEN = TESTS / "golden" / "plugin"
WIDTH = 80
MAY_NOT_EXEC = (
    'pods "small-0" is forbidden: User "eve" cannot create resource "pods/exec" in API group "" '
    'in the namespace "default"'
)


@pytest.fixture(scope="module")
def backed_up(serving: Simulation) -> Simulation:
    simulation = serving.fork()
    simulation.apply_backup("once", "default", source={"name": "small"})
    simulation.settle()
    return simulation


def growing(simulation: Simulation) -> None:
    simulation.apply("small", "default", replicas=5)


def outdated(simulation: Simulation) -> None:
    simulation.apply("small", "default", replicas=3, logLevel="DEBUG")
    simulation.round(("reconcile-cluster",))
    simulation.kubernetes()


def majority_lost(simulation: Simulation) -> None:
    simulation.lose("small-0", "small-1", namespace="default")
    for _ in range(3):
        simulation.kubernetes()
        simulation.round()


def two_clusters(simulation: Simulation) -> None:
    simulation.apply("other", "default", replicas=1)
    simulation.apply("far", "apps", replicas=3, stopped=True)


def stopped(simulation: Simulation) -> None:
    simulation.apply("small", "default", replicas=3, stopped=True)
    simulation.settle()


def single(simulation: Simulation) -> None:
    simulation.apply("other", "default", replicas=1)
    simulation.settle()


def restoring(simulation: Simulation) -> None:
    simulation.apply_restore("back", "default", target={"name": "small"})
    for _ in range(4):
        simulation.round()
        simulation.kubernetes()


def as_it_is(simulation: Simulation) -> None:
    del simulation


SCREENS: list[tuple[str, Callable[[Simulation], None], tuple[str, ...]]] = [
    ("status", as_it_is, ("status",)),
    ("status-json", as_it_is, ("status", "small", "-o", "json")),
    ("status-of-several", two_clusters, ("status", "-A")),
    ("status-of-several-json", two_clusters, ("status", "-o", "json")),
    ("status-growing", growing, ("status", "small")),
    ("status-stopped", stopped, ("status", "small")),
    ("status-majority-lost", majority_lost, ("status", "small")),
    ("status-restoring", restoring, ("status", "small")),
    ("status-advised", single, ("status", "other")),
    ("status-advised-json", single, ("status", "other", "-o", "json")),
    ("plan-nothing", as_it_is, ("plan", "small")),
    ("plan-growing", growing, ("plan", "small")),
    ("plan-outdated", outdated, ("plan", "small")),
    ("plan-outdated-json", outdated, ("plan", "small", "-o", "json")),
    ("plan-majority-lost", majority_lost, ("plan", "small")),
    ("plan-restoring", restoring, ("plan", "small")),
    ("events", as_it_is, ("events", "small")),
    ("events-json", as_it_is, ("events", "small", "-o", "json")),
]


@pytest.mark.parametrize(("name", "make", "words"), SCREENS, ids=[name for name, *_ in SCREENS])
def test_what_is_shown(
    backed_up: Simulation,
    name: str,
    make: Callable[[Simulation], None],
    words: tuple[str, ...],
) -> None:
    simulation = backed_up.fork()
    make(simulation)
    plugin = Plugin(simulation)
    before = len(simulation.kube.writes)
    shown = plugin.run(*words)
    assert plugin.code == 0
    assert len(simulation.kube.writes) == before, "looking changed something"
    if words[-1] == "json":
        assert json.loads(shown)["version"] == 1
    else:
        assert [line for line in shown.splitlines() if len(line) > WIDTH] == []
    check_text(GOLDEN / f"{name}.txt", shown)


@pytest.mark.parametrize("command", ["status", "plan"])
def test_what_may_not_be_asked_is_said_and_not_guessed(backed_up: Simulation, command: str) -> None:
    shown = Plugin(backed_up.fork(), denied=MAY_NOT_EXEC).run(command, "small")
    check_text(GOLDEN / f"{command}-without-exec.txt", shown)


def test_a_status_that_nobody_keeps_up_to_date_says_so(backed_up: Simulation) -> None:
    plugin = Plugin(backed_up.fork())
    assert plugin.run("status", "small").endswith("All is as wanted.\n")
    plugin.kube = WithFunctions(plugin.simulation.kube, "nowhere")
    check_text(GOLDEN / "status-uninstalled.txt", plugin.run("status", "small"))
    assert missing_from(plugin) == "zookeeper-functions"


def test_functions_are_looked_for_where_the_agents_send_their_events(backed_up: Simulation) -> None:
    plugin = Plugin(backed_up.fork())
    found = plugin.simulation.kube.get(Ref(STATEFUL_SET, "default", "small"))
    assert found is not None
    for container in found["spec"]["template"]["spec"]["containers"]:
        url = {"name": "BROKER_URL", "value": "http://ingress.example.com/team-a/zookeeper"}
        container["env"] = [*container.get("env", ()), url]
    plugin.simulation.kube.put(found)
    assert missing_from(plugin) == "team-a"
    plugin.kube = WithFunctions(plugin.simulation.kube, "team-a")
    assert missing_from(plugin) is None


def test_functions_that_a_person_may_not_see_do_not_count_as_missing(backed_up: Simulation) -> None:
    plugin = Plugin(backed_up.fork())
    plugin.kube = WithFunctions(plugin.simulation.kube, "nowhere", is_denied=True)
    assert plugin.run("status", "small").endswith("All is as wanted.\n")


def missing_from(plugin: Plugin) -> str | None:
    told = json.loads(plugin.run("status", "small", "-o", "json"))
    missing: str | None = told["functionsMissingFrom"]
    return missing


def test_a_plan_is_what_the_function_then_does(backed_up: Simulation) -> None:
    simulation = backed_up.fork()
    outdated(simulation)
    planned = json.loads(Plugin(simulation).run("plan", "small", "-o", "json"))["plans"]
    steps = {it["function"]: it["steps"] for it in planned if "Cluster" in it["object"]}
    assert steps["scale"] == steps["observe"] == []
    before = pods(simulation)
    simulation.round(("roll",))
    gone = before - pods(simulation)
    assert gone == {"small-2"}
    assert [f"evict Pod {pod}, as far as the disruption budget allows" for pod in gone] == [
        step for step in steps["roll"] if "evict" in step
    ]


def pods(simulation: Simulation) -> set[str]:
    return {pod["metadata"]["name"] for pod in simulation.kube.list(POD, "default")}


@pytest.mark.thorough
def test_a_plan_takes_fields_away_as_the_api_server_would(backed_up: Simulation) -> None:
    """Who owns a field decides that; without owners `roll` would plan for ever to end its step."""
    simulation = backed_up.fork()
    outdated(simulation)
    for _ in range(20):
        plans = json.loads(Plugin(simulation).run("plan", "small", "-o", "json"))["plans"]
        assert [it["unknown"] for it in plans] == [None] * len(plans)
        if any("no operation any more" in step for it in plans for step in it["steps"]):
            return
        simulation.round()
        simulation.kubernetes()
    raise AssertionError("the roll never ended its step")
