"""The zookeeper image: a real server from a ConfigMap, with data that outlives its pod."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.platform.handle import Platform, eventually

pytestmark = [pytest.mark.system, pytest.mark.soak]

VERSION = "3.9.5"
CONFIGURATION = """
dataDir=/data
clientPort=2181
4lw.commands.whitelist=srvr,ruok
metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider
metricsProvider.httpPort=7000
"""
CLAIM: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
CONFIG_MAP: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings"},
    "data": {"zoo.cfg": CONFIGURATION},
}
READY = "exec 3<>/dev/tcp/127.0.0.1/2181 && echo ruok >&3 && grep -q imok <&3"
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "zk"},
    "spec": {
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "settings", "configMap": {"name": "settings"}},
        ],
        "containers": [
            {
                "name": "zookeeper",
                "image": f"docker.io/library/zookeeper:{VERSION}",
                "env": [{"name": "ZK_SERVER_HEAP", "value": "128"}],
                "volumeMounts": [
                    {"name": "data", "mountPath": "/data"},
                    {"name": "settings", "mountPath": "/conf/zoo.cfg", "subPath": "zoo.cfg"},
                ],
                "readinessProbe": {
                    "exec": {"command": ["bash", "-c", READY]},
                    "periodSeconds": 1,
                },
            }
        ],
    },
}


@pytest.fixture
def kubectl(platform: Platform, namespace: str) -> Any:
    def call(*words: str, input: str | None = None, check: bool = True) -> str:
        return platform.kubectl(f"--namespace={namespace}", *words, input=input, check=check).stdout

    return call


def get_page(port: int, path: str) -> str:
    return (
        f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
    )


def start(kubectl: Any, *objects: dict[str, Any]) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    kubectl("apply", "-f", "-", input=json.dumps(items))
    # The first time the jars are fetched, which takes as long as the network takes.
    kubectl("wait", "--for=condition=Ready", "pod/zk", "--timeout=110s")


def inside(kubectl: Any, *command: str) -> str:
    return str(kubectl("exec", "zk", "--", "timeout", "20", *command))


def test_a_server_runs_as_in_the_official_image_and_keeps_its_data(kubectl: Any) -> None:
    start(kubectl, CLAIM, CONFIG_MAP, POD)
    assert "Mode: standalone" in inside(kubectl, "zkServer.sh", "status")
    assert f"version {VERSION}" in inside(kubectl, "zkServer.sh", "version")
    where = inside(kubectl, "bash", "-c", "id -un; pwd; echo $ZOO_CONF_DIR; cat /data/myid")
    assert where == f"zookeeper\n/apache-zookeeper-{VERSION}-bin\n/conf\n1\n"
    # Made when the image was fetched, by a server that really served.
    assert "classes.jsa" in inside(kubectl, "grep", "-m1", "classes.jsa", "/proc/1/maps")
    assert "znode_count" in inside(kubectl, "bash", "-c", get_page(7000, "/metrics"))
    assert '"command" : "ruok"' in inside(kubectl, "bash", "-c", get_page(8080, "/commands/ruok"))
    inside(kubectl, "zkCli.sh", "-server", "127.0.0.1:2181", "create", "/kept", "value")

    kubectl("delete", "pod", "zk", "--timeout=30s")
    start(kubectl, POD)
    assert "value" in inside(kubectl, "zkCli.sh", "get", "/kept")
    eventually(lambda: "binding to port" in kubectl("logs", "zk"), what="the server's own log")


@pytest.mark.parametrize("version", ["3.6.4", "3.7.0", "3.8.4"])
def test_older_servers_run_too(kubectl: Any, version: str) -> None:
    pod = json.loads(json.dumps(POD))
    pod["spec"]["containers"][0]["image"] = f"zookeeper:{version}"
    start(kubectl, CLAIM, CONFIG_MAP, pod)
    assert "Mode: standalone" in inside(kubectl, "zkServer.sh", "status")
    assert "znode_count" in inside(kubectl, "bash", "-c", get_page(7000, "/metrics"))
    eventually(lambda: "INFO" in kubectl("logs", "zk"), what="the server's own log")


def test_a_server_without_a_configuration_gets_the_images_own(kubectl: Any) -> None:
    container = {
        "name": "zookeeper",
        "image": f"zookeeper:{VERSION}",
        "env": [
            {"name": "ZOO_MY_ID", "value": "7"},
            {"name": "ZOO_TICK_TIME", "value": "1234"},
            {"name": "ZOO_SERVERS", "value": "server.7=localhost:2888:3888;2182"},
            {"name": "ZOO_4LW_COMMANDS_WHITELIST", "value": "srvr"},
            {"name": "ZOO_STANDALONE_ENABLED", "value": "false"},
        ],
        "readinessProbe": {"exec": {"command": ["zkServer.sh", "status"]}, "periodSeconds": 1},
    }
    start(kubectl, {**POD, "spec": {"containers": [container]}})
    assert "Mode: leader" in inside(kubectl, "zkServer.sh", "status")
    assert inside(kubectl, "cat", "/data/myid") == "7\n"
    assert "tickTime=1234" in inside(kubectl, "cat", "/conf/zoo.cfg")


def test_a_version_that_does_not_exist_is_not_pulled(kubectl: Any) -> None:
    container = {"name": "zookeeper", "image": "zookeeper:3.9.9999"}
    pod = {**POD, "spec": {"containers": [container]}}
    kubectl("apply", "-f", "-", input=json.dumps(pod))

    def message() -> str:
        status = json.loads(kubectl("get", "pod", "zk", "-o", "json"))["status"]
        waiting = (status.get("containerStatuses") or [{}])[0].get("state", {}).get("waiting", {})
        return str(waiting.get("message", ""))

    said = eventually(message, seconds=60, what="the refusal")
    assert "no ZooKeeper 3.9.9999" in said


def test_the_servers_flags_come_from_the_environment(kubectl: Any) -> None:
    command = (
        "SERVER_JVMFLAGS=-Da=1 JVMFLAGS=-Db=2 ZK_SERVER_HEAP=99 CLASSPATH=/first zkServer.sh"
        " --config /conf print-cmd other.cfg"
    )
    container = {"name": "zookeeper", "image": f"zookeeper:{VERSION}", "command": ["sleep", "inf"]}
    start(kubectl, {**POD, "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]}})
    words = inside(kubectl, "bash", "-c", command).split()
    assert {"-Xmx99m", "-Da=1", "-Db=2"} <= set(words)
    assert words[-1] == "/conf/other.cfg"
    class_path = words[words.index("-cp") + 1].split(":")
    assert (class_path[0], class_path[-1]) == ("/first", "/conf")
