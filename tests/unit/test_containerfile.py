"""What the Containerfile, its list of what it is given, and project.toml say, without a build.

tests/contract/test_image.py builds it.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def instructions() -> Iterator[tuple[str, str]]:
    """Yield the instructions of the Containerfile: (word, the rest)."""
    text = re.sub(r"^#.*\n", "", (REPOSITORY / "Containerfile").read_text(), flags=re.MULTILINE)
    for line in text.replace("\\\n", " ").splitlines():
        if line:
            word, _, rest = line.partition(" ")
            yield word, rest.strip()


def copied() -> list[str]:
    """Return what the build takes from the checkout."""
    words = [shlex.split(rest) for word, rest in instructions() if word == "COPY"]
    return [each for line in words if not line[0].startswith("--from") for each in line[:-1]]


def test_all_that_is_copied_into_the_image_exists() -> None:
    """Guards against C28: a build that names a missing file."""
    assert copied() == ["requirements/runtime.txt", "functions", "LICENSE", "Procfile"]
    assert [name for name in copied() if not (REPOSITORY / name).exists()] == []


def test_the_context_of_the_build_has_just_what_is_copied() -> None:
    """By the name that docker reads as well; podman and buildah take theirs first."""
    assert not (REPOSITORY / ".containerignore").exists()
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert lines[0] == "*"
    assert sorted(line[1:] for line in lines if line.startswith("!")) == sorted(copied())


def test_the_image_is_no_roots_and_says_so_by_a_number() -> None:
    (said,) = [rest for word, rest in instructions() if word == "USER"]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", said)


def test_what_it_is_built_on_can_be_pinned_and_is_one() -> None:
    found = list(instructions())
    assert [rest.partition("=")[0] for word, rest in found if word == "ARG"] == ["BASE"]
    bases = [rest.partition(" AS ")[0] for word, rest in found if word == "FROM"]
    assert bases == ["${BASE}", "base", "base"]


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
