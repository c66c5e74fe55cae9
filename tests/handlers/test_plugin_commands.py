"""What the commands of `kubectl zk` do and say while the functions work, and how they end."""

from __future__ import annotations

import importlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from functions.api.backup import ZooKeeperBackup
from functions.api.errors import MissingRight, Unavailable
from functions.api.kinds import BACKUP, CLUSTER, JOB, RESTORE, Kind, Ref
from functions.api.manifest import Manifest
from functions.manifests.installation import Installation
from kubectl_zk import completion
from kubectl_zk.__main__ import main, parsed
from kubectl_zk.installed import installation
from kubectl_zk.problem import (
    DONE,
    FAILED,
    NOT_ALLOWED,
    NOT_IN_TIME,
    UNREACHABLE,
    USAGE,
    Problem,
)
from tests.handlers.conftest import Simulation
from tests.handlers.job_controller import Ending
from tests.handlers.plugin import Plugin

SMALL = Ref(CLUSTER, "default", "small")
S3 = ("--s3", "--bucket", "backups", "--endpoint", "https://s3.example.com", "--secret", "store")


@pytest.fixture
def plugin(serving: Simulation) -> Plugin:
    return Plugin(serving.fork())


@pytest.fixture(scope="module")
def with_a_backup(serving: Simulation) -> Simulation:
    simulation = serving.fork()
    assert "key: default/first/once/" in Plugin(simulation).run(
        "backup", "small", *S3, "--as", "first"
    )
    return simulation


@pytest.fixture
def backed_up(with_a_backup: Simulation) -> Plugin:
    return Plugin(with_a_backup.fork())


def spec(plugin: Plugin, ref: Ref = SMALL) -> dict[str, Any]:
    found = plugin.simulation.kube.get(ref)
    assert found is not None, f"there is no {ref}"
    return dict(found["spec"])


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


def test_a_roll_is_followed_pod_by_pod_the_leader_last(plugin: Plugin) -> None:
    first, *pods, last = lines(plugin.run("roll", "small"))
    assert plugin.code == DONE
    assert first == "small: 3 servers are to restart, the leader last."
    serving_again = [line.split()[0] for line in pods if line.endswith("serves again")]
    assert serving_again == ["small-2", "small-0", "small-1"]
    assert last == "small: every server runs in a new pod."


def test_a_roll_that_stops_at_a_pod_says_why_and_that_it_goes_on(plugin: Plugin) -> None:
    plugin.simulation.broken_pods.add("small-2")
    said = plugin.run("roll", "small", "--timeout", "30s")
    assert plugin.code == NOT_IN_TIME
    assert "small-2  does not start: zookeeper ImagePullBackOff" in said
    assert "Not over in time; it goes on. It says: " in said
    assert "kubectl zk status small" in said


@pytest.mark.parametrize(
    ("words", "given", "sentence"),
    [
        (("roll", "small"), {"paused": True}, "small is paused"),
        (("roll", "small"), {"stopped": True}, "kubectl zk wake small"),
        (("stop", "small"), {"paused": True}, "small is paused"),
    ],
    ids=["roll-paused", "roll-stopped", "stop-paused"],
)
def test_what_would_have_no_effect_is_refused(
    plugin: Plugin, words: tuple[str, ...], given: dict[str, bool], sentence: str
) -> None:
    plugin.simulation.apply("small", "default", replicas=3, **given)
    before = spec(plugin)
    assert sentence in plugin.run(*words)
    assert plugin.code == FAILED
    assert spec(plugin) == before


def test_an_ensemble_stops_and_wakes(plugin: Plugin) -> None:
    assert lines(plugin.run("stop", "small"))[-1] == (
        "small: no server runs; the volumes and the member list stay."
    )
    assert spec(plugin)["stopped"] is True
    woken = lines(plugin.run("wake", "small"))
    assert woken[-1] == "small: it serves."
    assert sorted(line.split()[0] for line in woken[1:-1]) == ["small-0", "small-1", "small-2"]
    assert spec(plugin)["stopped"] is False


def test_without_waiting_it_is_only_begun(plugin: Plugin) -> None:
    told = json.loads(plugin.run("stop", "small", "--no-wait", "-o", "json"))
    assert told == {"version": 1, "stop": {"name": "small", "stopped": True, "isOver": False}}
    assert "every server stops" in plugin.beside
    assert spec(plugin)["stopped"] is True


