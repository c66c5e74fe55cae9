"""The container image as it comes out of a build (built_image.py): what is in it, whose it is, and
that everything in it starts as a cluster starts it. What the Containerfile says is looked at in
tests/unit/test_containerfile.py."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import urllib3

from kubectl_zk.verifying import verify_job
from local.serving.procfile import read
from tests.contract.api_server import REPOSITORY
from tests.contract.built_image import Image, built
from tests.contract.processes import free_ports, running, until
from tests.contract.rendered import Manifest, overlay
from tests.contract.store_servers import RealSide, oss_server, s3_server
from tests.contract.test_kube_backup_jobs import backup
from tests.contract.test_pod_security import OURS, cluster, templates

pytestmark = [pytest.mark.contract, pytest.mark.soak]

OWN = 65532
# What a cluster chooses that gives each namespace users of its own.
ANYBODY = 1000710000
PROCFILE = read(REPOSITORY / "Procfile")
EVENTS = REPOSITORY / "tests" / "events"
PROGRAMS = {
    path.stem
    for path in (REPOSITORY / "functions" / "pods").glob("*.py")
    if '__name__ == "__main__"' in path.read_text()
}
SECONDS = 300
KEY = "default/it/once/it"
STRUCTURED = "application/cloudevents+json"
# About 110 MB were measured. A quarter more is a dependency that nobody meant to bring along, or
# what the Containerfile removes from one.
LARGEST_MB = 140
# The flags of byte code that is believed without a look at its source (PEP 552).
UNCHECKED = 1
# What `python -v` says of a module whose source it had to compile.
COMPILED = re.compile(r"# code object from '([^']+\.py)'")
KUBECONFIG = """
{apiVersion: v1, kind: Config, current-context: it,
 contexts: [{name: it, context: {cluster: it, user: me}}],
 clusters: [{name: it, cluster: {server: "https://127.0.0.1:9"}}],
 users: [{name: me, user: {token: secret}}]}
"""
CONNECT = f"""
import os, pathlib
pathlib.Path("/tmp/config").write_text({KUBECONFIG!r})
os.environ["KUBECONFIG"] = "/tmp/config"
from functions.runtime.connect import connect
connect()
print("connected")
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    with built(tmp_path_factory.mktemp("image")) as image:
        yield image


def _files(root: Path) -> dict[str, Path]:
    return {str(path.relative_to(root)): path for path in root.rglob("*")}


@pytest.fixture(scope="module")
def added(image: Image) -> dict[str, Path]:
    """Everything in the image that its base has not."""
    base, found = _files(image.base), _files(image.root)
    return {name: found[name] for name in found.keys() - base.keys()}


def test_a_runtime_is_told_whose_it_is_and_what_it_runs(image: Image) -> None:
    assert image.config["User"] == f"{OWN}:{OWN}"
    assert image.config["WorkingDir"] == "/app"
    done = _ran(image, image.config["Cmd"], OWN)
    assert [line.split()[0] for line in done.stdout.splitlines()] == sorted(PROCFILE)


def test_nobody_but_root_can_change_the_image(image: Image, added: dict[str, Path]) -> None:
    modes = {name: path.lstat() for name, path in added.items() if not path.is_symlink()}
    assert {s.st_uid for s in modes.values()} == {s.st_gid for s in modes.values()} == {0}
    others = stat.S_ISUID | stat.S_ISGID | stat.S_IWGRP | stat.S_IWOTH
    assert [name for name, s in modes.items() if s.st_mode & others] == []
    writable = {
        name for name, path in _files(image.root).items()
        if not path.is_symlink() and path.stat().st_mode & stat.S_IWOTH
    }  # fmt: skip
    assert writable <= {"tmp", "var/tmp", "run/lock", "run/shm"}


def test_every_module_has_its_byte_code_and_no_source_is_asked_for_its_time(
    added: dict[str, Path],
) -> None:
    modules = [name for name in added if name.startswith(("app/", "venv/lib/"))]
    sources = [name for name in modules if name.endswith(".py") and added[name].stat().st_size]
    assert len(sources) > 1000
    bare = [name for name in sources if not _byte_code(added[name]).exists()]
    assert bare == []
    compiled = {name: path for name, path in added.items() if name.endswith(".pyc")}
    assert [name for name, path in compiled.items() if path.read_bytes()[4] != UNCHECKED] == []


def _byte_code(source: Path) -> Path:
    return source.parent / "__pycache__" / f"{source.stem}.cpython-311.pyc"


def test_nothing_is_in_it_that_no_program_needs(added: dict[str, Path]) -> None:
    tops = {name.split("/")[1] for name in added if name.startswith("app/")}
    assert tops == {"functions", "LICENSE", "Procfile"}
    words = {word for name in added for word in name.split("/")}
    assert words & {"tests", "test", "SelfTest", ".cache", "pip", "pip.conf"} == set()
    size = sum(p.stat().st_size for p in added.values() if p.is_file() and not p.is_symlink())
    assert size / 1e6 < LARGEST_MB


