"""What a node tells of a pod, and tells again when somebody else wrote over it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from local.kube import KubeClient
from local.node.reporter import StatusReporter

METADATA = {"namespace": "apps", "name": "zk-0", "uid": "u"}
SECONDS = 5.0


def _status(ready: str, **more: Any) -> dict[str, Any]:
    condition = {"type": "Ready", "status": ready, "lastTransitionTime": "t"}
    others = more.pop("others", [])
    return {"phase": "Running", "conditions": [condition, *others], **more}


class _Server:
    """Takes statuses; `came` is waited for until that many are there."""

    def __init__(self) -> None:
        self.statuses: list[dict[str, Any]] = []
        self._more = asyncio.Event()

    async def call(self, *_: str, body: dict[str, Any], content_type: str) -> None:
        assert "strategic-merge" in content_type
        self.statuses.append(body["status"])
        self._more.set()

    async def came(self, number: int) -> None:
        async with asyncio.timeout(SECONDS):
            while len(self.statuses) < number:
                self._more.clear()
                await self._more.wait()


def _reported(story: Callable[[StatusReporter, _Server], Awaitable[None]]) -> list[dict[str, Any]]:
    """Return what was sent of a pod that is ready all the time, while `story` happens."""

    async def run() -> list[dict[str, Any]]:
        server = _Server()
        reporter = StatusReporter(cast(KubeClient, server), METADATA)
        task = asyncio.create_task(reporter.run(lambda: _status("True")))
        reporter.changed.set()
        await server.came(1)
        await story(reporter, server)
        # What is left to do for the last change: nothing is sent later than that.
        while reporter.changed.is_set():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        return server.statuses

    return asyncio.run(run())


def test_a_pod_that_the_controller_of_nodes_calls_not_ready_is_ready_again() -> None:
    async def overwritten(reporter: StatusReporter, server: _Server) -> None:
        reporter.compare({"status": _status("False")})
        await server.came(2)

    assert [it["conditions"][0]["status"] for it in _reported(overwritten)] == ["True", "True"]


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(_status("True"), id="as-sent"),
        pytest.param(_status("True", hostIP="10.0.0.1"), id="with-more-than-was-sent"),
        pytest.param(
            _status("True", others=[{"type": "DisruptionTarget", "status": "True"}]),
            id="with-a-condition-of-others",
        ),
    ],
)
def test_nothing_is_told_twice(stored: dict[str, Any]) -> None:
    async def again(reporter: StatusReporter, _: _Server) -> None:
        reporter.compare({"status": stored})

    assert len(_reported(again)) == 1
