"""Asks the API server whether a source's service account may watch what the source names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from local.eventing.kinds import guessed_plural
from local.kube import KubeClient

REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
VERBS = ("get", "list", "watch")


async def missing_permission(
    client: KubeClient, spec: Mapping[str, Any], namespace: str, scope: Sequence[str]
) -> str:
    """Return a sentence about what is not allowed, or nothing; "" in scope is the whole cluster."""
    user = f"system:serviceaccount:{namespace}:{spec['serviceAccountName']}"
    for resource in spec["resources"]:
        group, _, _ = resource["apiVersion"].rpartition("/")
        plural = guessed_plural(resource["kind"])
        for where in scope:
            for verb in VERBS:
                asked = {"group": group, "resource": plural, "namespace": where, "verb": verb}
                if not await _allowed(client, user, asked):
                    place = f'in Namespace "{where}"' if where else "in all namespaces"
                    return (
                        f'User {user} cannot {verb} resource "{plural}" '
                        f'in API group "{group}" {place}'
                    )
    return ""


async def _allowed(client: KubeClient, user: str, asked: Mapping[str, str]) -> bool:
    spec = {"user": user, "groups": _groups(user), "resourceAttributes": dict(asked)}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": spec,
    }
    answered = await client.create(REVIEWS, review)
    return bool(answered["status"].get("allowed"))


def _groups(user: str) -> list[str]:
    namespace = user.split(":")[2]
    return [
        "system:serviceaccounts",
        f"system:serviceaccounts:{namespace}",
        "system:authenticated",
    ]