def test_a_backup_takes_over_the_store_of_the_one_before(plugin: Plugin) -> None:
    first = plugin.run("backup", "small", *S3, "--as", "first")
    assert "key: default/first/once/" in first
    assert "kubectl zk restore small --from first" in first
    told = json.loads(plugin.run("backup", "small", "-o", "json"))["backup"]
    assert told["isOver"]
    assert told["record"]["key"].startswith(f"default/{told['name']}/once/")
    second = spec(plugin, Ref(BACKUP, "default", told["name"]))
    assert second["target"] == spec(plugin, Ref(BACKUP, "default", "first"))["target"]
    assert second["target"]["s3"]["secretKeySecret"] == {"name": "store", "key": "secretKey"}


def test_a_backup_without_a_place_says_how_to_give_one(plugin: Plugin) -> None:
    assert "--from BACKUP" in plugin.run("backup", "small")
    assert plugin.code == FAILED
    assert "--bucket is missing" in plugin.run("backup", "small", "--s3")
    assert plugin.code == USAGE
    both = plugin.run("backup", "small", "--s3", "--oss", "--bucket", "b")
    assert "not both" in both


def test_a_backup_that_fails_says_the_programs_own_sentence(plugin: Plugin) -> None:
    jobs = plugin.simulation.jobs
    jobs.endings["copy-out"] = Ending("there is no bucket backups", code=2)
    said = plugin.run("backup", "small", *S3, "--as", "first", "--timeout", "5m")
    assert plugin.code == FAILED
    assert "ZooKeeperBackup first failed: " in said
    assert "there is no bucket backups" in said


@pytest.mark.thorough
def test_a_restore_asks_and_follows_every_step(backed_up: Plugin) -> None:
    backed_up.answers = ["y\n"]
    said = lines(backed_up.run("restore", "small", "--as", "back"))
    assert backed_up.code == DONE
    assert "takes the place of everything that small in namespace default holds" in backed_up.beside
    steps = [line.split()[0] for line in said if line.startswith("  ")]
    assert steps[0] == "Validate"
    assert [it for it in steps if it in ("Stage", "Stop", "Start", "Open")] == [
        "Stage",
        "Stop",
        "Start",
        "Open",
    ]
    asked = spec(backed_up, Ref(RESTORE, "default", "back"))
    assert asked["rolloutRestart"] is True
    assert asked["source"]["s3"]["bucket"] == "backups"
    assert asked["source"]["s3"]["key"].startswith("default/first/once/")
    assert said[-1].startswith("small serves the backup, up to zxid 0x")
    assert "restore (ZooKeeperRestore back): nothing to do" in backed_up.run("plan", "small")


@pytest.mark.parametrize("answer", ["n\n", "\n", ""], ids=["no", "enter", "end-of-input"])
def test_a_restore_without_a_yes_does_nothing(backed_up: Plugin, answer: str) -> None:
    backed_up.answers = [answer]
    assert lines(backed_up.run("restore", "small"))[-1] == "Nothing was done."
    assert backed_up.code == FAILED
    assert backed_up.simulation.kube.list(RESTORE, "default") == []


def test_a_restore_by_a_script_needs_a_yes_on_the_command_line(backed_up: Plugin) -> None:
    assert "add --yes, or --stage-only" in backed_up.run("restore", "small")
    assert backed_up.code == USAGE
    assert backed_up.simulation.kube.list(RESTORE, "default") == []
    told = json.loads(backed_up.run("restore", "small", "--yes", "--no-wait", "-o", "json"))
    assert (told["restore"]["status"], told["restore"]["isOver"]) == (None, False)


@pytest.mark.thorough
def test_staging_alone_asks_nobody_and_stops_nothing(backed_up: Plugin) -> None:
    said = backed_up.run("restore", "small", "--stage-only", "--as", "back")
    assert backed_up.code == DONE
    assert spec(backed_up, Ref(RESTORE, "default", "back"))["rolloutRestart"] is False
    assert "Stop" not in {line.split()[0] for line in lines(said) if line.startswith("  ")}
    assert 'kubectl patch zkrestore back --type=merge -p \'{"spec":{"rolloutRestart":true}}\'' in (
        said
    )


def test_a_restore_of_a_key_that_is_on_no_record_shows_those_that_are(backed_up: Plugin) -> None:
    record = ZooKeeperBackup.parse(
        backed_up.simulation.kube.get(Ref(BACKUP, "default", "first")) or {}
    ).status.record
    key = record[-1].key
    said = backed_up.run("restore", "small", "--key", "default/first/once/other", "--yes")
    assert backed_up.code == FAILED
    assert f"has no record default/first/once/other. The newest are:\n  {key}" in said
    assert "--key says which backup" in backed_up.run("restore", "small", *S3, "--yes")
    backed_up.run("restore", "small", *S3, "--key", key, "--yes", "--no-wait", "--as", "back")
    assert spec(backed_up, Ref(RESTORE, "default", "back"))["source"]["s3"]["key"] == key


