"""The Job and CronJob controllers and their pods' programs, as far as functions see of them.

One call of `run` takes every Job one step on: its pod is made, starts, ends, and only then the Job
says so. Programs end as `endings` says; a copying one leaves an object in `store`, and a pruning
one takes away what it is told to.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from functions.adapters.memory import MemoryKube
from functions.api.kinds import CRON_JOB, JOB, POD, Ref
from functions.api.manifest import Manifest
from tests.handlers.restored_volumes import PROGRAMS, Volumes

ADDRESS = "10.245.0.{}"
LETTERS = "bcdfghjklmnpqrstvwxz"


@dataclass
class Ending:
    """How a program ends, this many times; then it does what it should."""

    error: str
    code: int = 1
    times: int = 1


@dataclass
class JobController:
    """The Jobs of all namespaces. `held` programs go on until they are let go, `unplaced` ones get
    no node, `wordless` ones end without a word."""

    store: set[str] = field(default_factory=set)
    endings: dict[str, Ending] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    unplaced: set[str] = field(default_factory=set)
    wordless: set[str] = field(default_factory=set)
    volumes: Volumes = field(default_factory=Volumes)
    made: int = 0
    # Every Job it has worked on: functions remove those that are over.
    known: dict[str, Manifest] = field(default_factory=dict)

    def run(self, kube: MemoryKube, now: str) -> bool:
        """Take every Job one step on; return whether anything changed."""
        steps = [self._job(job, kube, now) for job in kube.stored(JOB)]
        steps += [self._cron_job(found, kube) for found in kube.stored(CRON_JOB)]
        return any(steps)

    def fire(self, kube: MemoryKube, ref: Ref, minute: int, now: str) -> bool:
        """Let a CronJob's time come; return whether a Job was made."""
        found = kube.get(ref)
        assert found is not None, f"there is no {ref}"
        name = f"{ref.name}-{minute}"
        if found["spec"].get("suspend") or found.get("status", {}).get("active"):
            return False
        template = found["spec"]["jobTemplate"]
        metadata = {
            **template["metadata"],
            "name": name,
            "namespace": ref.namespace,
            "creationTimestamp": now,
            "ownerReferences": [_owner(found)],
        }
        kube.put(
            {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata,
             "spec": template["spec"]},
            manager="cronjob",
        )  # fmt: skip
        status = {**found.get("status", {}), "lastScheduleTime": now, "active": [{"name": name}]}
        kube.put({**found, "status": status}, manager="cronjob")
        return True

    def _cron_job(self, found: Manifest, kube: MemoryKube) -> bool:
        metadata, status = found["metadata"], dict(found.get("status", {}))
        own = [
            job
            for job in kube.stored(JOB)
            if job["metadata"]["ownerReferences"][0]["uid"] == metadata["uid"]
        ]
        active = [{"name": job["metadata"]["name"]} for job in own if not _end(job)]
        ends = [job["status"]["completionTime"] for job in own if _end(job) == "Complete"]
        wanted = {**status, "active": active}
        if ends:
            wanted["lastSuccessfulTime"] = max(ends)
        trimmed = self._trim(own, found, kube)
        if {k: v for k, v in wanted.items() if v} == {k: v for k, v in status.items() if v}:
            return trimmed
        kube.put({**found, "status": wanted}, manager="cronjob")
        return True

    def _trim(self, own: list[Manifest], found: Manifest, kube: MemoryKube) -> bool:
        spec, gone = found["spec"], []
        for end, limit in (
            ("Complete", spec["successfulJobsHistoryLimit"]),
            ("Failed", spec["failedJobsHistoryLimit"]),
        ):
            ended = sorted(
                (job for job in own if _end(job) == end),
                key=lambda job: str(job["metadata"]["creationTimestamp"]),
            )
            gone += ended[: max(0, len(ended) - limit)]
        for job in gone:
            _remove(kube, Ref(JOB, job["metadata"]["namespace"], job["metadata"]["name"]))
        return bool(gone)

    def _job(self, job: Manifest, kube: MemoryKube, now: str) -> bool:
        self.known[job["metadata"]["name"]] = job
        if _end(job):
            return False
        pods = [
            pod
            for pod in kube.stored(POD)
            if pod["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
        ]
        phases = [pod.get("status", {}).get("phase", "Pending") for pod in pods]
        if "Succeeded" in phases:
            return self._end_job(job, "Complete", "", kube, now)
        failed = [pod for pod in pods if pod.get("status", {}).get("phase") == "Failed"]
        if any(_exit_code(pod) == 2 for pod in failed):
            return self._end_job(job, "Failed", "PodFailurePolicy", kube, now)
        if len(failed) > job["spec"]["backoffLimit"]:
            return self._end_job(job, "Failed", "BackoffLimitExceeded", kube, now)
        alive = [pod for pod in pods if pod not in failed]
        return self._pod(alive[0], kube, now) if alive else self._make_pod(job, kube, now)

    def _end_job(self, job: Manifest, kind: str, reason: str, kube: MemoryKube, now: str) -> bool:
        condition = {"type": kind, "status": "True", "reason": reason, "lastTransitionTime": now,
                     "message": f"The Job has ended: {reason}."}  # fmt: skip
        status: Manifest = {"conditions": [condition]}
        if kind == "Complete":
            status |= {"succeeded": 1, "completionTime": now}
        kube.put({**job, "status": status}, manager="job")
        return True

    def _make_pod(self, job: Manifest, kube: MemoryKube, now: str) -> bool:
        metadata, template = job["metadata"], job["spec"]["template"]
        number, letters = self.made, ""
        self.made += 1
        for _ in range(5):
            number, digit = divmod(number, len(LETTERS))
            letters = LETTERS[digit] + letters
        kube.put(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": f"{metadata['name'][:57]}-{letters}",
                    "namespace": metadata["namespace"],
                    "creationTimestamp": now,
                    "labels": {**template["metadata"]["labels"], "job-name": metadata["name"]},
                    "ownerReferences": [_owner(job)],
                },
                "spec": template["spec"],
            },
            manager="job",
        )
        return True

    def _pod(self, pod: Manifest, kube: MemoryKube, now: str) -> bool:
        status, program = pod.get("status", {}), program_of(pod)
        if not status and program in self.unplaced:
            told = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                    "message": "0/3 nodes are available"}  # fmt: skip
            kube.put({**pod, "status": {"phase": "Pending", "conditions": [told]}}, manager="kube")
            return True
        if program in self.unplaced:
            return False
        if status.get("phase") != "Running":
            address = ADDRESS.format(self.made % 250)
            started = {"phase": "Running", "podIP": address, "startTime": now}
            kube.put({**pod, "status": started}, manager="kubelet")
            return True
        if program in self.held:
            return False
        kube.put({**pod, "status": {**status, **self._ended(pod, program, now)}}, manager="kubelet")
        return True

    def _ended(self, pod: Manifest, program: str, now: str) -> Manifest:
        code, message = self._outcome(pod, program, now)
        ended = {"exitCode": code, "finishedAt": now, "startedAt": now,
                 "reason": "Completed" if code == 0 else "Error"}  # fmt: skip
        if program not in self.wordless:
            ended["message"] = json.dumps(message)
        name = pod["spec"]["containers"][0]["name"]
        return {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [{"name": name, "state": {"terminated": ended}}],
        }

    def _outcome(self, pod: Manifest, program: str, now: str) -> tuple[int, Manifest]:
        ending = self.endings.get(program)
        if ending is not None and ending.times:
            ending.times -= 1
            return ending.code, {"error": ending.error, "final": ending.code == 2}
        if program in PROGRAMS:
            return self.volumes.run(pod)
        env = env_of(pod)
        if program == "prune":
            keys = env["KEYS"].split("\n")
            assert all(key.startswith(f"{env['OBJECT_KEY']}/") for key in keys)
            self.store -= set(keys)
            return 0, {"deleted": len(keys)}
        if program == "verify":
            return self._verified(env["KEY"])
        if program != "copy-out":
            return 0, {}
        key = f"{env['OBJECT_KEY']}/{pod['metadata']['name']}"
        self.store.add(key)
        return 0, {
            "key": key, "startTime": pod["status"]["startTime"], "finishTime": now, "size": 1000,
            "zxid": "0x100000007", "server": env["SERVER"], "version": env["ZK_VERSION"],
            "checksum": "0" * 64, "verified": env["VERIFY"] == "true", "nodes": 5,
            **({} if env["SERVER_HOST"] else {"warning": "No server served."}),
        }  # fmt: skip

    def _verified(self, key: str) -> tuple[int, Manifest]:
        if key not in self.store:
            return 2, {"error": f"{key} has no manifest.json", "final": True}
        return 0, {"key": key, "size": 1000, "zxid": "0x100000007", "nodes": 5, "verified": True}


def program_of(pod: Manifest) -> str:
    name: str = pod["spec"]["containers"][0]["name"]
    return name


def env_of(pod: Manifest) -> dict[str, Any]:
    return {entry["name"]: entry.get("value") for entry in pod["spec"]["containers"][0]["env"]}


def _end(job: Manifest) -> str:
    ends = [c["type"] for c in job.get("status", {}).get("conditions", ())]
    return ends[0] if ends else ""


def _exit_code(pod: Manifest) -> int:
    code: int = pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"]
    return code


def _owner(of: Manifest) -> Manifest:
    return {
        "apiVersion": of["apiVersion"],
        "kind": of["kind"],
        "name": of["metadata"]["name"],
        "uid": of["metadata"]["uid"],
        "controller": True,
    }


def _remove(kube: MemoryKube, ref: Ref) -> None:
    found = kube.get(ref)
    assert found is not None
    kube.delete(ref, uid=found["metadata"]["uid"])
    kube.writes.pop()
