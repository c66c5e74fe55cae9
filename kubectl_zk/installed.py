"""Whether the functions are installed in this Kubernetes cluster, and with which image and broker.

Plans and Jobs must be made with the same: asked of the function `reconcile-cluster` as it is
deployed, with Knative Serving or as a Deployment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import Refused, Unavailable
from functions.api.kinds import STATEFUL_SET, Kind, Ref
from functions.api.manifest import Manifest
from functions.manifests.installation import Installation
from functions.manifests.names import AGENT_CONTAINER, MANAGED
from kubectl_zk.problem import Problem
from kubectl_zk.session import Session

FUNCTION, NAMESPACE = "reconcile-cluster", "zookeeper-functions"
DEPLOYED_AS = (
    Kind("serving.knative.dev/v1", "Service", "services"),
    Kind("apps/v1", "Deployment", "deployments"),
)


def installation(session: Session) -> Installation:
    """Return what the functions give to pods; raises Problem when that cannot be known."""
    for found in (*_deployed(session), *_stateful_sets(session)):
        return found
    raise Problem(
        f"Which image the functions run cannot be read: there is no {FUNCTION} in namespace "
        f"{NAMESPACE} that you may see, and no ensemble in namespace {session.namespace}."
    )


def missing_from(session: Session, cluster: ZooKeeperCluster) -> str | None:
    """Return the namespace where the functions of `cluster` should be and are not.

    None when they are there, and when that is not for this person to see.
    """
    try:
        namespace = _namespace_of_functions(session, cluster)
        found = (session.kube.get(Ref(kind, namespace, FUNCTION)) for kind in DEPLOYED_AS)
        return None if any(it is not None for it in found) else namespace
    except (Unavailable, Refused):
        return None


def _namespace_of_functions(session: Session, cluster: ZooKeeperCluster) -> str:
    """Return the Broker's namespace: the agents of the ensemble send events to it by its URL."""
    found = session.kube.get(Ref(STATEFUL_SET, cluster.metadata.namespace, cluster.metadata.name))
    for given in _given_to_agents([found] if found is not None else []):
        namespace, _, broker = urlsplit(given.broker_url).path.strip("/").partition("/")
        if namespace and broker:
            return namespace
    return NAMESPACE


def _deployed(session: Session) -> Iterator[Installation]:
    for kind in DEPLOYED_AS:
        try:
            found = session.kube.get(Ref(kind, NAMESPACE, FUNCTION))
        except (Unavailable, Refused):
            continue  # Not for everybody's eyes; the ensembles show it too.
        if found is not None:
            container = _containers(found["spec"]["template"]["spec"])[0]
            told = _variables(container)
            image = told.get("FUNCTIONS_IMAGE", container["image"])
            yield Installation(image, told.get("BROKER_URL", ""))


def _stateful_sets(session: Session) -> Iterator[Installation]:
    yield from _given_to_agents(session.kube.list(STATEFUL_SET, session.namespace, MANAGED))


def _given_to_agents(stateful_sets: Iterable[Manifest]) -> Iterator[Installation]:
    for found in stateful_sets:
        for container in _containers(found["spec"]["template"]["spec"]):
            if container["name"] == AGENT_CONTAINER:
                yield Installation(container["image"], _variables(container).get("BROKER_URL", ""))


def _containers(spec: Manifest) -> list[dict[str, Any]]:
    return list(spec["containers"])


def _variables(container: dict[str, Any]) -> dict[str, str]:
    return {it["name"]: it.get("value", "") for it in container.get("env", ())}
