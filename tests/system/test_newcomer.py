"""The newcomer's first minutes: `make demo`, `make down`, and what they say when it cannot work."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.platform.handle import eventually
from tests.system.newcomer import STRANGER, Completed, Newcomer, lend_environment, newcomer

pytestmark = pytest.mark.system

SERVERS = ("small-0", "small-1", "small-2")
REMADE = "making the Python environment"


# `make test` takes the one with the least rights; `make soak` root, too.
AS_ROOT = pytest.param("myself", marks=pytest.mark.soak) if os.geteuid() == 0 else "myself"


@pytest.fixture(scope="module", params=[AS_ROOT, "somebody else"])
def somebody(request: pytest.FixtureRequest) -> Iterator[Newcomer]:
    """A newcomer who may not write the caches' files; the second without any privilege."""
    if request.param != "myself" and os.geteuid() != 0:
        pytest.skip("only root can become somebody else; without it, `myself` has no privilege")
    with newcomer(os.geteuid() if request.param == "myself" else STRANGER) as found:
        lend_environment(found)
        yield found
        found.make("down")


@pytest.fixture(scope="module")
def before(somebody: Newcomer) -> set[Path]:
    """The newcomer's files before the first command."""
    return files(somebody)


@pytest.fixture(scope="module")
def first_demo(somebody: Newcomer, before: set[Path]) -> Completed:
    assert before
    return somebody.make("demo")


@pytest.fixture(scope="module")
def prepared() -> Iterator[Newcomer]:
    """A newcomer whose environment is there, for what goes wrong after that."""
    with newcomer(os.geteuid()) as found:
        lend_environment(found)
        yield found


@pytest.fixture
def unprepared() -> Iterator[Newcomer]:
    """A newcomer without an environment, and a list of no packages to install into it."""
    with newcomer(os.geteuid()) as found:
        (found.checkout / "requirements/dev.txt").write_text("")
        yield found


def test_make_demo_alone_brings_up_an_ensemble(first_demo: Completed) -> None:
    said = first_demo.stdout
    assert first_demo.returncode == 0, said + first_demo.stderr
    assert first_demo.stderr == ""
    for server in SERVERS:
        assert re.search(rf"^  {server}  (leader|follower), ready$", said, re.MULTILINE)
        # Once as written, and once more after it was overwritten and the backup restored.
        kept = re.findall(rf"^  read /demo from {server} .*: (worth .*)$", said, re.MULTILINE)
        assert len(kept) == 2
        assert kept[0] == kept[1]
    assert "a mistake" in said
    assert re.search(r"^  restored [0-9.]+ s after it was asked for$", said, re.MULTILINE)
    assert "export KUBECONFIG=$PWD/.local/kubeconfig" in said


def test_the_commands_it_prints_work(somebody: Newcomer, first_demo: Completed) -> None:
    printed = re.findall(r"^  ((?:export|kubectl) [^#\n]*[^# \n])", first_demo.stdout, re.MULTILINE)
    export, *kubectl = printed
    looking = [words for words in kubectl if words.split()[1] in ("get", "describe")]
    assert len(looking) >= 3
    for words in looking:
        done = somebody.run("bash", "-c", f"{export}; {words}")
        assert done.returncode == 0, done.stderr
        assert done.stdout
        assert done.stderr == ""


def test_make_demo_again_says_what_is_there_and_changes_nothing(
    somebody: Newcomer, first_demo: Completed
) -> None:
    assert first_demo.returncode == 0
    earlier = pods(somebody)
    again = somebody.make("demo")
    assert again.returncode == 0, again.stderr
    assert "the platform is up already" in again.stdout
    assert "that would drop what you wrote since" in again.stdout
    assert pods(somebody) == earlier


def test_the_commands_of_the_readme_work(somebody: Newcomer, first_demo: Completed) -> None:
    if somebody.uid == 0:
        pytest.skip("one newcomer reads the page: the one with the least rights")
    assert first_demo.returncode == 0
    page = (somebody.checkout / "README.md").read_text()
    export, *commands = re.findall(r"```\n(export KUBECONFIG.*?)```", page, re.DOTALL)[
        0
    ].splitlines()
    assert len(commands) > 7
    before = len(pods(somebody))
    for words in commands:
        done = somebody.run("bash", "-c", f"{export}; {words}")
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    # The page scales three servers to five; the pod that backed up goes when all is on record.
    eventually(lambda: len(pods(somebody)) == before + 2, what="two servers more")


def test_make_down_leaves_nothing(
    somebody: Newcomer, first_demo: Completed, before: set[Path]
) -> None:
    assert first_demo.returncode == 0
    assert processes_of(somebody)
    down = somebody.make("down")
    assert down.returncode == 0, down.stderr
    assert processes_of(somebody) == []
    assert files(somebody) == before
    assert list((somebody.base / "tmp").iterdir()) == []
    # kubectl keeps what it learnt of a server there; that is its cache, not ours.
    assert {str(path.relative_to(somebody.base)) for path in somebody.base.glob("home/*/*")} <= {
        "home/.kube/cache"
    }
    # Neither the links of `ip link` nor mounts, network namespaces included, name the platform.
    assert not Path("/sys/class/net/cni0").exists()
    assert str(somebody.base) not in Path("/proc/self/mounts").read_text()
    assert "nothing is running" in somebody.make("down").stdout


