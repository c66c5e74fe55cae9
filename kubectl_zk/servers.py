"""ZooKeeper servers from outside of the cluster: asked through the Kubernetes API.

A four-letter word is asked inside the server's own container (`kubectl exec`, the right to create
pods/exec), agents and Jobs' programs through the API server's proxy (the right to get pods/proxy).
Nothing is ever changed here.
"""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from functions.adapters.agent import AGENT_PORT, PATH, report_of
from functions.adapters.job_programs import PROGRESS_PORT, progress_of
from functions.adapters.words import parse_conf, parse_stats
from functions.api.errors import MissingRight, Refused, Unavailable
from functions.api.kinds import POD, Kind, Ref
from functions.api.manifest import Manifest
from functions.manifests.names import SERVER_CONTAINER
from functions.planning.ensemble import DiskReport, EnsembleConfig, ServerStats
from functions.planning.progress import Progress

SECONDS = 8.0
# The port is on the pod's own loopback, whatever network policies say of it.
_ASK = 'exec 3<>"/dev/tcp/127.0.0.1/$1" && printf %s "$2" >&3 && cat <&3'
_FORBIDDEN = "(Forbidden)"


class Pods(Protocol):
    """What is needed of the Kubernetes API."""

    def list(
        self, kind: Kind, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> list[Manifest]: ...

    def ask_pod(self, pod: Ref, port: int, path: str) -> Manifest: ...


class ServersBehindKubernetes:
    """Satisfies `kubectl_zk.session.Servers`; `kubectl` is the command with its options."""

    def __init__(self, pods: Pods, namespace: str, kubectl: Sequence[str]) -> None:
        self._pods = pods
        self._namespace = namespace
        self._kubectl = tuple(kubectl)
        # Half a plan asks the same again; the words of one look belong together.
        self.word = functools.cache(self._word)
        self.disk = functools.cache(self._disk)
        self._names: dict[str, str] = {}

    def stats(self, host: str, port: int) -> ServerStats:
        return parse_stats(self.word(host, port, "srvr"), self._name(host))

    def config(self, host: str, port: int) -> EnsembleConfig:
        return parse_conf(self.word(host, port, "conf"), self._name(host))

    def reconfigure(
        self,
        host: str,
        port: int,
        *,
        joining: str,
        leaving: str,
        from_config: int,
        passwords: Sequence[str],
    ) -> EnsembleConfig:
        del host, port, joining, leaving, from_config, passwords
        raise Refused("kubectl zk changes no member list: the function `scale` does.")

    def progress(self, host: str) -> Progress:
        name = self._name(host)
        return progress_of(self._proxied(name, PROGRESS_PORT, "/progress"), name)

    def _disk(self, host: str) -> DiskReport:
        name = self._name(host)
        return report_of(self._proxied(name, AGENT_PORT, PATH), name)

    def _proxied(self, name: str, port: int, path: str) -> Mapping[str, Any]:
        try:
            return self._pods.ask_pod(Ref(POD, self._namespace, name), port, path)
        except Refused as error:
            raise Unavailable(f"{name} cannot be asked `GET {path}`: {error}") from error

    def _word(self, host: str, port: int, word: str) -> str:
        pod = self._name(host)
        inside = ("bash", "-c", _ASK, "ask", str(port), word)
        where = ("-n", self._namespace, pod, "-c", SERVER_CONTAINER)
        return _run((*self._kubectl, "exec", *where, "--", *inside), pod)

    def _name(self, host: str) -> str:
        """Return the pod at an address."""
        if host not in self._names:
            found = self._pods.list(POD, self._namespace)
            self._names |= {
                pod["status"]["podIP"]: pod["metadata"]["name"]
                for pod in found
                if pod.get("status", {}).get("podIP")
            }
        try:
            return self._names[host]
        except KeyError:
            raise Unavailable(f"No pod has the address {host} any more.") from None


Run = Callable[..., "subprocess.CompletedProcess[str]"]


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
    said = (done.stderr.strip().splitlines() or ["nothing"])[0 if _FORBIDDEN in done.stderr else -1]
    if _FORBIDDEN in said:
        raise MissingRight(said)
    raise Unavailable(f"{pod} does not answer: {said}")
