"""The image, built as the Containerfile says: it runs everything, and is never written.

No container engine is needed (container_build.py); that one builds the same is not shown here.
"""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import urllib3

from local.serving.procfile import read
from tests.contract.api_server import REPOSITORY
from tests.contract.container_build import Stage, build, instructions, sources
from tests.contract.processes import free_ports, running, until

pytestmark = pytest.mark.contract

ANYBODY = 123456
PROCFILE = read(REPOSITORY / "Procfile")
PROGRAMS = sorted(
    path.stem
    for path in (REPOSITORY / "functions" / "pods").glob("*.py")
    if '__name__ == "__main__"' in path.read_text()
)
SECONDS = 60


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return build(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def serving(image: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Every line of the Procfile, running as somebody: the port of each function."""
    folder = tmp_path_factory.mktemp("logs")
    ports = dict(zip(PROCFILE, free_ports(len(PROCFILE)), strict=True))
    with ExitStack() as stack:
        for name, line in PROCFILE.items():
            given = Stage("image", image.root, image.workdir, image.user, dict(image.env))
            given.env["PORT"] = str(ports[name])
            # As deployed: only /tmp, an emptyDir, can be written to.
            command = given.command(["sh", "-c", f"exec {line}"], user=ANYBODY)
            at = command.index("--chdir")
            command[at:at] = ["--tmpfs", "/tmp"]
            stack.enter_context(running(command, folder / name))
        yield ports


def test_all_that_is_copied_into_the_image_exists() -> None:
    """Guards against C28: a build that names a missing file."""
    assert sources() == ["requirements/runtime.txt", "functions", "LICENSE", "Procfile"]
    assert [name for name in sources() if not (REPOSITORY / name).exists()] == []


def test_the_context_of_the_build_has_just_what_is_copied() -> None:
    lines = (REPOSITORY / ".containerignore").read_text().splitlines()
    assert lines[0] == "*"
    assert sorted(line[1:] for line in lines if line.startswith("!")) == sorted(sources())


def test_the_image_is_no_roots_and_says_so_by_a_number() -> None:
    (said,) = [rest for word, rest in instructions(REPOSITORY / "Containerfile") if word == "USER"]
    user, group = said.split(":")
    assert int(user) > 0
    assert int(group) > 0


def test_what_it_is_built_on_can_be_pinned() -> None:
    found = list(instructions(REPOSITORY / "Containerfile"))
    assert [rest.partition("=")[0] for word, rest in found if word == "ARG"] == ["BASE"]
    bases = [rest.partition(" AS ")[0] for word, rest in found if word == "FROM"]
    assert set(bases) == {"${BASE}"}


@pytest.mark.soak
def test_everything_is_compiled(image: Stage) -> None:
    (packages,) = image.root.glob("venv/lib/python3*/site-packages")
    for folder in (image.root / "app" / "functions", packages / "kubernetes", packages / "flask"):
        found = [path for path in folder.rglob("*.py") if path.stat().st_size]
        assert found
        bare = [p for p in found if not list((p.parent / "__pycache__").glob(f"{p.stem}.*.pyc"))]
        assert bare == []


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(PROCFILE))
def test_a_line_of_the_procfile_serves_as_anybody_on_a_read_only_root(
    serving: dict[str, int], name: str
) -> None:
    with urllib3.PoolManager() as pool:

        def answer() -> tuple[int, str] | None:
            try:
                url = f"http://127.0.0.1:{serving[name]}"
                got = pool.request("POST", url, body="{}", retries=False, timeout=5)
            except urllib3.exceptions.HTTPError:
                return None
            return got.status, got.data.decode()

        status, said = until(answer, f"{name} answers", SECONDS)
    assert (status, "not a CloudEvent" in said) == (400, True)


@pytest.mark.soak
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_of_the_pods_starts_as_anybody_where_nothing_can_be_written(
    image: Stage, name: str
) -> None:
    """It is told nothing, so it ends; by then all it needs was imported."""
    told = Stage("image", image.root, image.workdir, image.user, image.env)
    words = ["python", "-X", "importtime", "-m", f"functions.pods.{name}"]
    done = subprocess.run(
        told.command(words, user=ANYBODY),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "functions.pods" in done.stderr
    said = f"{done.stdout}{done.stderr}"
    assert done.returncode != 0
    assert not any(
        word in said for word in ("ModuleNotFoundError", "ImportError", "Read-only file")
    )


@pytest.mark.soak
def test_the_image_can_name_its_functions(image: Stage) -> None:
    ((_, command),) = [i for i in instructions(REPOSITORY / "Containerfile") if i[0] == "CMD"]
    words = command.strip("[]").replace('"', "").split(", ")
    done = subprocess.run(
        image.command(words, user=ANYBODY),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert [line.split()[0] for line in done.stdout.splitlines()] == sorted(PROCFILE)


def test_buildpacks_are_told_the_same() -> None:
    told = tomllib.loads((REPOSITORY / "project.toml").read_text())
    included = told["io"]["buildpacks"]["include"]
    for pattern in included:
        assert list(REPOSITORY.glob(pattern)), pattern
    assert {"requirements.txt", "Procfile", "functions/**/*.py"} <= set(included)
    (line,) = [
        line
        for line in (REPOSITORY / "requirements.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert Path(line.removeprefix("-r ")) == Path("requirements/runtime.txt")
