"""What a user of the platform finds inside: names, Services, volumes, rights, the audit log."""

from __future__ import annotations

import errno
import json
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from local.platform.handle import Platform, eventually

pytestmark = pytest.mark.system

# Runs inside the platform: makes an EndpointSlice, then asks for its name until it is there.
NAME_APPEARS = """
import json, os, socket, ssl, sys, time, urllib.request
namespace = sys.argv[1]
config = json.load(open(os.environ["KUBECONFIG"]))
cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
context = ssl.create_default_context(cafile=cluster["certificate-authority"])
endpoint_slice = {
    "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
    "metadata": {"name": "zk", "labels": {"kubernetes.io/service-name": "zk"}},
    "addressType": "IPv4", "ports": [{"name": "client", "port": 2181}],
    "endpoints": [
        {"addresses": ["10.244.200.1"], "hostname": "zk-0", "conditions": {"ready": True}},
        {"addresses": ["10.244.200.2"], "hostname": "zk-1", "conditions": {"ready": False}},
    ],
}
path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
request = urllib.request.Request(
    cluster["server"] + path, json.dumps(endpoint_slice).encode(),
    {"Authorization": "Bearer " + user["token"], "Content-Type": "application/json"},
)
urllib.request.urlopen(request, context=context, timeout=10).close()
started = time.monotonic()
name = f"zk-0.zk.{namespace}.svc.cluster.local"
while True:
    try:
        address = socket.gethostbyname(name)
        break
    except OSError:
        if time.monotonic() - started > 10:
            raise
seconds = time.monotonic() - started
try:
    unready = socket.gethostbyname(f"zk-1.zk.{namespace}.svc.cluster.local")
except OSError:
    unready = None
print(json.dumps({"address": address, "seconds": seconds, "unready": unready}))
"""

HEADLESS = """
apiVersion: v1
kind: Service
metadata: {name: zk}
spec: {clusterIP: None, ports: [{name: client, port: 2181}]}
"""

WEB = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
  - name: web
    image: debian:12
    command: [python3, -m, http.server, "8080"]
    workingDir: /tmp
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: balanced}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: by-node}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
# It is about other pods: not about the node, nor about the pod itself.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: nobody}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
"""
ASK_ITSELF = "import urllib.request as u; print(u.urlopen('http://by-node', timeout=5).status)"

PAIR = """
apiVersion: v1
kind: Pod
metadata: {name: caller}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: debian:12
    command: [python3, -m, http.server, "8080"]
    workingDir: /tmp
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Pod
metadata: {name: called}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: debian:12
    command: [python3, -m, http.server, "8080"]
    workingDir: /tmp
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
"""
# What `socket` raises after its two seconds has no number.
CALL = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 8080), 2).close()
    print("connected")
except OSError as error:
    print(error.errno)
"""

CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: writer}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: writer
    image: debian:12
    command: [sh, -c, "echo kept > /data/file && sleep 3600"]
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
"""


def test_a_name_appears_as_soon_as_its_endpoint_does(platform: Platform, namespace: str) -> None:
    platform.kubectl("apply", "-n", namespace, "-f", "-", input=HEADLESS)
    seen = json.loads(platform.run("python3", "-c", NAME_APPEARS, namespace).stdout)
    assert seen["address"] == "10.244.200.1"
    assert seen["unready"] is None
    assert seen["seconds"] < 0.5


def test_an_unknown_name_is_refused_at_once(platform: Platform) -> None:
    # `timeout` ends with 124 when it had to end the command; getent says 2 for an unknown name.
    found = platform.run("timeout", "2", "getent", "hosts", "nobody.default", check=False)
    assert found.returncode == 2


def test_who_calls_a_pod_that_is_gone_is_told_so_at_once(
    platform: Platform, namespace: str
) -> None:
    platform.kubectl("apply", "-n", namespace, "-f", "-", input=PAIR)
    wait = ("wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s")
    platform.kubectl(*wait, "-n", namespace)
    called = json.loads(platform.kubectl("get", "pod", "called", "-n", namespace, "-o=json").stdout)

    def call() -> str:
        command = ("python3", "-c", CALL, called["status"]["podIP"])
        return platform.kubectl("exec", "caller", "-n", namespace, "--", *command).stdout.strip()

    assert call() == "connected"
    platform.kubectl("delete", "pod", "called", "-n", namespace, "--timeout=30s")
    eventually(lambda: call() != "connected", what="the end of the pod's network")
    assert call() == str(errno.EHOSTUNREACH)


def test_the_api_server_is_reached_through_its_service(platform: Platform) -> None:
    version = json.loads(platform.run("curl", "-sSk", "https://10.96.0.1/version").stdout)
    assert version["gitVersion"] == "v1.36.3"


def test_a_service_account_may_do_nothing_unless_bound(platform: Platform, namespace: str) -> None:
    token = platform.kubectl("create", "token", "default", "-n", namespace).stdout.strip()
    command = ("--token", token, "get", "secrets", "-n", namespace)
    # The admin's token must not be sent along, so no kubeconfig is used.
    inside = ("env", "KUBECONFIG=/dev/null", "kubectl", "--server=https://10.244.0.1:6443")
    insecure = "--insecure-skip-tls-verify"
    refused = platform.run(*inside, insecure, *command, check=False)
    assert refused.returncode == 1
    assert f"system:serviceaccount:{namespace}:default" in refused.stderr
    bind = ("create", "rolebinding", "reader", "--clusterrole=admin")
    platform.kubectl(*bind, f"--serviceaccount={namespace}:default", "-n", namespace)
    eventually(
        lambda: platform.run(*inside, insecure, *command, check=False).returncode == 0,
        seconds=10,
        what="the binding to take effect",
    )


def test_reads_and_writes_are_in_the_audit_log(platform: Platform, namespace: str) -> None:
    platform.kubectl("create", "configmap", "audited", "-n", namespace)
    platform.kubectl("get", "configmap", "audited", "-n", namespace)

    def verbs() -> set[str]:
        lines = (platform.state / "logs" / "audit.log").read_text().splitlines()
        entries = [json.loads(line) for line in lines if namespace in line]
        return {
            entry["verb"]
            for entry in entries
            if entry.get("objectRef", {}).get("name") == "audited"
            and entry["user"]["username"] == "admin"
        }

    eventually(lambda: {"create", "get"} <= verbs(), what="both calls in the audit log")


def test_exposed_services_answer_on_the_host_and_to_their_own_pod(
    platform: Platform, namespace: str
) -> None:
    platform.kubectl("apply", "-n", namespace, "-f", "-", input=WEB)
    platform.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=60s", "-n", namespace)
    for service in ("balanced", "by-node"):
        port = eventually(
            lambda name=service: _host_port(platform, namespace, name),  # type: ignore[misc]
            what=f"a host port of {service}",
        )
        page = eventually(lambda number=port: _page(number), what=service)  # type: ignore[misc]
        assert "Directory listing" in page
    itself = ("exec", "web", "-n", namespace, "--", "python3", "-c", ASK_ITSELF)
    assert platform.kubectl(*itself).stdout == "200\n"
    balanced = _service(platform, namespace, "balanced")
    assert balanced["status"]["loadBalancer"]["ingress"][0]["ip"] == "127.0.0.1"


def _service(
    platform: Platform, namespace: str, name: str
) -> dict[str, dict[str, dict[str, list[dict[str, str]]]]]:
    found: dict[str, dict[str, dict[str, list[dict[str, str]]]]] = json.loads(
        platform.kubectl("get", "service", name, "-n", namespace, "-o", "json").stdout
    )
    return found


def _host_port(platform: Platform, namespace: str, name: str) -> str:
    path = r"jsonpath={.metadata.annotations.local/host-port-http}"
    return platform.kubectl("get", "service", name, "-n", namespace, "-o", path).stdout


def _page(port: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            text: str = answer.read().decode()
            return text
    except OSError:
        return ""


def test_a_volume_lives_as_long_as_its_claim(platform: Platform, namespace: str) -> None:
    platform.kubectl("apply", "-n", namespace, "-f", "-", input=CLAIM)
    wait = ("wait", "--for=condition=Ready", "pod/writer", "--timeout=60s")
    platform.kubectl(*wait, "-n", namespace)
    of_claim = ("get", "pvc", "data", "-n", namespace, "-o")
    volume = platform.kubectl(*of_claim, "jsonpath={.spec.volumeName}").stdout
    folder = platform.state / "volumes" / volume
    eventually(lambda: (folder / "file").exists(), what="the pod's file in the volume's folder")
    found = json.loads(platform.kubectl("get", "pv", volume, "-o", "json").stdout)
    node = platform.kubectl(
        "get", "pod", "writer", "-n", namespace, "-o", "jsonpath={.spec.nodeName}"
    ).stdout
    terms = found["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"][0]["values"] == [node]

    platform.kubectl("delete", "pod", "writer", "-n", namespace)
    assert (folder / "file").read_text() == "kept\n"
    platform.kubectl("delete", "pvc", "data", "-n", namespace)
    eventually(lambda: not folder.exists(), what="the folder to go with its claim")
    eventually(
        lambda: platform.kubectl("get", "pv", volume, check=False).returncode != 0,
        what="the volume to go with its claim",
    )


@pytest.fixture
def host_page() -> Iterator[int]:
    """A web server on the host that answers every path with it; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"asked for {self.path}".encode())

        def log_message(self, format: str, *words: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield server.server_port
    server.shutdown()
    serving.join()
    server.server_close()


def test_the_world_outside_is_reached_through_the_proxy(platform: Platform, host_page: int) -> None:
    url = f"http://127.0.0.1:{host_page}/some?thing"
    proxied = ("curl", "-sS", "--noproxy", "", "--proxy", "http://10.244.0.1:3128")
    assert platform.run(*proxied, url).stdout == "asked for /some?thing"
    assert platform.run(*proxied, "--proxytunnel", url).stdout == "asked for /some?thing"
    direct = platform.run("curl", "-sS", "-m", "3", "--noproxy", "*", url, check=False)
    assert direct.returncode != 0, "the host's loopback must not be reachable from inside"


def test_nobody_listening_is_a_clear_answer_of_the_proxy(platform: Platform) -> None:
    proxied = ("curl", "-sS", "--noproxy", "", "--proxy", "http://10.244.0.1:3128")
    answer = platform.run(*proxied, "http://127.0.0.1:1/")
    assert "Connection refused" in answer.stdout
