"""The walls of a container: the bubblewrap command line, its user, its command and image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.node.errors import CannotStart
from local.node.images import Catalogue, Image, image, parse_image_name
from local.node.jars import JarList, candidates
from local.node.sandbox import Mount, Sandbox, command_line
from local.node.surroundings import command_of, user_of

POD: dict[str, Any] = {"metadata": {"name": "p", "namespace": "demo"}, "spec": {}}


def line(**changes: Any) -> list[str]:
    network = Path("/run/netns/pod-x")
    return command_line(Sandbox(("cmd", "arg"), network, "zk-0", **changes), 7)


def test_the_command_comes_last_in_the_pods_network() -> None:
    assert line()[0:2] == ["/usr/bin/nsenter", "--net=/run/netns/pod-x"]
    assert line()[-3:] == ["--", "cmd", "arg"]


def test_an_outer_mount_comes_before_the_one_inside_it() -> None:
    inner = Mount(Path("/v/inner"), "/data/log/deep", read_only=True)
    words = line(mounts=(inner, Mount(Path("/v/outer"), "/data")))
    assert words.index("/v/outer") < words.index("/v/inner")
    assert words[words.index("/v/inner") - 1] == "--ro-bind"
    assert words[words.index("/v/outer") - 1] == "--bind"


def test_only_a_read_only_root_is_remounted_and_last() -> None:
    assert "--remount-ro" not in line()
    words = line(read_only_root=True, mounts=(Mount(Path("/v"), "/data"),))
    assert words.index("--remount-ro") > words.index("/v")


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({}, ("entry", "image-command")),
        ({"args": ["$(A)"]}, ("entry", "1")),
        ({"command": ["own"]}, ("own",)),
        ({"command": ["own"], "args": ["more"]}, ("own", "more")),
    ],
)
def test_command_and_args_replace_what_the_image_has(
    container: dict[str, Any], expected: tuple[str, ...]
) -> None:
    made = Image("i", entrypoint=("entry",), command=("image-command",))
    assert command_of(container, made, {"A": "1"}) == expected


def test_an_image_without_a_command_needs_one() -> None:
    with pytest.raises(CannotStart, match="has no command"):
        command_of({}, Image("i"), {})


@pytest.mark.parametrize(
    ("pod_context", "context", "expected"),
    [
        ({}, {}, (1000, 1000)),
        ({"runAsUser": 5}, {}, (5, 0)),
        ({"runAsUser": 5, "runAsGroup": 6}, {"runAsUser": 7}, (7, 6)),
    ],
)
def test_the_containers_own_user_wins(
    pod_context: dict[str, Any], context: dict[str, Any], expected: tuple[int, int]
) -> None:
    pod = {**POD, "spec": {"securityContext": pod_context}}
    made = Image("i", user="zookeeper", users={"zookeeper": 1000})
    assert user_of(pod, {"name": "c", "securityContext": context}, made) == expected


def test_root_is_refused_where_it_is_forbidden() -> None:
    container = {"name": "c", "securityContext": {"runAsNonRoot": True}}
    with pytest.raises(CannotStart, match="image will run as root"):
        user_of(POD, container, Image("i"))


@pytest.mark.parametrize(
    ("text", "short", "version"),
    [
        ("zookeeper:3.9.5", "zookeeper:3.9.5", "3.9.5"),
        ("docker.io/library/zookeeper:3.9.5-jre-17", "zookeeper:3.9.5-jre-17", "3.9.5"),
        ("registry.example:5000/team/zookeeper-functions", "team/zookeeper-functions:latest", None),
        ("debian", "debian:latest", None),
    ],
)
def test_an_image_name_is_split(text: str, short: str, version: str | None) -> None:
    name = parse_image_name(text)
    assert name.short == short
    assert version in (None, name.version)


@pytest.mark.parametrize("text", ["", "a//b:1", "zookeeper:"])
def test_what_is_no_image_name_is_refused(text: str) -> None:
    with pytest.raises(CannotStart) as caught:
        parse_image_name(text)
    assert caught.value.reason == "InvalidImageName"


def test_an_unknown_image_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(CannotStart) as caught:
        Catalogue(tmp_path).entry(parse_image_name("nginx:1"))
    assert "zookeeper:*" in caught.value.message
    assert str(tmp_path / "images.yaml") in caught.value.message


def test_the_users_catalogue_is_looked_at_first(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tmp_path / "images.yaml").write_text(
        f'- names: ["tools:*"]\n  mounts: {{"/opt/{{tag}}": {tools}}}\n  command: [run]\n'
    )
    name = parse_image_name("tools:7")
    made = image(name, Catalogue(tmp_path).entry(name), None)
    assert Mount(tools, "/opt/7", read_only=True) in made.mounts
    assert made.command == ("run",)


def test_a_broken_catalogue_is_said(tmp_path: Path) -> None:
    (tmp_path / "images.yaml").write_text("names: zookeeper")
    with pytest.raises(CannotStart, match="must be a list"):
        Catalogue(tmp_path).entry(parse_image_name("zookeeper:3.9.5"))


def test_the_functions_image_has_the_checkout_and_its_python(tmp_path: Path) -> None:
    name = parse_image_name("ghcr.io/team/zookeeper-functions:1")
    made = image(name, Catalogue(tmp_path).entry(name), None)
    assert "/app" in {mount.target for mount in made.mounts}
    assert all(mount.read_only for mount in made.mounts)
    assert made.env["PYTHONPATH"] == "/app"
    assert made.workdir == "/app"


@pytest.mark.parametrize(
    ("version", "metrics"),
    [
        ("3.9.5", ["3.9.5", "3.9.4", None]),
        ("3.9.4", ["3.9.4", None]),
        ("3.7.0", ["3.7.0", "3.8.3", None]),
    ],
)
def test_metrics_providers_are_tried_from_the_closest(
    version: str, metrics: list[str | None]
) -> None:
    assert [jars.metrics for jars in candidates(version)] == metrics


@pytest.mark.parametrize("version", ["3.5.9", "latest", "3.9"])
def test_a_version_that_cannot_run_here_is_refused(version: str) -> None:
    with pytest.raises(CannotStart, match=version):
        candidates(version)


def test_each_line_logs_its_own_way() -> None:
    assert "reload4j" in JarList("3.7.0", None).pom()
    assert "<version>1.2.13</version>" in JarList("3.8.4", None).pom()
    assert "<version>1.3.15</version>" in JarList("3.9.5", None).pom()
    assert "prometheus" not in JarList("3.9.5", None).pom()
