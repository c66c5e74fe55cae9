"""Gives the broker's ingress its name in the cluster: a Service that leads to this process."""

from __future__ import annotations

import ipaddress
from typing import Any

from local.kube import KubeClient

MANAGER = "local-eventing"
NAMESPACE = "knative-eventing"
NAME = "broker-ingress"
HOST = f"{NAME}.{NAMESPACE}.svc.cluster.local"


async def install(client: KubeClient, host: str, port: int) -> None:
    """Apply the namespace, the Service without selector and its endpoints."""
    objects = _objects(host, port)
    if ipaddress.ip_address(host).is_loopback:
        # Endpoints may not be loopback addresses: then only this process knows the name.
        objects = objects[:1]
    for path, item in objects:
        await client.apply(path, item, manager=MANAGER)


def _objects(host: str, port: int) -> list[tuple[str, dict[str, Any]]]:
    meta = {"name": NAME, "namespace": NAMESPACE}
    services = f"/api/v1/namespaces/{NAMESPACE}/services/{NAME}"
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices/{NAME}"
    return [
        (
            f"/api/v1/namespaces/{NAMESPACE}",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        ),
        (
            services,
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": meta,
                "spec": {"ports": [{"name": "http", "port": 80, "targetPort": port}]},
            },
        ),
        (
            slices,
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {**meta, "labels": {"kubernetes.io/service-name": NAME}},
                "addressType": "IPv4",
                "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
                "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
            },
        ),
    ]
