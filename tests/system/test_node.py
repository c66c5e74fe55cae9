"""Pods on the laptop's nodes behave as pods do: what a user sees with kubectl."""

from __future__ import annotations

import json
import urllib.request
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from local.platform.handle import Platform, eventually
from tests.system.reader import forwarded

pytestmark = pytest.mark.system

SLEEP = "trap 'exit 0' TERM; while :; do sleep 0.1; done"


class Pods:
    """The pods of one namespace."""

    def __init__(self, platform: Platform, namespace: str) -> None:
        self._platform = platform
        self._namespace = namespace

    def kubectl(self, *words: str, input: str | None = None, check: bool = True) -> str:
        done = self._platform.kubectl(
            f"--namespace={self._namespace}", *words, input=input, check=check
        )
        return done.stdout + ("" if check else done.stderr)

    def exit_code(self, *words: str) -> int:
        done = self._platform.kubectl(f"--namespace={self._namespace}", *words, check=False)
        return done.returncode

    def create(self, name: str, script: str = SLEEP, **changes: Any) -> None:
        """A pod with one container `c` that runs a bash script."""
        spec = {"terminationGracePeriodSeconds": 2, **changes.pop("spec", {})}
        image = changes.pop("image", "debian:12")
        container = {"name": "c", "image": image, "command": ["bash", "-c", script], **changes}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {**spec, "containers": [container]},
        }
        self.apply(pod)

    def forward(self, name: str, port: int) -> AbstractContextManager[int]:
        return forwarded(self._platform, self._namespace, name, port)

    def apply(self, *objects: dict[str, Any]) -> None:
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "-f", "-", input=json.dumps(items))

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "pod", name, "-o", "json"))["status"]
        return found

    def container(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = (self.status(name).get("containerStatuses") or [{}])[0]
        return found

    def wait(self, name: str, condition: str = "condition=Ready") -> None:
        self.kubectl("wait", f"--for={condition}", f"pod/{name}", "--timeout=30s")

    def events(self, reason: str) -> list[str]:
        words = ("get", "events", f"--field-selector=reason={reason}", "-o", "json")
        return [event["message"] for event in json.loads(self.kubectl(*words))["items"]]


@pytest.fixture
def pods(platform: Platform, namespace: str) -> Pods:
    return Pods(platform, namespace)


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_init_containers_prepare_what_the_main_one_finds(pods: Pods) -> None:
    init = {
        "name": "i",
        "image": "debian:12",
        "command": ["bash", "-c", "echo prepared > /shared/file"],
        "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
    }
    spec = {"initContainers": [init], "volumes": [{"name": "shared", "emptyDir": {}}]}
    mounts = [{"name": "shared", "mountPath": "/shared", "readOnly": True}]
    pods.create("p", f"cat /shared/file; touch /shared/x; {SLEEP}", spec=spec, volumeMounts=mounts)
    pods.wait("p")
    eventually(lambda: "Read-only" in pods.kubectl("logs", "p"), what="the refusal of touch")
    assert pods.kubectl("logs", "p").startswith("prepared\n")
    assert pods.status("p")["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 0


def test_commands_run_inside_with_their_exit_codes_and_streams(pods: Pods) -> None:
    pods.create("p")
    pods.wait("p")
    assert pods.kubectl("exec", "p", "--", "bash", "-c", "echo $HOSTNAME; pwd") == "p\n/\n"
    assert pods.kubectl("exec", "-i", "p", "--", "cat", input="through") == "through"
    assert pods.exit_code("exec", "p", "--", "bash", "-c", "exit 7") == 7
    assert "no container" in pods.kubectl("logs", "p", "-c", "x", check=False) or pods.exit_code(
        "logs", "p", "-c", "x"
    )


def test_files_are_copied_in_and_out(pods: Pods, tmp_path: Path) -> None:
    pods.create("p")
    pods.wait("p")
    there, back = tmp_path / "there", tmp_path / "back"
    there.write_bytes(bytes(range(256)) * 1000)
    pods.kubectl("cp", str(there), "p:/tmp/file")
    pods.kubectl("cp", "p:/tmp/file", str(back))
    assert back.read_bytes() == there.read_bytes()


def test_a_crashing_container_is_restarted_and_its_last_words_kept(pods: Pods) -> None:
    pods.create("p", "echo run; echo sorry > /dev/termination-log; exit 4")
    eventually(lambda: pods.container("p").get("restartCount", 0) >= 2, what="two restarts")
    last = eventually(lambda: pods.container("p").get("lastState", {}).get("terminated"))
    assert (last["exitCode"], last["reason"], last["message"]) == (4, "Error", "sorry\n")
    assert pods.kubectl("logs", "p", "--previous") == "run\n"
    eventually(
        lambda: pods.container("p")["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff",
        what="CrashLoopBackOff",
    )


def test_a_pod_that_need_not_run_again_has_succeeded(pods: Pods) -> None:
    pods.create("p", "echo done", spec={"restartPolicy": "Never"})
    pods.wait("p", "jsonpath={.status.phase}=Succeeded")
    assert pods.kubectl("logs", "p") == "done\n"


@pytest.mark.parametrize(
    ("change", "reason", "sentence"),
    [
        ({"image": "nginx:1"}, "ImagePullBackOff", 'no image "nginx:1" on this laptop'),
        ({"command": ["/nosuch"]}, "CrashLoopBackOff", "No such file"),
        (
            {"securityContext": {"runAsNonRoot": True}},
            "CreateContainerConfigError",
            "image will run as root",
        ),
        (
            {"envFrom": [{"configMapRef": {"name": "none"}}]},
            "CreateContainerConfigError",
            'configmap "none" not found',
        ),
    ],
)
def test_what_cannot_start_says_why(
    pods: Pods, change: dict[str, Any], reason: str, sentence: str
) -> None:
    pods.create("p", **change)

    def shown() -> bool:
        state = pods.container("p").get("state", {})
        return bool(state.get("waiting", {}).get("reason") == reason)

    eventually(shown, what=reason)
    eventually(lambda: any(sentence in said for said in pods.events("Failed")), what=sentence)


def test_a_host_path_is_refused_with_a_sentence(pods: Pods) -> None:
    spec = {"volumes": [{"name": "v", "hostPath": {"path": "/etc"}}]}
    pods.create("p", spec=spec)
    eventually(lambda: any("hostPath are refused" in said for said in pods.events("FailedMount")))


def test_a_changed_config_map_reaches_the_running_pod(pods: Pods) -> None:
    pods.apply(config_map("settings", level="1"))
    spec = {"volumes": [{"name": "v", "configMap": {"name": "settings"}}]}
    pods.create("p", spec=spec, volumeMounts=[{"name": "v", "mountPath": "/etc/settings"}])
    pods.wait("p")
    assert pods.kubectl("exec", "p", "--", "cat", "/etc/settings/level") == "1"
    pods.apply(config_map("settings", level="2", more="x"))
    eventually(lambda: pods.kubectl("exec", "p", "--", "cat", "/etc/settings/level") == "2")
    assert pods.kubectl("exec", "p", "--", "cat", "/etc/settings/more") == "x"


def test_a_pod_waits_for_its_config_map(pods: Pods) -> None:
    spec = {"volumes": [{"name": "v", "configMap": {"name": "late"}}]}
    pods.create("p", spec=spec)
    eventually(lambda: pods.events("FailedMount"), what="FailedMount")
    pods.apply(config_map("late", a="b"))
    pods.wait("p")


def test_a_pod_acts_under_its_own_account(pods: Pods) -> None:
    ask = (
        "import json, ssl, urllib.request\n"
        "folder = '/var/run/secrets/kubernetes.io/serviceaccount/'\n"
        "url = 'https://kubernetes.default.svc/apis/authentication.k8s.io/v1/selfsubjectreviews'\n"
        "headers = {'Authorization': 'Bearer ' + open(folder + 'token').read(),\n"
        "           'Content-Type': 'application/json'}\n"
        "body = {'apiVersion': 'authentication.k8s.io/v1', 'kind': 'SelfSubjectReview'}\n"
        "request = urllib.request.Request(url, json.dumps(body).encode(), headers)\n"
        "context = ssl.create_default_context(cafile=folder + 'ca.crt')\n"
        "answer = json.load(urllib.request.urlopen(request, context=context))\n"
        "print(answer['status']['userInfo']['username'])\n"
    )
    spec = {"restartPolicy": "Never"}
    command = ["python3", "-c", ask]
    pods.create("p", spec=spec, image="zookeeper-functions:dev", command=command)
    pods.wait("p", "jsonpath={.status.phase}=Succeeded")
    said = pods.kubectl("logs", "p")
    assert said.startswith("system:serviceaccount:")
    assert said.endswith(":default\n")


def test_a_failing_liveness_probe_restarts_the_container(pods: Pods) -> None:
    probe = {"exec": {"command": ["test", "!", "-e", "/tmp/ill"]}, "periodSeconds": 1}
    pods.create("p", livenessProbe={**probe, "failureThreshold": 1})
    pods.wait("p")
    pods.kubectl("exec", "p", "--", "touch", "/tmp/ill")
    eventually(lambda: pods.container("p")["restartCount"] == 1, what="a restart")
    pods.wait("p")
    assert any("Liveness probe failed" in said for said in pods.events("Unhealthy"))


def test_readiness_follows_the_probe_without_a_restart(pods: Pods) -> None:
    probe = {"exec": {"command": ["test", "-e", "/tmp/ready"]}, "periodSeconds": 1}
    pods.create("p", readinessProbe={**probe, "failureThreshold": 1})
    eventually(lambda: pods.container("p").get("started"), what="the container")
    assert not pods.container("p")["ready"]
    pods.kubectl("exec", "p", "--", "touch", "/tmp/ready")
    pods.wait("p")
    pods.kubectl("exec", "p", "--", "rm", "/tmp/ready")
    pods.wait("p", "condition=Ready=false")
    assert pods.container("p")["restartCount"] == 0


def test_a_startup_probe_holds_the_others_back_and_ports_have_names(pods: Pods) -> None:
    script = "sleep 1; cd /tmp; exec python3 -m http.server 8000"
    pods.create(
        "p",
        script,
        image="zookeeper-functions:dev",
        ports=[{"name": "web", "containerPort": 8000}],
        startupProbe={"tcpSocket": {"port": "web"}, "periodSeconds": 1, "failureThreshold": 30},
        livenessProbe={
            "httpGet": {"path": "/", "port": "web"},
            "periodSeconds": 1,
            "failureThreshold": 1,
        },
    )
    pods.wait("p")
    assert pods.container("p")["restartCount"] == 0


def test_pre_stop_runs_before_the_signal(pods: Pods) -> None:
    hook = {"preStop": {"exec": {"command": ["bash", "-c", "echo hook >> /data/told"]}}}
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    pods.apply(claim)
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": "data"}}
    mounts = [{"name": "v", "mountPath": "/data"}]
    script = "trap 'echo term >> /data/told; exit 0' TERM; while :; do sleep 0.1; done"
    pods.create("p", script, spec={"volumes": [volume]}, volumeMounts=mounts, lifecycle=hook)
    pods.wait("p")
    pods.kubectl("delete", "pod", "p", "--timeout=30s")
    pods.create("q", f"cat /data/told; {SLEEP}", spec={"volumes": [volume]}, volumeMounts=mounts)
    pods.wait("q")
    eventually(lambda: pods.kubectl("logs", "q") == "hook\nterm\n", what="what was told")


def test_a_deaf_container_is_killed_after_its_grace(pods: Pods) -> None:
    pods.create("p", "trap '' TERM; while :; do sleep 0.1; done")
    pods.wait("p")
    pods.kubectl("delete", "pod", "p", "--timeout=20s")


def test_a_container_runs_as_the_user_it_names(pods: Pods) -> None:
    context = {"runAsUser": 1234, "runAsGroup": 99, "readOnlyRootFilesystem": True}
    pods.create("p", f"id -u; id -g; touch /x; {SLEEP}", securityContext=context)
    pods.wait("p")
    eventually(lambda: "Read-only file system" in pods.kubectl("logs", "p"))
    assert pods.kubectl("logs", "p").startswith("1234\n99\n")


def test_a_sidecar_starts_first_and_ends_with_the_pod(pods: Pods) -> None:
    sidecar = {
        "name": "side",
        "image": "debian:12",
        "restartPolicy": "Always",
        "command": ["bash", "-c", SLEEP.replace(";", "; touch /tmp/up;", 1)],
        "startupProbe": {"exec": {"command": ["test", "-e", "/tmp/up"]}, "periodSeconds": 1},
    }
    spec = {"initContainers": [sidecar], "restartPolicy": "Never"}
    pods.create("p", "echo main", spec=spec)
    pods.wait("p", "jsonpath={.status.phase}=Succeeded")
    side = pods.status("p")["initContainerStatuses"][0]
    assert side["state"]["terminated"]["exitCode"] == 0


def test_pods_reach_each_other_and_themselves_through_a_service(pods: Pods) -> None:
    serve = "cd /tmp; echo here > index.html; exec python3 -m http.server 8000"
    pods.create("web", serve, image="zookeeper-functions:dev")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "front"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8000}]},
    }
    pods.apply(service)
    pods.create("other")
    pods.wait("web")
    pods.wait("other")
    ask = "exec 3<>/dev/tcp/front/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
    assert answers(pods, "other", ask)
    assert answers(pods, "web", ask)


def answers(pods: Pods, name: str, script: str) -> bool:
    words = ("exec", name, "--", "timeout", "5", "bash", "-c", script)
    return eventually(lambda: "here" in pods.kubectl(*words, check=False), what=f"from {name}")


def test_a_port_is_forwarded_to_the_host(pods: Pods) -> None:
    serve = "cd /tmp; head -c 300000 /dev/zero > big; exec python3 -m http.server 8000 -b 127.0.0.1"
    listens = {"exec": {"command": ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8000"]}}
    probe = {**listens, "periodSeconds": 1}
    pods.create("web", serve, image="zookeeper-functions:dev", readinessProbe=probe)
    pods.wait("web")
    with pods.forward("web", 8000) as port:
        for _ in range(2):
            assert eventually(lambda: len(fetched(f"http://127.0.0.1:{port}/big")) == 300_000)


def fetched(url: str) -> bytes:
    """The page, or nothing while there is no answer."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            content: bytes = answer.read()
            return content
    except OSError:
        return b""


def test_attach_is_refused_with_a_sentence(pods: Pods) -> None:
    pods.create("p")
    pods.wait("p")
    assert "use exec or logs" in pods.kubectl("attach", "p", check=False)
