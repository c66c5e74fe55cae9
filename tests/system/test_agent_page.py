"""Each endpoint of docs/agent.md, asked from outside the pod by the page's own commands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.platform.handle import Platform
from tests.system.clusters import Cluster, now
from tests.system.reader import Reader, forwarded

pytestmark = pytest.mark.system

Run = Callable[[str], tuple[int, Any]]
PAGE = Path(__file__).parents[2] / "docs" / "agent.md"
EXAMPLE = re.compile(r"^```\n(curl .+)\n```\n```json\n(.+)\n```$", re.MULTILINE)
PASSWORD = re.compile(r"^PASSWORD=.+$", re.MULTILINE)


@pytest.fixture(scope="module")
def single(product: Platform, shared_namespace: str) -> Cluster:
    """One server, and the page's commands find it where they look."""
    cluster = Cluster(product, shared_namespace, "small")
    cluster.apply(1)
    cluster.until_settled()
    return cluster


@pytest.fixture
def run(single: Cluster, tmp_path: Path) -> Iterator[Run]:
    """Runs one command of the page through one forwarded port; gives the status and the JSON."""
    reader = Reader(single.platform, single.namespace, tmp_path, seconds=60)
    (password,) = PASSWORD.findall(PAGE.read_text())
    with forwarded(single.platform, single.namespace, "small-0", 1988) as port:

        def one(example: str) -> tuple[int, Any]:
            script = example.replace("127.0.0.1:1988", f"127.0.0.1:{port}")
            script = script.replace("curl -s", "curl -s -w '\\n%{http_code}'")
            script = script.replace(".default.svc", f".{single.namespace}.svc")
            printed = reader.output("export no_proxy=127.0.0.1", password, script)
            body, _, status = printed.rpartition("\n")
            return int(status), json.loads(body)

        yield one


def _shape(value: Any) -> Any:
    """Return what a reader of the page may count on: the names and the kinds of values."""
    if isinstance(value, dict):
        return {name: _shape(inner) for name, inner in value.items()}
    return [_shape(value[0])] if isinstance(value, list) and value else type(value).__name__


def test_every_example_of_the_page_works_and_answers_as_it_says(run: Run) -> None:
    examples = EXAMPLE.findall(PAGE.read_text())
    asked = [command.rpartition(":1988")[2] for command, _ in examples]
    assert asked == ["/status", "/client", "/runok", "/health", "/get", "/disk", "/add", "/del"]
    for command, answer in examples:
        status, told = run(command)
        assert status == 200, (command, told)
        assert _shape(told) == _shape(json.loads(answer)), command


def test_nobody_else_changes_the_member_list_and_nobody_adds_what_the_spec_does_not_want(
    run: Run,
) -> None:
    add = next(c for c, _ in EXAMPLE.findall(PAGE.read_text()) if c.endswith("/add"))
    other = add.replace("server.1=small-0", "server.2=small-1")
    before = run("curl -s http://127.0.0.1:1988/get")
    refused = [
        run(add.replace('-u "super:$PASSWORD" ', "")),
        run(add.replace("$PASSWORD", "wrong")),
        run(other),
        run("curl -s http://127.0.0.1:1988/add"),
    ]
    assert [status for status, _ in refused] == [401, 401, 409, 405]
    assert "raise spec.replicas" in refused[2][1]["error"]
    assert run("curl -s http://127.0.0.1:1988/get") == before


@pytest.mark.soak
def test_a_join_that_is_still_to_come_is_left_to_the_planner(single: Cluster, run: Run) -> None:
    """202 while the new server starts: the planner looks, and the list is as it was."""
    add = next(c for c, _ in EXAMPLE.findall(PAGE.read_text()) if c.endswith("/add"))
    other = add.replace("server.1=small-0", "server.2=small-1").replace("participant", "observer")
    single.patch({"observers": 1})
    since = now()
    status, told = run(other)
    assert (status, told["done"]) == (202, False)
    single.until(lambda: single.calls(since, "scale"), "scale to look")
