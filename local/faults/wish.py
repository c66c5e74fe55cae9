"""What `python -m local fault` takes, and the fault that it asks for."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass

PODS = {
    "kill": "kill a container's first process (SIGKILL): its server dies at once",
    "pause": "stop all processes of a container (SIGSTOP): it hangs, its connections stay",
    "resume": "let the processes of a container go on (SIGCONT)",
    "cut": "cut a pod off the network, or with --from off some pods only; nothing is refused",
    "join": "take a pod's cuts away",
    "lose-volume": "empty the volumes of a pod's claims and kill its server",
    "fill": "fill the volumes of a pod's claims (of storage class `sized` only)",
    "free": "make room again on a pod's volumes",
}
OTHERS = {
    "stop-api": "end the API server, and keep it from starting again",
    "start-api": "start the API server again and wait until it is ready",
    "stop-store": "end the object stores (S3 and OSS), and keep them from starting again",
    "start-store": "start the object stores again and wait until they answer",
    "drop-events": "lose every event, or with -n those about one namespace",
    "deliver-events": "deliver events again",
    "list": "show the faults in force",
    "clear": "end all of them: resume, join, free, start-api, start-store, deliver-events",
}
WITH_CONTAINER = ("kill", "pause", "resume", "lose-volume")
WITH_VOLUME = ("lose-volume", "fill", "free")
EPILOG = """\
examples:
  python -m local fault kill small-0             its container is started again at once
  python -m local fault cut small-1 --from small-0
  python -m local fault lose-volume small-2      as a disk that was replaced by an empty one
  python -m local fault clear

A new pod has a new network and no cuts. To lose pod and claim together, as with a lost node:
  kubectl delete pvc data-small-2 --wait=false && kubectl delete pod small-2
A disk can only be full if it has a size: create the cluster with
  spec.storage: {size: 128Mi, storageClassName: sized}
All faults end with the platform."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One fault to begin or to end."""

    action: str
    pod: str = ""
    namespace: str = ""
    container: str = ""
    volume: str = ""
    peers: tuple[str, ...] = ()

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, text: str) -> Wish:
        found = json.loads(text)
        return cls(**{**found, "peers": tuple(found["peers"])})

    @classmethod
    def of_options(cls, options: argparse.Namespace) -> Wish:
        """Take from the parsed command line what the command has."""
        given = {name: getattr(options, name) for name in cls.__slots__ if name in options}
        return cls(**{**given, "peers": tuple(given.get("peers", ()))})


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the commands to the parser of `fault`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = "Break something on purpose, and mend it again."
    parser.epilog = EPILOG
    actions = parser.add_subparsers(required=True, metavar="FAULT", dest="action")
    for name, text in PODS.items():
        action = actions.add_parser(name, help=text, description=text)
        action.add_argument("pod", metavar="POD")
        action.add_argument("-n", "--namespace", default="default", help="default: default")
        _pod_flags(name, action)
    for name, text in OTHERS.items():
        action = actions.add_parser(name, help=text, description=text)
        if name == "drop-events":
            action.add_argument("-n", "--namespace", default="", help="default: all of them")


def _pod_flags(name: str, action: argparse.ArgumentParser) -> None:
    if name in WITH_CONTAINER:
        text = "default: the pod's first container that is no init container"
        action.add_argument("-c", "--container", default="", help=text)
    if name in WITH_VOLUME:
        text = "one volume only, by its name in the pod"
        action.add_argument("--volume", default="", help=text)
    if name == "cut":
        text = "a pod of the namespace, or NAMESPACE/POD; as often as needed"
        action.add_argument(
            "--from", dest="peers", action="append", default=[], metavar="PEER", help=text
        )
