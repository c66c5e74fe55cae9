"""What was seen of the Jobs that were made for a backup or a restore, and what they left behind.

A program's last words are the termination message of its container (`functions/pods/outcome.py`):
one JSON object. Whoever may write to a pod's node could have said them, so every part is checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from functions.manifests.job_names import COMPONENT, GENERATION
from functions.planning.seen import Manifest, controller_uid, seen_pod

LONGEST_SENTENCE = 1024


@dataclass(frozen=True, slots=True)
class SeenRun:
    """One pod of a Job: one try of its program. `result` is what it said when it succeeded."""

    name: str
    address: str
    is_running: bool
    has_failed: bool
    started: str
    finished: str
    error: str
    trouble: str
    result: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class SeenJob:
    """One Job with its pods. `controller` is the uid of what it belongs to, `program` what it runs.
    `owners` are the uids of all it goes with: a run by hand has an owner, but no controller.

    `state` is the Job controller's word; pods may be gone long before the Job is.
    """

    name: str
    uid: str
    controller: str
    program: str
    state: Literal["active", "complete", "failed"]
    created: str
    finished: str
    is_deleting: bool
    owners: frozenset[str]
    reason: str
    generation: int
    annotations: Mapping[str, str]
    runs: tuple[SeenRun, ...] = ()

    @property
    def succeeded(self) -> SeenRun | None:
        """The try that did it, as long as its pod is there to say so."""
        return next((run for run in self.runs if run.result is not None), None)

    @property
    def is_active(self) -> bool:
        return self.state == "active" and self.succeeded is None

    @property
    def running(self) -> SeenRun | None:
        """The try under way, if there is one."""
        return next((run for run in self.runs if run.is_running), None)

    @property
    def error(self) -> str:
        """Why its last try failed, in the program's own words where it had any."""
        failed = sorted((run for run in self.runs if run.has_failed), key=lambda run: run.finished)
        return failed[-1].error if failed else self.reason

    @property
    def trouble(self) -> str:
        """Why its pod does not run."""
        return next((run.trouble for run in self.runs if run.trouble and not run.has_failed), "")


def seen_jobs(jobs: Sequence[Manifest], pods: Sequence[Manifest]) -> tuple[SeenJob, ...]:
    """Return the Jobs in the order they were made, each with its pods."""
    runs: dict[str, list[SeenRun]] = {}
    for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["name"])):
        runs.setdefault(controller_uid(pod), []).append(_run(pod))
    seen = [_job(job, tuple(runs.get(job["metadata"]["uid"], ()))) for job in jobs]
    return tuple(sorted(seen, key=lambda job: (job.created, job.name)))


def _job(job: Manifest, runs: tuple[SeenRun, ...]) -> SeenJob:
    metadata, status = job["metadata"], job.get("status", {})
    ended = {c["type"]: c for c in status.get("conditions", ()) if c["status"] == "True"}
    failed, complete = ended.get("Failed"), ended.get("Complete")
    end = failed or complete or {}
    annotations = metadata.get("annotations", {})
    generation = annotations.get(GENERATION, "")
    return SeenJob(
        name=metadata["name"],
        uid=metadata["uid"],
        controller=controller_uid(job),
        program=metadata.get("labels", {}).get(COMPONENT, "").replace("-", "_"),
        state="failed" if failed else "complete" if complete else "active",
        created=metadata.get("creationTimestamp", ""),
        finished=end.get("lastTransitionTime", ""),
        is_deleting="deletionTimestamp" in metadata,
        owners=frozenset(owner["uid"] for owner in metadata.get("ownerReferences", ())),
        reason=_end_reason(end),
        generation=int(generation) if generation.isdecimal() else 0,
        annotations=annotations,
        runs=runs,
    )


def _end_reason(end: Mapping[str, Any]) -> str:
    if end.get("reason") == "DeadlineExceeded":
        return (
            "It was not done in its time: see the Events of its pod, in case that never ran. A "
            "ZooKeeperBackup may have more time by spec.timeout."
        )
    return str(end.get("message", ""))[:LONGEST_SENTENCE]


def _run(pod: Manifest) -> SeenRun:
    status = pod.get("status", {})
    phase, seen = status.get("phase", "Pending"), seen_pod(pod)
    ended = _ended(status)
    told = _said(ended)
    succeeded = phase != "Failed" and ended.get("exitCode") == 0
    has_failed = phase == "Failed" or (bool(ended) and not succeeded)
    return SeenRun(
        name=seen.name,
        address=seen.address,
        is_running=phase == "Running" and not ended,
        has_failed=has_failed,
        started=str(ended.get("startedAt") or status.get("startTime") or ""),
        finished=str(ended.get("finishedAt", "")),
        error=_error(told, ended, status) if has_failed else "",
        trouble="" if ended else seen.trouble,
        result=told if succeeded else None,
    )


def _ended(status: Mapping[str, Any]) -> Mapping[str, Any]:
    containers = status.get("containerStatuses", ())
    found = [c.get("state", {}).get("terminated") for c in containers]
    return next((ended for ended in found if ended), {})


def _said(ended: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the program's last words; an empty mapping when they are none."""
    try:
        told = json.loads(ended.get("message", ""))
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _error(told: Mapping[str, Any], ended: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    sentence = told.get("error")
    if isinstance(sentence, str) and sentence:
        return sentence[:LONGEST_SENTENCE]
    if ended:
        reason, code = ended.get("reason", "Error"), ended.get("exitCode")
        return f"Its pod ended with {reason} (exit code {code}) and left no word why: see its log."
    told_by_node = " ".join(str(status.get(key, "")) for key in ("reason", "message")).strip()
    return f"Its pod was stopped: {told_by_node or 'nobody said why'}."[:LONGEST_SENTENCE]
