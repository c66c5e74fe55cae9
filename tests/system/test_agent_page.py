"""Each endpoint of docs/agent.md, asked from outside the pod by the page's own commands."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.platform.handle import Platform
from tests.system.clusters import Cluster, now

pytestmark = pytest.mark.system

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


@contextmanager
def _forwarded(cluster: Cluster) -> Iterator[int]:
    command = [
        *(str(cluster.platform.state / "bin" / "kubectl"), f"--namespace={cluster.namespace}"),
        *(f"--kubeconfig={cluster.platform.kubeconfig}", "port-forward", "pod/small-0", ":1988"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forwarding:
        try:
            assert forwarding.stdout is not None
            said = forwarding.stdout.readline()
            yield int(said.split("127.0.0.1:")[1].split()[0])
        finally:
            forwarding.kill()


def _run(cluster: Cluster, port: int, example: str) -> tuple[int, Any]:
    """Run one command of the page; return the status and the JSON that came."""
    page = PAGE.read_text()
    (password,) = PASSWORD.findall(page)
    script = f"{password}\n{example}".replace("127.0.0.1:1988", f"127.0.0.1:{port}")
    script = script.replace("curl -s", "curl -s -w '\\n%{http_code}'")
    script = script.replace("kubectl ", f"kubectl --namespace={cluster.namespace} ")
    script = script.replace(".default.svc", f".{cluster.namespace}.svc")
    variables = {
        **os.environ,
        "KUBECONFIG": str(cluster.platform.kubeconfig),
        "PATH": f"{cluster.platform.state / 'bin'}:{os.environ['PATH']}",
        "no_proxy": "127.0.0.1",
    }
    done = subprocess.run(
        ["bash", "-euc", script], env=variables, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


def _shape(value: Any) -> Any:
    """Return what a reader of the page may count on: the names and the kinds of values."""
    if isinstance(value, dict):
        return {name: _shape(inner) for name, inner in value.items()}
    return [_shape(value[0])] if isinstance(value, list) and value else type(value).__name__


def test_every_example_of_the_page_works_and_answers_as_it_says(single: Cluster) -> None:
    examples = EXAMPLE.findall(PAGE.read_text())
    asked = [command.rpartition(":1988")[2] for command, _ in examples]
    assert asked == ["/status", "/client", "/runok", "/health", "/get", "/disk", "/add", "/del"]
    with _forwarded(single) as port:
        for command, answer in examples:
            status, told = _run(single, port, command)
            assert status == 200, (command, told)
            assert _shape(told) == _shape(json.loads(answer)), command


def test_nobody_else_changes_the_member_list_and_nobody_adds_what_the_spec_does_not_want(
    single: Cluster,
) -> None:
    add = next(c for c, _ in EXAMPLE.findall(PAGE.read_text()) if c.endswith("/add"))
    other = add.replace("server.1=small-0", "server.2=small-1")
    with _forwarded(single) as port:
        before = _run(single, port, "curl -s http://127.0.0.1:1988/get")
        refused = [
            _run(single, port, add.replace('-u "super:$PASSWORD" ', "")),
            _run(single, port, add.replace("$PASSWORD", "wrong")),
            _run(single, port, other),
            _run(single, port, "curl -s http://127.0.0.1:1988/add"),
        ]
        assert [status for status, _ in refused] == [401, 401, 409, 405]
        assert "raise spec.replicas" in refused[2][1]["error"]
        assert _run(single, port, "curl -s http://127.0.0.1:1988/get") == before


@pytest.mark.soak
def test_a_join_that_is_still_to_come_is_left_to_the_planner(single: Cluster) -> None:
    """202 while the new server starts: the planner looks, and the list is as it was."""
    add = next(c for c, _ in EXAMPLE.findall(PAGE.read_text()) if c.endswith("/add"))
    other = add.replace("server.1=small-0", "server.2=small-1").replace("participant", "observer")
    with _forwarded(single) as port:
        single.patch({"observers": 1})
        since = now()
        status, told = _run(single, port, other)
        assert (status, told["done"]) == (202, False)
        single.until(lambda: single.calls(since, "scale"), "scale to look")
