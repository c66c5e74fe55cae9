"""The kernel obeys the table: pods' networks as the laptop makes them, and packets between them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from local.platform.outside import NAMESPACES
from local.platform.parts import python_path
from local.policies.table import table
from tests.policy_cases import CASES, EDGES, Case, Edge

pytestmark = pytest.mark.contract

Open = Callable[[Case], set[Edge]]


@pytest.fixture(scope="module")
def open_edges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """Returns the edges that are open under the policies of a case."""
    folder = tmp_path_factory.mktemp("network")
    (folder / "inside").mkdir()
    program = [sys.executable, "-m", "tests.contract.policy_network", str(folder)]
    command = ["unshare", *NAMESPACES, "--fork", "--mount-proc", "--kill-child", *program]
    variables = {**os.environ, "PYTHONPATH": python_path()}
    variables["PATH"] = f"{variables['PATH']}:/usr/sbin:/sbin"
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=variables, stdin=pipe, stdout=pipe, text=True) as inside:
        assert inside.stdin
        assert inside.stdout
        said, asked = inside.stdout, inside.stdin

        def ask(case: Case) -> set[Edge]:
            wanted = [edge for edge in EDGES if case.is_open(edge)]
            question = {"table": table(*case.isolations()), "edges": EDGES, "open": wanted}
            print(json.dumps(question), file=asked, flush=True)
            return {(one[0], one[1], one[2]) for one in json.loads(said.readline())}

        yield ask
        asked.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_packets_pass_as_the_policies_say(open_edges: Open, case: Case) -> None:
    assert open_edges(case) == {edge for edge in EDGES if case.is_open(edge)}