def test_verify_runs_a_job_that_the_functions_leave_alone(backed_up: Plugin) -> None:
    said = backed_up.run("verify", "first")
    assert backed_up.code == DONE
    job, *_ = (
        found
        for found in backed_up.simulation.kube.list(JOB, "default")
        if found["metadata"]["name"].startswith("verify-first")
    )
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == ["python", "-m", "functions.pods.verify"]
    assert {"name": "BUCKET", "value": "backups"} in container["env"]
    assert not any(owner.get("controller") for owner in job["metadata"]["ownerReferences"])
    assert f"Job {job['metadata']['name']} proves default/first/once/" in said
    assert "PROVEN: default/first/once/" in said
    assert "1.0 kB, 5 nodes, every transaction up to zxid 0x100000007" in said


def test_a_backup_that_is_not_what_it_was_is_not_proven(backed_up: Plugin) -> None:
    backed_up.simulation.jobs.store.clear()
    said = backed_up.run("verify", "first")
    assert backed_up.code == FAILED
    assert "NOT PROVEN: default/first/once/" in said
    assert "has no manifest.json" in said


@pytest.mark.parametrize(
    ("server", "pod"),
    [((), "small-0"), (("leader",), "small-1"), (("2",), "small-2"), (("small-2",), "small-2")],
    ids=["one-that-serves", "the-leader", "by-number", "by-name"],
)
def test_the_shell_opens_in_the_right_pod(
    plugin: Plugin, server: tuple[str, ...], pod: str
) -> None:
    plugin.run("shell", "small", *server, "--", "ls", "/")
    *where, quietly, _, _, _, _, _ = plugin.launched[0]
    assert where == f"exec -i -n default {pod} -c zookeeper -- bash -c".split()
    assert quietly.endswith('exec zkCli.sh "$@"\n')
    assert list(plugin.launched[0][-4:]) == ["-server", "localhost:2181", "ls", "/"]


def test_the_shell_of_a_server_that_takes_clients_by_tls_alone_tries_inside_its_pod(
    plugin: Plugin,
) -> None:
    plugin.simulation.apply("small", "default", replicas=3, tls={"client": {"secretName": "a"}})
    plugin.run("shell", "small", "2")
    assert list(plugin.launched[0][-2:]) == ["-server", "localhost:2189,localhost:2181"]


def test_the_shell_has_a_terminal_only_where_there_is_one(plugin: Plugin) -> None:
    plugin.answers = []
    plugin.run("shell", "small")
    assert list(plugin.launched[0])[:3] == ["exec", "-i", "-t"]


def test_the_shell_says_which_servers_there_are(plugin: Plugin) -> None:
    said = plugin.run("shell", "small", "7")
    assert "small has no server 7. There is: small-0, small-1, small-2" in said
    assert "no observer serves" in plugin.run("shell", "small", "observer")


def test_events_go_on_until_they_are_interrupted(plugin: Plugin) -> None:
    looks = iter(range(3))

    def meanwhile() -> None:
        if next(looks, None) is None:
            raise KeyboardInterrupt
        plugin.simulation.apply("small", "default", replicas=5)

    plugin.meanwhile = meanwhile
    with pytest.raises(KeyboardInterrupt):
        plugin.run("events", "small", "-f", "-o", "json")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("status", "none"), "There is no ZooKeeperCluster none in namespace default. There is: "),
        (("verify", "none"), "There is no ZooKeeperBackup none in namespace default, nor any"),
        (("status", "-n", "empty"), ""),
    ],
    ids=["cluster", "backup", "none-at-all"],
)
def test_what_is_not_there_is_answered_with_what_is(
    plugin: Plugin, words: tuple[str, ...], sentence: str
) -> None:
    if not sentence:
        plugin.namespace = "empty"
        sentence = "There is no ZooKeeperCluster in namespace empty. Look with -A"
    assert sentence in plugin.run(*words)
    assert plugin.code == FAILED


