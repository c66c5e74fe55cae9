"""Jobs run on the laptop's nodes as in a cluster: what backups and restores are made of.

The Job controller, the scheduler and the garbage collector are the real ones; these tests ask for
what they need of a node: exit codes, last words, deadlines, mounts, and pods that end for good.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from local import audit
from local.platform.handle import Platform, eventually
from tests.system import rest
from tests.system.rest import Manifest

pytestmark = pytest.mark.system

FOR_EVER = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
CLAIM = "data"
# Written before a Job ends: 5000 bytes, of which a kubelet keeps the last 4096.
LONG = "head -c 1000 /dev/zero | tr '\\0' a > $F; head -c 4000 /dev/zero | tr '\\0' b >> $F"
FAIL_ON_TWO = {
    "rules": [
        {
            "action": "FailJob",
            "onExitCodes": {"containerName": "c", "operator": "In", "values": [2]},
        }
    ]
}


class Jobs:
    """The Jobs of one namespace."""

    def __init__(self, platform: Platform, namespace: str) -> None:
        self._platform = platform
        self._namespace = namespace

    def apply(self, *objects: Manifest) -> None:
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        words = ("-n", self._namespace, "apply", "-f", "-")
        self._platform.kubectl(*words, input=json.dumps(items))

    def kubectl(self, *words: str) -> str:
        return self._platform.kubectl("-n", self._namespace, *words).stdout

    def get(self, kind: str, name: str) -> Manifest:
        return rest.get(self._platform.kubeconfig, self._namespace, kind, name)

    def conditions(self, name: str) -> dict[str, str]:
        """The Job's conditions that hold, with their reasons."""
        found = self.get("job", name).get("status", {}).get("conditions", ())
        return {c["type"]: c.get("reason", "") for c in found if c["status"] == "True"}

    def until(self, name: str, condition: str) -> str:
        """Wait for a condition of the Job; returns its reason."""
        look: Callable[[], bool] = lambda: condition in self.conditions(name)  # noqa: E731
        eventually(look, seconds=40, what=f"{name} to be {condition}")
        return self.conditions(name)[condition]

    def pods(self, job: str) -> list[Manifest]:
        query = {"labelSelector": f"batch.kubernetes.io/job-name={job}"}
        found = rest.get(self._platform.kubeconfig, self._namespace, "pod", **query)["items"]
        return sorted(found, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    def removals(self, pod: str) -> list[audit.Call]:
        """The node's requests to take the pod's object away."""
        asked = {"user": "local:node", "verb": "delete", "resource": "pods", "name": pod}
        found = audit.calls(self._platform.state / "logs")
        mine = [call for call in found if call.namespace == self._namespace]
        return [c for c in mine if all(getattr(c, key) == asked[key] for key in asked)]

    def ends(self, job: str) -> list[tuple[int, str]]:
        """How the containers of its pods ended: exit code and message."""
        states = [pod["status"]["containerStatuses"][0]["state"] for pod in self.pods(job)]
        ended = [state["terminated"] for state in states if "terminated" in state]
        return [(end["exitCode"], end.get("message", "")) for end in ended]


@pytest.fixture(scope="module")
def jobs(platform: Platform, shared_namespace: str) -> Jobs:
    return Jobs(platform, shared_namespace)


def job(name: str, script: str, pod: Manifest | None = None, **changes: Any) -> Manifest:
    """A Job whose one container runs a bash script; `changes` go to the Job or the container."""
    of_job = {"backoffLimit", "podFailurePolicy", "activeDeadlineSeconds", "suspend"}
    container = {"name": "c", "image": "debian:12", "command": ["bash", "-c", script]}
    container |= {key: value for key, value in changes.items() if key not in of_job}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {
            "backoffLimit": 0,
            **{key: value for key, value in changes.items() if key in of_job},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": 1,
                    **(pod or {}),
                    "containers": [container],
                },
            },
        },
    }


def volume(*, read_only: bool = False, **mount: Any) -> tuple[Manifest, Manifest]:
    """The pod's and the container's part of mounting the claim at /data."""
    source = {"claimName": CLAIM, **({"readOnly": True} if read_only else {})}
    volumes = {"volumes": [{"name": "v", "persistentVolumeClaim": source}]}
    return volumes, {"volumeMounts": [{"name": "v", "mountPath": "/data", **mount}]}


