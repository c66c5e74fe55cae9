"""What stands between a newcomer and the first command: the Makefile and `local.setup`."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
MAKEFILE = (CHECKOUT / "Makefile").read_text()
SECONDS = 60
LONG_GONE_PYTHON = (3, 7)

# Says what `local.setup` says when an older Python runs it.
OLD_PYTHON = """
import runpy, sys
sys.version_info = (3, 9, 2)
runpy.run_module("local.setup", run_name="__main__")
"""


def make(*words: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/usr/bin/make", "-C", str(CHECKOUT), "--no-print-directory", *words],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE))


def test_make_alone_explains_every_target() -> None:
    explained = {line.split()[0]: line.split(maxsplit=1)[1:] for line in make().stdout.splitlines()}
    assert set(explained) == targets()
    assert all(explained.values())


def test_no_target_is_taken_for_a_file() -> None:
    phony = re.findall(r"^\.PHONY: ([a-z0-9 -]+)$", MAKEFILE, re.MULTILINE)
    assert set(" ".join(phony).split()) == targets()


@pytest.mark.parametrize("page", ["README.md", ".ci/run"])
def test_every_make_command_that_is_written_down_exists(page: str) -> None:
    text = (CHECKOUT / page).read_text()
    written = re.findall(r"(?:^|`)make ([a-z0-9-]+)", text, re.MULTILINE)
    assert written
    assert set(written) <= targets()


def test_setup_can_be_read_by_a_python_that_is_too_old() -> None:
    source = (CHECKOUT / "local/setup.py").read_text()
    tree = ast.parse(source, feature_version=LONG_GONE_PYTHON)
    at_once = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert [node.module for node in at_once] == ["__future__"]
    package = (CHECKOUT / "local/__init__.py").read_text()
    assert [type(node) for node in ast.parse(package).body] == [ast.Expr]


def test_a_python_that_is_too_old_is_told_in_one_sentence() -> None:
    told = subprocess.run(
        [sys.executable, "-c", OLD_PYTHON],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert told.returncode == 1
    assert told.stderr.startswith("Python 3.11 or newer is needed")
    assert len(told.stderr.splitlines()) == 1


def test_the_long_scenarios_can_be_chosen_by_words() -> None:
    chosen = make("--dry-run", "soak", "SCENARIOS=restore or roll").stdout
    assert '-m "soak or large" -k "restore or roll"' in chosen
    assert " -k " not in make("--dry-run", "soak").stdout.splitlines()[-1]


def test_every_folder_with_long_scenarios_is_searched_for_them() -> None:
    files = (CHECKOUT / "tests").rglob("test_*.py")
    marked = re.compile(r"pytest\.mark\.(soak|large)\b")
    folders = {str(f.parent.relative_to(CHECKOUT)) for f in files if marked.search(f.read_text())}
    assert folders <= set(make("--dry-run", "soak").stdout.splitlines()[-1].split())


def engines(folder: Path, **works: bool) -> str:
    """Return a PATH on which are just these builders of images; they print what they are told."""
    for name, does_work in works.items():
        answer = 0 if does_work else 1
        script = f'#!/bin/sh\n[ "$1" = info ] && exit {answer}\necho {name} "$@"\n'
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    (folder / "grep").symlink_to(shutil.which("grep") or "")
    return str(folder)


@pytest.mark.parametrize(
    ("works", "engine"),
    [
        pytest.param({"buildah": True}, "buildah", id="the-only-one"),
        pytest.param({"podman": True, "docker": True, "buildah": True}, "podman", id="the-first"),
        pytest.param({"docker": False, "buildah": True}, "buildah", id="docker-without-its-daemon"),
    ],
)
def test_the_image_is_built_by_the_first_program_that_works(
    tmp_path: Path, works: dict[str, bool], engine: str
) -> None:
    words = ("IMAGE=here/it:1", "BASE=other:2", "BUILD_FLAGS=--pull")
    told = make("image", *words, path=engines(tmp_path, **works))
    flags = "-t here/it:1 --build-arg BASE=other:2 --pull ."
    assert told.stdout == f"{engine} build -f Containerfile {flags}\n"


def test_the_image_has_the_name_that_is_deployed_and_the_base_that_is_written_down(
    tmp_path: Path,
) -> None:
    told = make("image", path=engines(tmp_path, docker=True))
    assert told.stdout == "docker build -f Containerfile -t zookeeper-functions:latest .\n"
    deployed = (CHECKOUT / "config/base/functions.yaml").read_text()
    assert "image: zookeeper-functions:latest\n" in deployed


def test_where_nothing_builds_images_that_is_said_in_one_sentence(tmp_path: Path) -> None:
    told = make("image", path=engines(tmp_path, docker=False))
    assert told.returncode == 2
    sentence, *more = told.stderr.splitlines()
    assert sentence.startswith("make image builds with podman, docker or buildah, and none of them")
    assert all(re.match(r"make(\[\d+\])?: \*\*\*", line) for line in more), "beside make's own"


def test_a_builder_that_is_named_is_used(tmp_path: Path) -> None:
    told = make("image", "ENGINE=docker", path=engines(tmp_path, docker=False, buildah=True))
    assert told.stdout.startswith("docker build ")
