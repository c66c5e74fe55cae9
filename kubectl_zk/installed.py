"""With which image and broker the functions of this Kubernetes cluster run.

Plans and Jobs must be made with the same: asked of the function `reconcile-cluster` as it is
deployed, with Knative Serving or as a Deployment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
    for found in session.kube.list(STATEFUL_SET, session.namespace, MANAGED):
        for container in _containers(found["spec"]["template"]["spec"]):
            if container["name"] == AGENT_CONTAINER:
                yield Installation(container["image"], _variables(container).get("BROKER_URL", ""))


def _containers(spec: Manifest) -> list[dict[str, Any]]:
    return list(spec["containers"])


def _variables(container: dict[str, Any]) -> dict[str, str]:
    return {it["name"]: it.get("value", "") for it in container.get("env", ())}
