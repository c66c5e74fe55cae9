"""Give the stores their names in the cluster and their ports on the host.

In the cluster a store has a headless Service without selector, and its bucket a name below that:
OSS is asked at BUCKET.ENDPOINT unless a client says otherwise. On the host it has a port of
127.0.0.1, as every Service of type LoadBalancer does.
"""

from __future__ import annotations

from local.kube import KubeClient, Object
from local.platform import addresses
from local.platform.health import ask
from local.platform.state import State
from local.stores.place import BUCKET, NAMESPACE, PORTS, STORES

MANAGER = "local-stores"
HOST_PORT = "local/host-port-store"
ON_THE_HOST = "-on-this-machine"


async def install(client: KubeClient) -> None:
    """Apply the namespace, and for each store its Services with their endpoints."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    await client.apply(f"/api/v1/namespaces/{NAMESPACE}", namespace, manager=MANAGER)
    for store in STORES:
        for path, item in manifests(store):
            await client.apply(path, item, manager=MANAGER)


def manifests(store: str) -> list[tuple[str, Object]]:
    """The path and the content of each of a store's objects."""
    port = {"name": "store", "port": PORTS[store], "protocol": "TCP"}
    # The relay needs no port on every node.
    relayed = {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}
    return [
        *_service(store, {"clusterIP": "None", "ports": [port]}),
        *_service(f"{store}{ON_THE_HOST}", {**relayed, "ports": [port]}),
    ]


def _service(name: str, spec: Object) -> list[tuple[str, Object]]:
    meta = {"name": name, "namespace": NAMESPACE}
    endpoint = {
        "addresses": [addresses.GATEWAY],
        "hostname": BUCKET,
        "conditions": {"ready": True},
    }
    return [
        (
            f"/api/v1/namespaces/{NAMESPACE}/services/{name}",
            {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec},
        ),
        (
            f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices/{name}",
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {**meta, "labels": {"kubernetes.io/service-name": name}},
                "addressType": "IPv4",
                "endpoints": [endpoint],
                "ports": spec["ports"],
            },
        ),
    ]


def host_endpoints(state: State) -> dict[str, str]:
    """Where the host reaches each store; without those whose port is not open yet."""
    found = ask(state, f"/api/v1/namespaces/{NAMESPACE}/services") or {}
    told = {
        item["metadata"]["name"].removesuffix(ON_THE_HOST): _host_port(item)
        for item in found.get("items", ())
        if item["metadata"]["name"].endswith(ON_THE_HOST)
    }
    return {store: f"http://127.0.0.1:{port}" for store, port in told.items() if port}


def _host_port(service: Object) -> str:
    annotations = service["metadata"].get("annotations") or {}
    return str(annotations.get(HOST_PORT, ""))
