"""Serves the admission rules and the defaults to the API server, under the real webhooks' names."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from local.eventing.admission import mutation_error, validation_error
from local.eventing.defaulting import defaulted, signed
from local.kube import KubeClient

Object = dict[str, Any]
Review = Callable[[Object], Object]

MANAGER = "local-eventing"
TIMEOUT_SECONDS = 5
REGISTRATION = "/apis/admissionregistration.k8s.io/v1"
RESOURCES = {
    "eventing": [
        ("eventing.knative.dev", ["v1"], ["brokers", "triggers"]),
        ("eventing.knative.dev", ["v1alpha1"], ["eventpolicies"]),
        ("sources.knative.dev", ["v1"], ["apiserversources", "pingsources"]),
    ],
    "serving": [("serving.knative.dev", ["v1"], ["services"])],
}


def app() -> web.Application:
    """Return the HTTP face: one path for defaults, one for validation."""
    application = web.Application()
    application.router.add_post("/defaulting", lambda request: _answer(request, _default))
    application.router.add_post("/validation", lambda request: _answer(request, _validate))
    return application


async def _answer(request: web.Request, review: Review) -> web.Response:
    asked = await request.json()
    response = {"uid": asked["request"]["uid"], **review(asked["request"])}
    return web.json_response(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    )


def _default(asked: Object) -> Object:
    manifest = asked["object"]
    problem = mutation_error(manifest)
    if problem is not None:
        return _refusal(problem)
    user = asked["userInfo"]["username"]
    changed = signed(defaulted(manifest), asked.get("oldObject"), user)
    patch = [
        {"op": "add", "path": f"/{'/'.join(path)}", "value": _at(changed, path)}
        for path in (("metadata", "labels"), ("metadata", "annotations"), ("spec",))
        if _at(changed, path) != _at(manifest, path)
    ]
    encoded = base64.b64encode(json.dumps(patch).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": encoded}


def _validate(asked: Object) -> Object:
    problem = validation_error(asked["object"], asked.get("oldObject"))
    return _refusal(problem) if problem is not None else {"allowed": True}


def _refusal(message: str) -> Object:
    status = {"code": 400, "reason": "BadRequest", "message": message}
    return {"allowed": False, "status": status}


def _at(item: Object, path: tuple[str, ...]) -> Any:
    value: Any = item
    for name in path:
        value = (value or {}).get(name)
    return value


async def install(client: KubeClient, address: str, authority: bytes) -> None:
    """Tell the API server where the webhooks are; while they start it goes on without them."""
    for part, resources in RESOURCES.items():
        for kind, prefix, path in (
            ("Mutating", "", "defaulting"),
            ("Validating", "validation.", "validation"),
        ):
            name = f"{prefix}webhook.{part}.knative.dev"
            webhook = _webhook(name, f"{address}/{path}", authority, resources)
            plural = f"{kind.lower()}webhookconfigurations"
            configuration = {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": f"{kind}WebhookConfiguration",
                "metadata": {"name": name},
                "webhooks": [webhook],
            }
            await client.apply(f"{REGISTRATION}/{plural}/{name}", configuration, manager=MANAGER)


def _webhook(
    name: str, url: str, authority: bytes, resources: list[tuple[str, list[str], list[str]]]
) -> Object:
    return {
        "name": name,
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": url, "caBundle": base64.b64encode(authority).decode()},
        "failurePolicy": "Ignore",
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_SECONDS,
        "rules": [
            {
                "apiGroups": [group],
                "apiVersions": versions,
                "operations": ["CREATE", "UPDATE"],
                "resources": plurals,
                "scope": "Namespaced",
            }
            for group, versions, plurals in resources
        ],
    }
