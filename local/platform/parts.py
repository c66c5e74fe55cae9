"""Which processes make up the platform, and how each is started."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from local.control_plane import arguments
from local.platform import addresses
from local.platform.state import State

CHECKOUT = Path(__file__).parents[2]
NODES = 3
EGRESS_VARIABLE = "ZOOKEEPER_FUNCTIONS_EGRESS"
UPSTREAM_VARIABLE = "ZOOKEEPER_FUNCTIONS_UPSTREAM_PROXY"
# No process of its own: the node obeys the NetworkPolicies.
POLICIES = "policies"
CONTROL_PLANE = ("etcd", "kube-apiserver")

# The proxy has done its work when DNS is reached through its Service's address.
ANSWERS_ON: Mapping[str, tuple[str, int]] = {
    "kube-apiserver": (addresses.GATEWAY, addresses.API_PORT),
    "kube-proxy": (addresses.DNS_SERVICE, addresses.DNS_PORT),
    "dns": (addresses.GATEWAY, addresses.DNS_PORT),
    "eventing": (addresses.GATEWAY, addresses.INGRESS_PORT),
    "s3": (addresses.GATEWAY, addresses.S3_PORT),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the platform, started again whenever it ends."""

    name: str
    command: Sequence[str]
    # File descriptors it inherits, for what it does on the host's side.
    descriptors: Sequence[int] = field(default=())
    # It counts as running once this address takes a connection.
    answers_on: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class HostSockets:
    """The file descriptors that lead out of the platform's network."""

    api: int
    ingress: int
    outside: int


@dataclass(frozen=True, slots=True)
class KnativeEventing:
    """The real one in place of ours: the checkout it is of, and its programs."""

    checkout: Path
    programs: Path

    def __str__(self) -> str:
        return f"{self.checkout}{os.pathsep}{self.programs}"

    @classmethod
    def parse(cls, text: str) -> KnativeEventing | None:
        """Return what was written with `str`; None for an empty text."""
        checkout, _, programs = text.rpartition(os.pathsep)
        return cls(Path(checkout), Path(programs)) if text else None


def parts(
    state: State,
    programs: Mapping[str, Path],
    sockets: HostSockets,
    without: Collection[str],
    eventing: KnativeEventing | None = None,
) -> list[Part]:
    """Return all parts in the order of their start."""
    control_plane = arguments.command_lines(state, programs)
    found = [
        *(Part(name, command) for name, command in control_plane.items()),
        _relay(state, sockets),
        *(Part(name, command) for name, command in _python_parts(state, eventing, without).items()),
    ]
    return [
        replace(part, answers_on=ANSWERS_ON.get(part.name))
        for part in found
        if part.name not in without
    ]


def _relay(state: State, sockets: HostSockets) -> Part:
    descriptors = {"api": sockets.api, "ingress": sockets.ingress, "outside": sockets.outside}
    flags = [f"--{name}-fd={number}" for name, number in descriptors.items()]
    command = [*_module(state, "local.relay", "network"), *flags]
    return Part("relay", command, tuple(descriptors.values()))


def _python_parts(
    state: State, eventing: KnativeEventing | None, without: Collection[str]
) -> dict[str, list[str]]:
    folder = f"--state={state.folder}"
    policies = ("--without-policies",) if POLICIES in without else ()
    return {
        "dns": _module(state, "local.dns", "network"),
        "node": [*_module(state, "local.node", "node"), folder, f"--nodes={NODES}", *policies],
        "provisioner": [*_module(state, "local.provisioner", "provisioner"), folder],
        "eventing": _eventing(state, eventing),
        "serving": [
            *_module(state, "local.serving", "serving"),
            *(folder, f"--procfile={CHECKOUT / 'Procfile'}"),
        ],
        "s3": [sys.executable, "-m", "local.stores", "s3", folder],
        "oss": [sys.executable, "-m", "local.stores", "oss", folder],
    }


def _eventing(state: State, real: KnativeEventing | None) -> list[str]:
    folder = f"--state={state.folder}"
    if real is None:
        return [*_module(state, "local.eventing", "eventing"), folder]
    places = (f"--checkout={real.checkout}", f"--programs={real.programs}")
    return [sys.executable, "-m", "local.knative_eventing", folder, *places]


def _module(state: State, module: str, user: str) -> list[str]:
    return [sys.executable, "-m", module, f"--kubeconfig={state.kubeconfig_of(user)}"]


def environment(state: State) -> dict[str, str]:
    """The environment of every part and of `run`: the caller's, pointed at this platform."""
    inherited = {name: value for name, value in os.environ.items() if not _is_of_the_host(name)}
    path = os.environ.get("PATH", "/usr/bin:/bin")
    return {
        **inherited,
        # Debian keeps ip and nft out of an ordinary user's path.
        "PATH": f"{state.folder / 'bin'}:{path}:/usr/sbin:/sbin",
        "KUBECONFIG": str(state.kubeconfig_of("admin")),
        "PYTHONPATH": python_path(),
        "PYTHONUNBUFFERED": "1",
        EGRESS_VARIABLE: f"http://{addresses.GATEWAY}:{addresses.EGRESS_PORT}",
        UPSTREAM_VARIABLE: upstream_proxy(os.environ),
    }


def _is_of_the_host(name: str) -> bool:
    """Another cluster's addresses and the host's proxy cannot be reached from inside."""
    return name.startswith("KUBERNETES_") or name.lower().endswith("_proxy")


def upstream_proxy(variables: Mapping[str, str]) -> str:
    """Return the proxy that the host's environment names; empty when it names none."""
    names = (UPSTREAM_VARIABLE, "https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")
    return next((variables[name] for name in names if variables.get(name)), "")


def python_path() -> str:
    """This checkout first, then whatever the caller's own search path has."""
    inherited = os.environ.get("PYTHONPATH")
    return f"{CHECKOUT}{os.pathsep}{inherited}" if inherited else str(CHECKOUT)