CLAIMED: Manifest = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": CLAIM},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def test_last_words_and_exit_codes_arrive(jobs: Jobs) -> None:
    at_own_path: Manifest = {
        "terminationMessagePath": "/tmp/said",
        "env": [{"name": "F", "value": "/tmp/said"}],
    }
    from_log: Manifest = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    jobs.apply(
        job("done", "echo '{}' > /dev/termination-log"),
        job("long", LONG, **at_own_path),
        job("logged", "echo out of space; exit 1", **from_log),
        job("silent", "echo fine; exit 0", **from_log),
        job("both", "echo logged; echo said > /dev/termination-log; exit 1", **from_log),
    )
    for name in ("done", "long", "silent"):
        jobs.until(name, "Complete")
    for name in ("logged", "both"):
        assert jobs.until(name, "Failed") == "BackoffLimitExceeded"
    assert jobs.ends("done") == [(0, "{}\n")]
    assert jobs.ends("long") == [(0, "a" * 96 + "b" * 4000)]
    assert jobs.ends("logged") == [(1, "out of space\n")]
    assert jobs.ends("silent") == [(0, "")]
    assert jobs.ends("both") == [(1, "said\n")]


def test_a_failure_for_good_ends_the_job_and_others_do_not(jobs: Jobs) -> None:
    jobs.apply(
        job("for-good", "exit 2", podFailurePolicy=FAIL_ON_TWO, backoffLimit=2),
        job("again", "exit 1", podFailurePolicy=FAIL_ON_TWO, backoffLimit=2),
    )
    assert jobs.until("for-good", "Failed") == "PodFailurePolicy"
    assert [code for code, _ in jobs.ends("for-good")] == [2]
    # The controller lets ten seconds go by before the next pod: no need to see it here.
    eventually(lambda: jobs.get("job", "again")["status"].get("failed") == 1, what="the count")
    assert not jobs.conditions("again")


def test_a_container_is_started_again_in_its_pod_on_failure(jobs: Jobs) -> None:
    mount: Manifest = {"volumeMounts": [{"name": "v", "mountPath": "/kept"}]}
    again = {"restartPolicy": "OnFailure", "volumes": [{"name": "v", "emptyDir": {}}]}
    script = "test -e /kept/tried || { touch /kept/tried; exit 1; }"
    jobs.apply(job("second-time", script, again, backoffLimit=3, **mount))
    jobs.until("second-time", "Complete")
    (pod,) = jobs.pods("second-time")
    status = pod["status"]["containerStatuses"][0]
    assert (status["restartCount"], status["state"]["terminated"]["exitCode"]) == (1, 0)
    assert status["lastState"]["terminated"]["exitCode"] == 1


@pytest.mark.soak
def test_deadlines_end_a_pod_and_a_job(jobs: Jobs) -> None:
    jobs.apply(
        job("slow-pod", FOR_EVER, {"activeDeadlineSeconds": 1}),
        job("slow-job", FOR_EVER, activeDeadlineSeconds=1),
    )
    assert jobs.until("slow-pod", "Failed") == "BackoffLimitExceeded"
    (pod,) = jobs.pods("slow-pod")
    assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "DeadlineExceeded")
    assert jobs.until("slow-job", "Failed") == "DeadlineExceeded"


def test_pods_of_one_node_share_a_claim_and_each_sees_its_part(jobs: Jobs) -> None:
    writes, mounted = volume()
    apart, part = volume(subPath="version-2", readOnly=True)
    whole, seen = volume(read_only=True)
    near = {
        "affinity": {
            "podAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "labelSelector": {"matchLabels": {"app": "server"}},
                        "topologyKey": "kubernetes.io/hostname",
                    }
                ]
            }
        }
    }
    link = "mkdir /data/version-2; echo here > /data/version-2/log.1; ln -s /usr /data/out"
    jobs.apply(CLAIMED, job("server", f"{link}; {FOR_EVER}", writes, **mounted))
    eventually(lambda: jobs.get("pvc", CLAIM)["status"].get("phase") == "Bound", what="the claim")
    eventually(lambda: jobs.get("job", "server")["status"].get("ready"), what="the server")
    out, leading_out = volume(subPath="out")
    jobs.apply(
        job(
            "part",
            "cat /data/log.1 > /dev/termination-log; touch /data/x",
            {**near, **apart},
            **part,
        ),
        job("whole", "ls /data > /dev/termination-log; touch /data/x", {**near, **whole}, **seen),
        job("out", "true", out, **leading_out),
    )
    assert jobs.until("part", "Failed")
    assert jobs.until("whole", "Failed")
    assert jobs.ends("part") == [(1, "here\n")]
    assert jobs.ends("whole") == [(1, "out\nversion-2\n")]
    nodes = {jobs.pods(name)[0]["spec"]["nodeName"] for name in ("server", "part", "whole")}
    assert len(nodes) == 1
    waits = "{.items[0].status.containerStatuses[0].state.waiting.message}"
    words = ("get", "pods", "-l", "app=out", "-o", f"jsonpath={waits}")
    eventually(lambda: "must stay inside the volume" in jobs.kubectl(*words), what="the refusal")


