"""The fixed addresses of the platform's own network; no host network ever sees them."""

from __future__ import annotations

BRIDGE = "cni0"
GATEWAY = "10.244.0.1"
POD_NETWORK = "10.244.0.0/16"
PREFIX_LENGTH = 16
SERVICE_NETWORK = "10.96.0.0/16"
KUBERNETES_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
CLUSTER_DOMAIN = "cluster.local"

API_PORT = 6443
API_SERVER = f"https://{GATEWAY}:{API_PORT}"
ETCD = "http://127.0.0.1:2379"
INGRESS_PORT = 8480
DNS_PORT = 53
S3_PORT = 9000
OSS_PORT = 9001

API_SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    f"kubernetes.default.svc.{CLUSTER_DOMAIN}",
)
API_SERVER_ADDRESSES = ("127.0.0.1", GATEWAY, KUBERNETES_SERVICE)

# A plain HTTP proxy to the world outside, for image pulls and object stores.
EGRESS_PORT = 3128