DENIED = (
    'zookeeperclusters.zookeeper.example.com is forbidden: User "eve" cannot list resource '
    '"zookeeperclusters" in API group "zookeeper.example.com" in the namespace "default"'
)


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (
            MissingRight(DENIED),
            NOT_ALLOWED,
            "You (eve) may not list zookeeperclusters.zookeeper.example.com in namespace default. "
            "Ask for that right: verb list, resource zookeeperclusters.zookeeper.example.com.",
        ),
        (MissingRight("the token is locked"), NOT_ALLOWED, "the token is locked"),
        (Unavailable("It could not be reached: no route."), UNREACHABLE, "kubectl cluster-info"),
    ],
    ids=["a-right", "denied-otherwise", "unreachable"],
)
def test_a_problem_has_its_own_exit_code(
    plugin: Plugin, error: Exception, code: int, sentence: str
) -> None:
    plugin.kube = Failing(error)
    assert sentence in plugin.run("status")
    assert plugin.code == code


def test_missing_crds_are_said(plugin: Plugin) -> None:
    plugin.simulation.kube.unserved = frozenset({CLUSTER})
    assert "knows no ZooKeeperCluster. Install zookeeper-functions" in plugin.run("status")
    assert plugin.code == FAILED


class Failing:
    """An API server that answers every read with one error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get(self, ref: Ref) -> Manifest | None:
        del ref
        raise self.error

    def list(
        self, kind: Kind, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> list[Manifest]:
        del kind, namespace, labels
        raise self.error


@pytest.mark.parametrize(
    "words",
    [
        ("restart", "small"),
        ("status", "small", "--yes"),
        ("roll", "small", "--timeout", "soon"),
        ("status", "small", "--", "ls"),
        ("verify",),
    ],
    ids=["no-such-command", "no-such-option", "no-time", "words-for-nobody", "verify-nothing"],
)
def test_a_wrong_command_line_ends_with_two(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == USAGE
    assert capsys.readouterr().err.startswith("kubectl zk: ")


def test_the_programs_that_kubectl_looks_for_are_installed_with_the_package() -> None:
    """Their names are kubectl's own rule; setuptools makes them of these lines."""
    with Path("pyproject.toml").open("rb") as file:
        programs = tomllib.load(file)["project"]["scripts"]
    assert set(programs) == {"kubectl-zk", "kubectl_complete-zk"}
    for place in programs.values():
        module, _, name = place.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_options_may_stand_before_and_after_the_subcommand() -> None:
    asked = parsed(("-n", "apps", "status", "small", "-o", "json"))
    assert (asked.namespace, asked.output, asked.name) == ("apps", "json", "small")


def test_a_backup_on_this_machine_is_proven_without_a_cluster(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(("verify", "--folder", str(tmp_path))) == FAILED
    assert capsys.readouterr().out.startswith("NOT PROVEN: ")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["st"], ["status", "stop"]),
        (["-n", "apps", "wa"], ["wake"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["roll", "small", "--ti"], ["--timeout"]),
        (["status", "small", "-n", ""], []),
    ],
    ids=["commands", "after-options", "shells", "options", "value-of-an-option"],
)
def test_completion_offers_what_may_come_next(
    typed: list[str], offered: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert completion.candidates(typed) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("completion", shell)) == DONE
    assert "kubectl_complete-zk" in capsys.readouterr().out


class Deployed(Failing):
    """An API server with one function on it, and no ensemble."""

    def __init__(self, kind: str) -> None:
        super().__init__(MissingRight("nobody looks there"))
        self.kind = kind

    def get(self, ref: Ref) -> Manifest | None:
        if ref.kind.api_version != self.kind:
            return None
        env = [
            {"name": "FUNCTIONS_IMAGE", "value": "functions:7"},
            {"name": "BROKER_URL", "value": "http://broker"},
        ]
        return {"spec": {"template": {"spec": {"containers": [{"image": "x", "env": env}]}}}}

    def list(
        self, kind: Kind, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> list[Manifest]:
        del kind, namespace, labels
        return []


@pytest.mark.parametrize("kind", ["serving.knative.dev/v1", "apps/v1"])
def test_a_plan_uses_what_the_deployed_functions_use(plugin: Plugin, kind: str) -> None:
    plugin.kube = Deployed(kind)
    assert installation(plugin.session()) == Installation("functions:7", "http://broker")


def test_without_a_look_at_the_functions_the_ensembles_show_it(plugin: Plugin) -> None:
    assert installation(plugin.session()).functions_image == "zookeeper-functions:latest"
    plugin.kube = Deployed("none")
    with pytest.raises(Problem, match="Which image the functions run cannot be read"):
        installation(plugin.session())