def test_a_job_without_rights_or_a_root_to_write_to_runs(jobs: Jobs) -> None:
    context = {"runAsUser": 1000, "runAsNonRoot": True, "readOnlyRootFilesystem": True}
    script = (
        "id -u; ls /var/run/secrets/kubernetes.io; touch /root-file; echo ok > /dev/termination-log"
    )
    jobs.apply(
        job("bare", script, {"automountServiceAccountToken": False}, securityContext=context)
    )
    jobs.until("bare", "Complete")
    assert jobs.ends("bare") == [(0, "ok\n")]
    said = jobs.kubectl("logs", "job/bare")
    assert said.startswith("1000\n")
    assert "Read-only file system" in said
    assert "/var/run/secrets/kubernetes.io': No such file" in said


@pytest.mark.soak
def test_a_deleted_pod_is_counted_as_failed(jobs: Jobs) -> None:
    jobs.apply(job("stubborn", "trap 'exit 7' TERM; while :; do sleep 0.1; done", backoffLimit=3))
    eventually(lambda: jobs.get("job", "stubborn")["status"].get("ready"), what="the first pod")
    first = jobs.pods("stubborn")[0]["metadata"]["name"]
    jobs.kubectl("delete", "pod", first, "--timeout=20s")
    eventually(lambda: jobs.get("job", "stubborn")["status"].get("failed") == 1, what="the count")


@pytest.mark.soak
def test_a_pod_whose_object_is_held_ends_once(jobs: Jobs) -> None:
    """The Job's own finalizer is gone in no time; another one stays until it is taken away.

    Such a pod was taken up again and again, as fast as the node could remove its object.
    """
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "held", "finalizers": ["example.com/held"]},
        "spec": {
            "restartPolicy": "OnFailure",
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "c", "image": "debian:12", "command": ["sleep", "60"]}],
        },
    }
    jobs.apply(pod)
    jobs.kubectl("wait", "--for=condition=Ready", "pod/held", "--timeout=20s")
    jobs.kubectl("delete", "pod", "held", "--wait=false")
    eventually(lambda: jobs.get("pod", "held")["status"]["phase"] == "Failed", what="its end")
    jobs.apply(job("meanwhile", "true"))
    jobs.until("meanwhile", "Complete")
    assert len(jobs.removals("held")) == 1
    jobs.kubectl("patch", "pod", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    eventually(lambda: not jobs.get("pod", "held"), what="its removal")


def test_a_deleted_job_takes_its_pods_along(jobs: Jobs) -> None:
    jobs.apply(job("unwanted", FOR_EVER))
    eventually(lambda: jobs.get("job", "unwanted")["status"].get("ready"), what="its pod")
    jobs.kubectl("delete", "job", "unwanted", "--cascade=foreground", "--timeout=20s")
    assert not jobs.pods("unwanted")


def test_a_cron_job_makes_a_job_and_no_more_while_suspended(jobs: Jobs) -> None:
    template = {"spec": job("x", "true")["spec"]}
    cron = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "often"},
        "spec": {"schedule": "* * * * *", "suspend": True, "jobTemplate": template},
    }
    jobs.apply(cron)
    jobs.kubectl("create", "job", "now", "--from=cronjob/often")
    jobs.until("now", "Complete")
    owners = jobs.get("job", "now")["metadata"]["ownerReferences"]
    assert [owner["kind"] for owner in owners] == ["CronJob"]