@pytest.mark.parametrize(
    ("tool", "package"),
    [("bwrap", "bubblewrap"), ("java", "openjdk-17-jre-headless"), ("mvn", "maven")],
)
def test_a_missing_tool_is_named_with_its_package(
    prepared: Newcomer, tmp_path: Path, tool: str, package: str
) -> None:
    refused = prepared.with_(PATH=path_without(tmp_path, tool, "apt-get")).make("demo")
    sentence = f"`{tool}` is not installed: install it with `apt-get install {package}`."
    assert_refused(refused, re.escape(sentence))


def test_a_control_plane_that_cannot_be_built_is_said(prepared: Newcomer, tmp_path: Path) -> None:
    path = path_without(tmp_path, "go", "apt-get")
    refused = prepared.with_(PATH=path, ZOOKEEPER_FUNCTIONS_CACHE=str(tmp_path)).make("demo")
    assert_refused(refused, "`go` is not installed and etcd, .* must be built once: install Go")


def test_missing_user_namespaces_are_said_with_what_to_set(prepared: Newcomer) -> None:
    forbid = "echo 0 > /proc/sys/user/max_user_namespaces"
    make = f"make --no-print-directory PYTHON={prepared.python} demo"
    refused = prepared.run("unshare", "--user", "--map-root-user", "sh", "-c", f"{forbid}; {make}")
    assert_refused(refused, "does not let you make user namespaces .*user.max_user_namespaces")


@pytest.mark.soak
def test_an_interrupted_setup_begins_anew(unprepared: Newcomer) -> None:
    leftover = unprepared.checkout / ".venv/lib/half-written"
    leftover.parent.mkdir(parents=True)
    leftover.touch()
    assert_environment_is_made(unprepared)
    assert not leftover.exists()


@pytest.mark.soak
def test_an_environment_whose_python_is_gone_is_made_anew(unprepared: Newcomer) -> None:
    fake_environment(unprepared, python="/nowhere/python3", place=unprepared.checkout)
    assert_environment_is_made(unprepared)


@pytest.mark.soak
def test_an_environment_that_was_moved_is_made_anew(unprepared: Newcomer) -> None:
    fake_environment(unprepared, python=unprepared.python, place=Path("/where/it/was"))
    assert_environment_is_made(unprepared)


def test_a_whole_environment_is_left_alone(unprepared: Newcomer) -> None:
    fake_environment(unprepared, python=unprepared.python, place=unprepared.checkout)
    done = unprepared.make(".venv/installed")
    assert done.returncode == 0
    assert REMADE not in done.stdout


def fake_environment(of: Newcomer, *, python: str, place: Path) -> None:
    (of.checkout / ".venv/bin").mkdir(parents=True)
    (of.checkout / ".venv/bin/python").symlink_to(python)
    (of.checkout / ".venv/installed").write_text(f"{place}\n")


def assert_environment_is_made(of: Newcomer) -> None:
    done = of.make(".venv/installed")
    assert done.returncode == 0, done.stderr
    assert REMADE in done.stdout
    asked = of.run(".venv/bin/python", "-c", "import sys, functions; print(sys.prefix)")
    assert asked.stdout == f"{of.checkout}/.venv\n"
    assert REMADE not in of.make(".venv/installed").stdout


def assert_refused(done: Completed, sentence: str) -> None:
    """One sentence, make's own line below it, and nothing else."""
    assert done.returncode != 0
    told, made = done.stderr.splitlines()
    assert re.search(sentence, told)
    assert made.startswith("make: ***")


def path_without(folder: Path, *hidden: str) -> str:
    """Return a search path with all programs of this machine but the hidden ones."""
    programs = folder / "programs"
    programs.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for found in Path(place).iterdir() if Path(place).is_dir() else ():
            if found.name not in hidden and not (programs / found.name).is_symlink():
                (programs / found.name).symlink_to(found)
    return str(programs)


def pods(somebody: Newcomer) -> dict[str, int]:
    """Return every pod by its uid, with the restarts of its containers."""
    kubectl = str(somebody.checkout / ".local/bin/kubectl")
    kubeconfig = f"--kubeconfig={somebody.checkout}/.local/kubeconfig"
    asked = somebody.run(kubectl, kubeconfig, "get", "pods", "--all-namespaces", "-o", "json")
    found = json.loads(asked.stdout)["items"]
    return {
        pod["metadata"]["uid"]: sum(c["restartCount"] for c in pod["status"]["containerStatuses"])
        for pod in found
    }


def files(somebody: Newcomer) -> set[Path]:
    """Return all files of the checkout and the caches, without Python's own."""
    roots = (somebody.checkout, somebody.base / "cache")
    found = (path for root in roots for path in root.rglob("*") if path.is_file())
    return {path for path in found if path.suffix != ".pyc" and path.suffix != ".lock"}


def processes_of(somebody: Newcomer) -> list[str]:
    """Return the command lines of all processes that name the newcomer's files."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError):
                continue
            found += [command] if str(somebody.base) in command else []
    return found
