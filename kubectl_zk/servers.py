"""ZooKeeper servers from outside of the cluster: asked through the Kubernetes API.

First the agent beside the server, through the API server's proxy (the right to get pods/proxy).
Where that does not help (no such right, an agent of before, a server that serves nobody), the
four-letter word inside the server's own container (`kubectl exec`, the right to create pods/exec).
Nothing is ever changed here.
"""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from functions.adapters.agent import AGENT_PORT, PATH, report_of
from functions.adapters.job_programs import PROGRESS_PORT, progress_of
from functions.adapters.words import parse_conf
from functions.api.errors import MissingRight, Refused, Unavailable
from functions.api.kinds import POD, Kind, Ref
from functions.api.manifest import Manifest
from functions.manifests.names import AGENT_CONTAINER, SERVER_CONTAINER
from functions.planning.ensemble import DiskReport, EnsembleConfig, ServerStats
from functions.planning.progress import Progress
from kubectl_zk.counters import Counters, of_agent, of_word

SECONDS = 8.0
# The port is on the pod's own loopback, whatever network policies say of it.
_ASK = (
    'for port in $1; do exec 3<>"/dev/tcp/127.0.0.1/$port" && break; done; '
    'printf %s "$2" >&3 && cat <&3'
)
# kubectl reads a denial from a websocket, and says it in one of several ways (tried).
_FORBIDDEN = ("(Forbidden)", " is forbidden: User ")
_NO_EXEC = 'User "you" cannot create resource "pods/exec"'


class Pods(Protocol):
    """What is needed of the Kubernetes API."""

    def list(
        self, kind: Kind, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> list[Manifest]: ...

    def ask_pod(self, pod: Ref, port: int, path: str) -> Manifest: ...


@dataclass(frozen=True, slots=True)
class _Pod:
    """`ports` are those at which its agent looks for the server, the clients' first."""

    name: str
    ports: tuple[str, ...]

    def at(self, port: int) -> str:
        """Return where the server is asked inside the pod: if its agent is meant, as that does."""
        return " ".join(self.ports) if port == AGENT_PORT else str(port)


class ServersBehindKubernetes:
    """Satisfies `kubectl_zk.session.Servers`; `kubectl` is the command with its options."""

    def __init__(self, pods: Pods, namespace: str, kubectl: Sequence[str]) -> None:
        self._pods = pods
        self._namespace = namespace
        self._kubectl = tuple(kubectl)
        # Half a plan asks the same again; the words of one look belong together.
        self.counters = functools.cache(self._counters)
        self.config = functools.cache(self._config)
        self.disk = functools.cache(self._disk)
        self._seen: dict[str, _Pod] = {}

    def stats(self, host: str, port: int) -> ServerStats:
        return self.counters(host, port).stats

    def progress(self, host: str) -> Progress:
        name = self._name(host)
        return progress_of(self._proxied(name, PROGRESS_PORT, "/progress"), name)

    def _counters(self, host: str, port: int) -> Counters:
        pod = self._pod(host)
        try:
            return of_agent(self._of_agent(pod, port, "/status"), pod.name)
        except Unavailable as error:
            return of_word(self._word(pod, port, "srvr", error), pod.name)

    def _config(self, host: str, port: int) -> EnsembleConfig:
        pod = self._pod(host)
        try:
            told = self._of_agent(pod, port, "/get")
            return parse_conf(str(told.get("record", "")), pod.name)
        except Unavailable as error:
            return parse_conf(self._word(pod, port, "conf", error), pod.name)

    def _of_agent(self, pod: _Pod, port: int, path: str) -> Mapping[str, Any]:
        clients = pod.ports[:1]
        if not clients or (port != AGENT_PORT and (str(port),) != clients):
            # While a restore looks at servers behind a closed port, agents look at the clients'.
            raise Unavailable(f"The agent of {pod.name} looks at port {' '.join(clients)}.")
        return self._proxied(pod.name, AGENT_PORT, path)

    def _disk(self, host: str) -> DiskReport:
        name = self._name(host)
        return report_of(self._proxied(name, AGENT_PORT, PATH), name)

    def _proxied(self, name: str, port: int, path: str) -> Mapping[str, Any]:
        try:
            return self._pods.ask_pod(Ref(POD, self._namespace, name), port, path)
        except Refused as error:
            raise Unavailable(f"{name} cannot be asked `GET {path}`: {error}") from error

    def _word(self, pod: _Pod, port: int, word: str, otherwise: Unavailable) -> str:
        """Ask inside the pod; who lacks both rights is told of the first."""
        inside = ("bash", "-c", _ASK, "ask", pod.at(port), word)
        where = ("-n", self._namespace, pod.name, "-c", SERVER_CONTAINER)
        try:
            return _run((*self._kubectl, "exec", *where, "--", *inside), pod.name)
        except MissingRight as error:
            raise (otherwise if isinstance(otherwise, MissingRight) else error) from error

    def _name(self, host: str) -> str:
        return self._pod(host).name

    def _pod(self, host: str) -> _Pod:
        """Return the pod at an address."""
        if host not in self._seen:
            found = self._pods.list(POD, self._namespace)
            self._seen |= {pod["status"]["podIP"]: _seen(pod) for pod in found if _has_address(pod)}
        try:
            return self._seen[host]
        except KeyError:
            raise Unavailable(f"No pod has the address {host} any more.") from None


def _has_address(pod: Manifest) -> bool:
    return bool(pod.get("status", {}).get("podIP"))


def _seen(pod: Manifest) -> _Pod:
    """Return the pod with the ports that its agent looks at; none for one without an agent."""
    told = {
        variable["name"]: variable.get("value", "")
        for container in pod.get("spec", {}).get("containers", ())
        if container["name"] == AGENT_CONTAINER
        for variable in container.get("env", ())
    }
    ports = (told.get(name, "") for name in ("CLIENT_PORT", "QUARANTINE_PORT"))
    return _Pod(pod["metadata"]["name"], tuple(port for port in ports if port))


def _run(command: Sequence[str], pod: str) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise MissingRight("kubectl is not on PATH, and servers are asked through it.") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{pod} did not answer within {SECONDS:g} s.") from error
    if done.returncode == 0 and done.stdout:
        return done.stdout
    if any(mark in done.stderr for mark in _FORBIDDEN):
        raise MissingRight(_NO_EXEC)
    said = done.stderr.strip().splitlines() or ["nothing"]
    raise Unavailable(f"{pod} does not answer: {said[-1]}")