def _ran(image: Image, words: list[str], user: int, **env: str) -> subprocess.CompletedProcess[str]:
    command = image.command(words, user, env)
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


def _containers(name: str) -> dict[str, Manifest]:
    """Return the container of each function, as an overlay has it."""
    return {
        found["metadata"]["name"]: found["spec"]["template"]["spec"]["containers"][0]
        for found in overlay(name)
        if found["kind"] in ("Service", "Deployment") and "template" in found["spec"]
    }


@pytest.fixture(scope="module")
def serving(
    image: Image, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[int, Path]]]:
    """Every function, started as deployed: the port and the log of each."""
    folder = tmp_path_factory.mktemp("logs")
    found = _containers("knative")
    ports = free_ports(len(found))
    with ExitStack() as stack:
        for (name, container), port in zip(found.items(), ports, strict=True):
            env = {each["name"]: each["value"] for each in container["env"]}
            words = [*container["command"], *container["args"]]
            command = image.command(words, OWN, env | {"PORT": str(port), "PYTHONVERBOSE": "1"})
            stack.enter_context(running(command, folder / name))
        yield {name: (port, folder / name) for name, port in zip(found, ports, strict=True)}


def test_each_line_of_the_procfile_is_started_the_same_way_by_each_overlay() -> None:
    deployed = _containers("knative")
    assert set(deployed) == set(PROCFILE)
    for other in ("eventing-only", "namespaced", "kafka-broker"):
        for name, container in _containers(other).items():
            told = deployed[name]
            assert [container["command"], container["args"]] == [told["command"], told["args"]]


@pytest.mark.parametrize("name", sorted(PROCFILE))
def test_a_function_answers_from_the_image_and_compiles_nothing(
    serving: dict[str, tuple[int, Path]], name: str
) -> None:
    port, log = serving[name]
    with urllib3.PoolManager(retries=False, timeout=10) as pool:

        def ask(method: str, body: bytes = b"") -> tuple[int, str]:
            headers = {"Content-Type": STRUCTURED}
            got = pool.request(method, f"http://127.0.0.1:{port}/", body=body, headers=headers)
            return got.status, got.data.decode()

        def answer() -> Any:
            try:
                return ask("GET")
            except urllib3.exceptions.HTTPError:
                return None

        assert until(answer, f"{name} answers", SECONDS)[0] == 405
        status, said = ask("POST", b"{}")
        assert (status, "not a CloudEvent" in said) == (400, True)
        status, said = ask("POST", (EVENTS / f"{name}.json").read_bytes())
    assert (status, "serviceaccount/ca.crt cannot be read" in said) == (503, True)
    verbose = log.read_text(errors="replace")
    assert "/app/functions/__pycache__/" in verbose
    assert COMPILED.findall(verbose) == []


def test_a_kubeconfig_is_read_in_the_image(image: Image) -> None:
    done = _ran(image, ["python", "-c", CONNECT], ANYBODY)
    assert (done.stdout, done.stderr) == ("connected\n", "")


def _commands() -> dict[str, list[str]]:
    """Return the command of each program of a pod, as the builders have it."""
    of_the_plugin = verify_job(backup(), KEY, "now", OURS)
    containers = [
        container
        for template in (of_the_plugin["spec"]["template"], *dict(templates(cluster())).values())
        for kind in ("initContainers", "containers")
        for container in template["spec"].get(kind, ())
    ]
    ours = [c["command"] for c in containers if c["image"] == OURS.functions_image]
    return {command[-1].rpartition(".")[2]: command for command in ours}


def test_every_program_of_the_pods_is_looked_at() -> None:
    assert set(_commands()) == PROGRAMS


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_a_program_of_the_pods_starts_as_anybody_and_compiles_nothing(
    image: Image, name: str
) -> None:
    """It is told nothing, so it ends; by then all it needs was imported."""
    done = _ran(image, _commands()[name], ANYBODY, PYTHONVERBOSE="1")
    said = f"{done.stdout}{done.stderr}"
    assert done.returncode != 0
    assert f"/app/functions/pods/__pycache__/{name}." in said
    assert COMPILED.findall(said) == []
    assert "ImportError" not in said
    assert "ModuleNotFoundError" not in said


@pytest.mark.parametrize("serve", [s3_server, oss_server])
def test_a_store_is_asked_from_the_image(image: Image, serve: Any, tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        side = RealSide(server)
        side.store(CREATE_BUCKET="true")
        env = {**server.environment(side.bucket), "KEY": KEY}
        done = _ran(image, _commands()["verify"], ANYBODY, TERMINATION_LOG="/tmp/said", **env)
    last = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, last) == (
        2,
        {"error": f"There is nothing below {KEY}/: is the key right?", "final": True},
    )
