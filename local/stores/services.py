"""Give the stores their names in the cluster and their ports on the host.

Services without selector lead to the two processes; being of type LoadBalancer they also get a
port on the host's 127.0.0.1, as every such Service does.
"""

from __future__ import annotations

from local.kube import KubeClient, Object
from local.platform import addresses
from local.platform.health import ask
from local.platform.state import State
from local.stores.place import NAMESPACE, PORTS, STORES

MANAGER = "local-stores"
HOST_PORT = "local/host-port-store"


async def install(client: KubeClient) -> None:
    """Apply the namespace, and a Service with its endpoints for each store."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    await client.apply(f"/api/v1/namespaces/{NAMESPACE}", namespace, manager=MANAGER)
    for store in STORES:
        for path, item in manifests(store):
            await client.apply(path, item, manager=MANAGER)


def manifests(store: str) -> list[tuple[str, Object]]:
    """The path and the content of a store's Service and EndpointSlice."""
    meta = {"name": store, "namespace": NAMESPACE}
    port = {"name": "store", "port": PORTS[store], "protocol": "TCP"}
    return [
        (
            f"/api/v1/namespaces/{NAMESPACE}/services/{store}",
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": meta,
                # The relay needs no port on every node.
                "spec": {
                    "type": "LoadBalancer",
                    "allocateLoadBalancerNodePorts": False,
                    "ports": [port],
                },
            },
        ),
        (
            f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices/{store}",
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {**meta, "labels": {"kubernetes.io/service-name": store}},
                "addressType": "IPv4",
                "endpoints": [{"addresses": [addresses.GATEWAY], "conditions": {"ready": True}}],
                "ports": [port],
            },
        ),
    ]


def host_endpoints(state: State) -> dict[str, str]:
    """Where the host reaches each store; without those whose port is not open yet."""
    found = ask(state, f"/api/v1/namespaces/{NAMESPACE}/services") or {}
    told = {
        item["metadata"]["name"]: (item["metadata"].get("annotations") or {}).get(HOST_PORT)
        for item in found.get("items", ())
    }
    return {store: f"http://127.0.0.1:{port}" for store, port in told.items() if port}
