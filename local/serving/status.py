"""The status of a Knative Service, from what its Deployment shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local.serving.workload import REVISION_LABEL, revision_name, url

Object = dict[str, Any]
# Status, reason and message of one condition.
Verdict = tuple[str, str, str]

READY: Verdict = ("True", "", "")


def service_status(
    service: Mapping[str, Any], deployment: Mapping[str, Any] | None, refused: str | None
) -> Object:
    """Return the whole status; `refused` says why the service cannot run at all."""
    before = service.get("status") or {}
    latest = revision_name(service)
    verdict = ("False", "RevisionFailed", refused) if refused else _verdict(deployment, latest)
    ready = latest if verdict == READY else before.get("latestReadyRevisionName")
    route = READY if ready else verdict
    where = {"url": url(service)}
    status = {
        "address": where,
        "conditions": _conditions(before, verdict, route),
        "latestCreatedRevisionName": latest,
        "observedGeneration": service["metadata"]["generation"],
        **where,
    }
    if ready:
        status["latestReadyRevisionName"] = ready
        status["traffic"] = [{"latestRevision": True, "percent": 100, "revisionName": ready}]
    return status


def _verdict(deployment: Mapping[str, Any] | None, revision: str) -> Verdict:
    if deployment is None or not _shows(deployment, revision):
        return "Unknown", "Deploying", f'Revision "{revision}" is being deployed.'
    status, wanted = deployment.get("status") or {}, deployment["spec"]["replicas"]
    if min(status.get("updatedReplicas", 0), status.get("availableReplicas", 0)) >= wanted:
        return READY
    progressing = _condition(status, "Progressing")
    if progressing.get("status") == "False":
        return "False", "RevisionFailed", _failed(revision, progressing.get("message", ""))
    replica_failure = _condition(status, "ReplicaFailure")
    if replica_failure.get("status") == "True":
        return "False", "RevisionFailed", _failed(revision, replica_failure.get("message", ""))
    return "Unknown", "Deploying", f'Revision "{revision}" is not ready yet.'


def _shows(deployment: Mapping[str, Any], revision: str) -> bool:
    """Tell whether the Deployment's status speaks about this revision already."""
    labels = deployment["spec"]["template"]["metadata"].get("labels") or {}
    seen = (deployment.get("status") or {}).get("observedGeneration")
    return bool(
        labels.get(REVISION_LABEL) == revision and seen == deployment["metadata"]["generation"]
    )


def _failed(revision: str, message: str) -> str:
    return f'Revision "{revision}" failed with message: {message}'


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    found = [one for one in status.get("conditions") or [] if one["type"] == kind]
    return found[0] if found else {}


def _conditions(before: Mapping[str, Any], configuration: Verdict, route: Verdict) -> list[Object]:
    worst = min((configuration, route), key=lambda one: ("False", "Unknown", "True").index(one[0]))
    verdicts = {"ConfigurationsReady": configuration, "Ready": worst, "RoutesReady": route}
    return [_written(before, kind, verdict) for kind, verdict in sorted(verdicts.items())]


def _written(before: Mapping[str, Any], kind: str, verdict: Verdict) -> Object:
    status, reason, message = verdict
    old = _condition(before, kind)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    changed = old.get("lastTransitionTime", now) if old.get("status") == status else now
    fields = {
        "lastTransitionTime": changed,
        "message": message,
        "reason": reason,
        "status": status,
        "type": kind,
    }
    return {name: value for name, value in fields.items() if value}
