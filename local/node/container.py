"""Keeps one container as its pod wants it: started, probed, restarted, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from datetime import UTC, datetime

import aiohttp

from local.kube import ApiError, Object
from local.node.container_logs import LogWriter, last_text
from local.node.errors import CannotStart
from local.node.events import Happening
from local.node.probes import Target, look, watch
from local.node.records import Record, Started, Terminated, Waiting, should_restart
from local.node.running import start
from local.node.services import Services
from local.node.surroundings import PodPlace, prepare, termination_message

LONGEST_DELAY = 300.0
# A container that ran this long starts again at the first delay.
STEADY_SECONDS = 600.0
_PULL_REASONS = {"ErrImagePull": "ImagePullBackOff"}
_START_FAILED = 128


class ContainerKeeper:
    """One container of one pod."""

    def __init__(
        self,
        pod: Callable[[], Object],
        record: Record,
        place: PodPlace,
        services: Services,
        changed: Callable[[], None],
    ) -> None:
        self._pod = pod
        self.record = record
        self._place = place
        self._services = services
        self._changed = changed
        self._probing: list[asyncio.Task[None]] = []
        self._crashes = 0
        self.has_started = asyncio.Event()

    async def keep(self) -> None:
        """Run the container until it need not run any more."""
        while True:
            await self._run_once()
            if not self._should_restart():
                return
            await self._back_off()

    async def _run_once(self) -> None:
        """One run, from start to end; a start that fails is tried again after a while."""
        attempt = 0
        while True:
            try:
                await self._start()
                break
            except CannotStart as error:
                if error.reason == "RunContainerError":
                    self._set_failed_start(error.message)
                    return
                await self._wait_for_cause(error, attempt)
            except (ApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
                cause = CannotStart("CreateContainerError", str(error) or type(error).__name__)
                await self._wait_for_cause(cause, attempt)
            attempt += 1
        await self._until_exit()

    async def _wait_for_cause(self, error: CannotStart, attempt: int) -> None:
        self._tell("Failed", f"Error: {error.message}", warning=True)
        self._set(Waiting(error.reason, error.message))
        await asyncio.sleep(min(self._services.restart_delay * 2**attempt, 10.0) / 2)
        if shown := _PULL_REASONS.get(error.reason):
            message = f'Back-off pulling image "{self.record.spec["image"]}": {error.message}'
            self._set(Waiting(shown, message))
            self._tell("BackOff", message)
        await asyncio.sleep(min(self._services.restart_delay * 2**attempt, 10.0) / 2)

    async def _start(self) -> None:
        record = self.record
        prepared = await prepare(self._pod(), record, self._place, self._services)
        self._tell("Created", f"Container created: {record.name}")
        # As in a cluster, the log of the run before is kept and older ones are not.
        self._place.log(record.name, record.restart_count - 2).unlink(missing_ok=True)
        log = LogWriter(self._place.log(record.name, record.restart_count))
        record.running = await start(prepared.sandbox, prepared.env, log)
        record.image_id = f"local://{prepared.image.name}"
        record.container_id = prepared.container_id
        self._tell("Started", f"Container started: {record.name}")
        await self._after_start()
        record.state = Started(record.running.started_at)
        record.started = "startupProbe" not in record.spec
        record.ready = record.started and "readinessProbe" not in record.spec
        if record.started:
            self.has_started.set()
        self._changed()
        self._probing = [asyncio.create_task(self._probe())]

    async def _after_start(self) -> None:
        """The postStart hook: the container is not running before it is done."""
        hook = (self.record.spec.get("lifecycle") or {}).get("postStart")
        if not hook:
            return
        outcome = await look(hook, self._target(), 3600.0)
        if not outcome.is_success:
            self._tell("FailedPostStartHook", f"PostStartHook failed: {outcome.said}", warning=True)
            assert self.record.running is not None
            self.record.running.send(signal.SIGKILL)

    def _target(self) -> Target:
        assert self.record.running is not None
        return Target.of(self.record.running, self._place.address, self.record.spec)

    async def _probe(self) -> None:
        """The startup probe first; the other two begin when it has succeeded."""
        spec = self.record.spec
        if "startupProbe" in spec:
            await self._watch("Startup", spec["startupProbe"])
            if not self.record.started:
                return
        async with asyncio.TaskGroup() as group:
            for kind in ("Readiness", "Liveness"):
                if probe := spec.get(f"{kind.lower()}Probe"):
                    group.create_task(self._watch(kind, probe))

    async def _watch(self, kind: str, probe: Object) -> None:
        async def on_verdict(holds: bool, _said: str) -> bool:
            if kind == "Readiness":
                self._set_ready(holds)
                return False
            if not holds:
                reason = (
                    f"Container {self.record.name} failed {kind.lower()} probe, will be restarted"
                )
                self._stop_soon(reason, probe.get("terminationGracePeriodSeconds"))
                return True
            if kind == "Startup":
                self._set_started()
            return kind == "Startup"

        def on_failure(said: str) -> None:
            self._tell("Unhealthy", f"{kind} probe failed: {said}", warning=True)

        await watch(probe, self._target(), on_failure=on_failure, on_verdict=on_verdict)

    def _stop_soon(self, reason: str, grace: float | None) -> None:
        """Stopping outlives the probe that asks for it."""
        full = self._pod()["spec"].get("terminationGracePeriodSeconds", 30)
        task = asyncio.create_task(self.stop(full if grace is None else grace, reason))
        self._probing.append(task)

    def _set_ready(self, holds: bool) -> None:
        if self.record.ready != holds:
            self.record.ready = holds
            self._changed()

    def _set_started(self) -> None:
        self.record.started = True
        self.record.ready = "readinessProbe" not in self.record.spec
        self.has_started.set()
        self._changed()

    async def _until_exit(self) -> None:
        record = self.record
        assert record.running is not None
        code = await record.running.wait()
        for task in self._probing:
            task.cancel()
        record.ready = record.started = False
        ran = (datetime.now(UTC) - record.running.started_at).total_seconds()
        self._crashes = 0 if ran >= STEADY_SECONDS else self._crashes
        self._set(self._terminated(code, "Completed" if code == 0 else "Error"))

    def _terminated(self, code: int, reason: str, message: str = "") -> Terminated:
        record, now = self.record, datetime.now(UTC)
        log = last_text(self._place.log(record.name, record.restart_count))
        said = message or termination_message(record, self._place, failed=code != 0, log_end=log)
        begun = record.running.started_at if record.running else now
        return Terminated(code, reason, said, begun, now, record.container_id)

    def _set_failed_start(self, message: str) -> None:
        self._tell("Failed", f"Error: {message}", warning=True)
        self.record.running = None
        self._set(self._terminated(_START_FAILED, "StartError", message))

    def _should_restart(self) -> bool:
        assert isinstance(self.record.state, Terminated)
        policy = self._pod()["spec"].get("restartPolicy", "Always")
        return should_restart(self.record.kind, policy, self.record.state.exit_code)

    async def _back_off(self) -> None:
        """Wait before the next run: not at all the first time, then longer each time."""
        record = self.record
        assert isinstance(record.state, Terminated)
        record.last = record.state
        delay = restart_delay(self._crashes, self._services.restart_delay)
        self._crashes += 1
        if delay:
            metadata = self._pod()["metadata"]
            message = (
                f"back-off {delay:g}s restarting failed container={record.name} "
                f"pod={metadata['name']}_{metadata['namespace']}({metadata['uid']})"
            )
            self._tell(
                "BackOff", f"Back-off restarting failed container {record.name}", warning=True
            )
            self._set(Waiting("CrashLoopBackOff", message))
            await asyncio.sleep(delay)
        record.restart_count += 1

    async def stop(self, grace: float, why: str) -> None:
        """preStop, SIGTERM, and after the grace period SIGKILL; returns when it has ended."""
        running = self.record.running
        if running is None or running.has_ended:
            return
        self._tell("Killing", why)
        deadline = asyncio.get_running_loop().time() + grace
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._before_stop(grace)
        running.send(signal.SIGTERM)
        left = max(deadline - asyncio.get_running_loop().time(), 0.0)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running.process.wait(), left)
        running.send(signal.SIGKILL)
        await running.process.wait()

    async def _before_stop(self, grace: float) -> None:
        hook = (self.record.spec.get("lifecycle") or {}).get("preStop")
        if not hook:
            return
        if "sleep" in hook:
            await asyncio.sleep(hook["sleep"]["seconds"])
            return
        outcome = await look(hook, self._target(), grace)
        if not outcome.is_success:
            self._tell("FailedPreStopHook", f"PreStopHook failed: {outcome.said}", warning=True)

    async def settle(self) -> None:
        """After a stop from outside: note how the container ended, and end its probes."""
        for task in self._probing:
            task.cancel()
        if self.record.is_running:
            await self._until_exit()

    def _set(self, state: Waiting | Started | Terminated) -> None:
        self.record.state = state
        self._changed()

    def _tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        happening = Happening(reason, message, self.record.name, warning)
        self._services.events.record(self._pod(), happening)


def restart_delay(crashes: int, first: float) -> float:
    """At once after the first end, then `first` seconds, doubling up to five minutes."""
    return min(first * 2.0 ** (crashes - 1), LONGEST_DELAY) if crashes else 0.0
