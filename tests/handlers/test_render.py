"""Functions without a cluster: `python -m functions render` on sample events and worlds.

The worlds are what the simulation comes to; both they and what is rendered on them are files
under tests/worlds and tests/golden (`UPDATE_GOLDEN=1` writes them anew).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from functions.__main__ import main
from functions.adapters.memory import MemoryEnsemble
from functions.adapters.memory.kube import OPTIONAL
from functions.api.kinds import BACKUP, CLUSTER, EVENT, KINDS, POD, RESTORE, STATEFUL_SET, Ref
from tests.expected import TESTS, as_yaml, check_text

EVENTS, WORLDS, GOLDEN = TESTS / "events", TESTS / "worlds", TESTS / "golden" / "render"
PLACE = "default", "small"
CLUSTER_REF = Ref(CLUSTER, *PLACE)
BACK = Ref(RESTORE, "default", "back")


def _new(simulation: Any, **spec: Any) -> None:
    simulation.apply("small", "default", replicas=3, **spec)


def _recorded(simulation: Any) -> None:
    _new(simulation)
    simulation.deliver("reconcile-cluster", CLUSTER_REF)
    simulation.deliver("scale", CLUSTER_REF)


def _starting(simulation: Any) -> None:
    _recorded(simulation)
    for function in ("scale", "scale", "reconcile-cluster"):
        simulation.deliver(function, CLUSTER_REF)
    simulation.kubernetes()


def _serving(simulation: Any) -> None:
    _new(simulation)
    simulation.settle()


def _server_lost(simulation: Any) -> None:
    _serving(simulation)
    simulation.broken_pods.add("small-1")
    simulation.remove_pod("small-1", "default")
    simulation.kubernetes()


def _config_lost(simulation: Any) -> None:
    _serving(simulation)
    ref = Ref(KINDS["v1", "ConfigMap"], "default", "small-config")
    simulation.kube.delete(ref, uid=simulation.kube.get(ref)["metadata"]["uid"])


def _adopting(simulation: Any) -> None:
    _serving(simulation)
    _delete(simulation)
    simulation.settle()
    _new(simulation)


def _deleting(simulation: Any) -> None:
    _new(simulation, clearPersistence=True)
    simulation.settle()
    _delete(simulation)


def _volumes_left(simulation: Any) -> None:
    _deleting(simulation)
    simulation.deliver("reconcile-cluster", CLUSTER_REF)
    simulation.kubernetes()


def _outdated(simulation: Any) -> None:
    _serving(simulation)
    _new(simulation, logLevel="DEBUG")
    simulation.deliver("reconcile-cluster", CLUSTER_REF)
    simulation.kubernetes()


def _growing(simulation: Any) -> None:
    _serving(simulation)
    simulation.apply("small", "default", replicas=5)
    for function in ("reconcile-cluster", "observe"):
        simulation.deliver(function, CLUSTER_REF)


def _stopping(simulation: Any) -> None:
    _serving(simulation)
    _new(simulation, stopped=True)
    for function in ("reconcile-cluster", "roll", "observe"):
        simulation.deliver(function, CLUSTER_REF)


def _stopped(simulation: Any) -> None:
    _stopping(simulation)
    simulation.settle()


def _majority_lost(simulation: Any) -> None:
    _serving(simulation)
    simulation.lose("small-0", "small-1", namespace="default")
    for _ in range(2):
        simulation.kubernetes()


def _backup_new(simulation: Any) -> None:
    _serving(simulation)
    simulation.apply_backup("once", "default", source={"name": "small"})


def _backup_made(simulation: Any) -> None:
    _backup_new(simulation)
    simulation.deliver("backup", Ref(BACKUP, "default", "once"))
    for _ in range(4):
        simulation.kubernetes()


def _backup_scheduled(simulation: Any) -> None:
    _serving(simulation)
    schedule = {"mode": "schedule", "schedule": "0 3 * * *", "source": {"name": "small"}}
    simulation.apply_backup("nightly", "default", **schedule)
    simulation.settle()


def _restore_new(simulation: Any) -> None:
    _serving(simulation)
    simulation.apply_restore("back", "default", target={"name": "small"})
    simulation.deliver("restore", BACK)


def _restore_staged(simulation: Any) -> None:
    _restore_new(simulation)
    for _ in range(4):
        simulation.kubernetes()


def _restore_stopping(simulation: Any) -> None:
    _restore_staged(simulation)
    simulation.deliver("restore", BACK)
    for _ in range(4):
        simulation.kubernetes()
    simulation.deliver("restore", BACK)
    simulation.deliver("observe", CLUSTER_REF)


def _delete(simulation: Any) -> None:
    simulation.kube.delete(CLUSTER_REF, uid=simulation.kube.get(CLUSTER_REF)["metadata"]["uid"])


MADE: dict[str, Callable[[Any], None]] = {
    "empty": lambda _: None,
    "new": _new,
    "recorded": _recorded,
    "starting": _starting,
    "serving": _serving,
    "server-lost": _server_lost,
    "config-lost": _config_lost,
    "adopting": _adopting,
    "deleting": _deleting,
    "volumes-left": _volumes_left,
    "outdated": _outdated,
    "growing": _growing,
    "stopping": _stopping,
    "stopped": _stopped,
    "majority-lost": _majority_lost,
    "backup-new": _backup_new,
    "backup-made": _backup_made,
    "backup-scheduled": _backup_scheduled,
    "restore-new": _restore_new,
    "restore-staged": _restore_staged,
    "restore-stopping": _restore_stopping,
}


def _dumped(simulation: Any) -> dict[str, str]:
    """Return the world as files: the cluster, the objects around it, and the servers."""
    kinds = [kind for kind in KINDS.values() if kind not in {EVENT, *OPTIONAL}]
    found = [_trimmed(item) for kind in kinds for item in simulation.kube.list(kind, None)]
    clusters = [item for item in found if item["kind"] == CLUSTER.name]
    others = [item for item in found if item["kind"] != CLUSTER.name]
    ensembles = [_described(ensemble) for ensemble in simulation.zookeeper.ensembles]
    files = {"cluster.yaml": clusters, "objects.yaml": others}
    texts = {name: as_yaml(*items) for name, items in files.items() if items}
    return {**texts, "servers.yaml": as_yaml({"ensembles": ensembles})}


def _trimmed(item: dict[str, Any]) -> dict[str, Any]:
    # No function reads a pod's spec, and nobody wants to read it here.
    kept = {key: value for key, value in item.items() if item["kind"] != "Pod" or key != "spec"}
    metadata = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    return {**kept, "metadata": metadata}


def _described(ensemble: MemoryEnsemble) -> dict[str, Any]:
    domain = "small.default.svc.cluster.local"
    ids = [member.id for member in ensemble.config.members]
    return {
        "leader": ensemble.elect(),
        "members": [
            f"server.{number}=small-{number - 1}.{domain}:2888:3888:participant;0.0.0.0:2181"
            for number in ids
        ],
        "servers": [
            {"id": server.id, "host": server.host, "port": server.port, "version": server.version}
            | ({} if server.has_data else {"hasData": False})
            for server in ensemble.servers.values()
            if server.is_up
        ],
    }


@pytest.mark.parametrize("name", MADE)
@pytest.mark.thorough
def test_the_sample_worlds_are_what_clusters_really_come_to(simulation: Any, name: str) -> None:
    MADE[name](simulation)
    for file, text in _dumped(simulation).items():
        check_text(WORLDS / name / file, text)
    assert {path.name for path in (WORLDS / name).glob("*.yaml")} == set(_dumped(simulation))


RENDERED = [
    ("reconcile-cluster", "reconcile-cluster", "empty"),
    ("reconcile-cluster", "reconcile-cluster", "new"),
    ("reconcile-cluster", "reconcile-cluster", "recorded"),
    ("reconcile-cluster", "reconcile-cluster", "serving"),
    ("reconcile-cluster", "reconcile-cluster", "deleting"),
    ("reconcile-cluster", "reconcile-cluster", "volumes-left"),
    ("reconcile-cluster", "reconcile-cluster-owned", "config-lost"),
    ("scale", "scale", "new"),
    ("scale", "scale", "recorded"),
    ("scale", "scale-claim", "starting"),
    ("scale", "scale", "adopting"),
    ("scale", "scale", "serving"),
    ("scale", "scale", "growing"),
    ("scale", "scale-asked", "growing"),
    ("scale", "scale", "stopping"),
    ("roll", "roll", "serving"),
    ("roll", "roll", "outdated"),
    ("backup", "backup", "backup-new"),
    ("backup", "backup-job", "backup-made"),
    ("backup", "backup-cron-job", "backup-scheduled"),
    ("restore", "restore", "serving"),
    ("restore", "restore-job", "serving"),
    ("restore", "restore", "restore-new"),
    ("restore", "restore-job", "restore-staged"),
    ("restore", "restore", "restore-stopping"),
    ("scale", "scale", "restore-stopping"),
    ("observe", "observe", "new"),
    ("observe", "observe", "starting"),
    ("observe", "observe", "serving"),
    ("observe", "observe", "server-lost"),
    ("observe", "observe-role", "server-lost"),
    ("observe", "observe", "stopped"),
    ("scale", "scale", "majority-lost"),
    ("resync", "resync", "stopped"),
    ("resync", "resync", "serving"),
    ("resync", "resync", "server-lost"),
    ("resync", "resync-all", "serving"),
    ("resync", "resync", "backup-made"),
    ("dead-letter", "dead-letter", "serving"),
    ("dead-letter", "dead-letter-no-object", "serving"),
]


@pytest.mark.parametrize(("function", "event", "world"), RENDERED)
def test_a_function_leaves_on_a_sample_world_what_was_read_and_approved(
    function: str, event: str, world: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _render(function, event, world) == 0
    check_text(GOLDEN / f"{event}--{world}.yaml", capsys.readouterr().out)


def test_every_sample_event_is_rendered_and_every_function_has_one() -> None:
    rendered = {event for _, event, _ in RENDERED}
    assert rendered == {path.stem for path in EVENTS.glob("*.json")}
    procfile = (TESTS.parent / "Procfile").read_text().splitlines()
    assert {function for function, _, _ in RENDERED} == {line.split(":")[0] for line in procfile}


def _render(function: str, event: str, world: str, *more: str) -> int:
    files = ["--event", str(EVENTS / f"{event}.json"), "--world", str(WORLDS / world)]
    return main(["render", function, *files, *more])


def test_rendering_twice_gives_the_same_text(capsys: pytest.CaptureFixture[str]) -> None:
    _render("reconcile-cluster", "reconcile-cluster", "new")
    first = capsys.readouterr().out
    _render("reconcile-cluster", "reconcile-cluster", "new")
    assert capsys.readouterr().out == first


def test_the_hour_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    _render("observe", "observe", "server-lost", "--now", "2030-05-06T07:08:09Z")
    assert "2030-05-06T07:08:09Z" in capsys.readouterr().out


def test_steps_alone_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    _render("scale", "scale", "new", "--output", "steps")
    told = "The ensemble is created with 3 servers."
    assert capsys.readouterr().out.splitlines() == [
        "answer 204",
        f"announce Normal CreationStarted: {told}",
        "write status of ZooKeeperCluster default/small as scale",
    ]


def test_json_holds_the_same_as_yaml(capsys: pytest.CaptureFixture[str]) -> None:
    _render("reconcile-cluster", "reconcile-cluster-owned", "config-lost", "--output", "json")
    told = json.loads(capsys.readouterr().out)
    _render("reconcile-cluster", "reconcile-cluster-owned", "config-lost")
    written = [item for item in yaml.safe_load_all(capsys.readouterr().out) if item is not None]
    assert told["answer"] == {"status": 204, "text": ""}
    assert [item["kind"] for item in told["objects"]] == [item["kind"] for item in written]


def test_the_functions_are_listed_with_what_each_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    procfile = (TESTS.parent / "Procfile").read_text().splitlines()
    assert {line.split()[0] for line in lines} == {line.split(":")[0] for line in procfile}
    assert all(len(line.split()) > 4 for line in lines)


def test_an_event_that_the_function_does_not_take_is_answered_and_not_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _render("observe", "resync", "serving", "--output", "steps") == 1
    assert capsys.readouterr().out.startswith("answer 400 Events of type")


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        pytest.param("a.yaml", "kind: [", "cannot be read as YAML", id="no-yaml"),
        pytest.param("a.yaml", "- 1", "no Kubernetes manifest", id="a-list-of-numbers"),
        pytest.param("a.yaml", "apiVersion: v1\nkind: Node\n", "The kind Node", id="foreign-kind"),
        pytest.param("a.yaml", "apiVersion: v1\nkind: Pod\n", "no metadata.name", id="no-name"),
        pytest.param("a.yaml", "\xff", "cannot be read as YAML", id="no-text"),
        pytest.param("servers.yaml", "servers: 1", "does not describe servers", id="no-ensembles"),
        pytest.param(
            "servers.yaml",
            "ensembles: [{members: [x], servers: []}]",
            "is no line of a member list",
            id="no-member-line",
        ),
    ],
)
def test_a_bad_world_is_one_sentence_that_names_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, content: str, told: str
) -> None:
    (tmp_path / file).write_bytes(content.encode("latin-1"))
    arguments = ["--event", str(EVENTS / "observe.json"), "--world", str(tmp_path)]
    assert main(["render", "observe", *arguments]) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / file) in said
    assert told in said
    assert said.count("\n") == 1


def test_an_object_that_is_there_twice_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b"}}
    (tmp_path / "a.yaml").write_text(as_yaml({"kind": "PodList", "items": [pod, pod]}))
    arguments = ["--event", str(EVENTS / "observe.json"), "--world", str(tmp_path)]
    assert main(["render", "observe", *arguments]) == 2
    assert "Pod a is there twice" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(None, "cannot be read: No such file", id="missing"),
        pytest.param("", "is not a CloudEvent", id="empty"),
        pytest.param("{}", "is not a CloudEvent", id="no-attributes"),
    ],
)
def test_a_bad_event_is_one_sentence_that_names_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, told: str
) -> None:
    event = tmp_path / "event.json"
    if content is not None:
        event.write_text(content)
    assert main(["render", "observe", "--event", str(event), "--world", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert str(event) in said
    assert told in said


def test_a_missing_world_and_a_bad_hour_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event = ["--event", str(EVENTS / "observe.json")]
    assert main(["render", "observe", *event, "--world", str(tmp_path / "none")]) == 2
    assert "is no folder" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["render", "observe", *event, "--world", str(tmp_path), "--now", "noon"])
    assert "is no time" in capsys.readouterr().err


def test_a_server_that_no_file_names_cannot_be_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in ("cluster.yaml", "objects.yaml"):
        (tmp_path / file).write_text((WORLDS / "serving" / file).read_text())
    main(["render", "observe", "--event", str(EVENTS / "observe.json"), "--world", str(tmp_path)])
    assert "connection refused" in capsys.readouterr().out


def test_pods_and_stateful_sets_of_a_sample_world_belong_together() -> None:
    """A world whose owners are missing would be swept by garbage collection in a cluster."""
    objects = list(yaml.safe_load_all((WORLDS / "serving" / "objects.yaml").read_text()))
    owners = {item["metadata"]["uid"] for item in objects if item["kind"] == STATEFUL_SET.name}
    pods = [item for item in objects if item["kind"] == POD.name]
    assert len(pods) == 3
    assert {pod["metadata"]["ownerReferences"][0]["uid"] for pod in pods} == owners
