"""The pod of one server: prepared by an init container, then ZooKeeper's own start script."""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest
from functions.manifests.heap import heap_mib
from functions.manifests.names import (
    DATA_CLAIM,
    LOG_CLAIM,
    LOG_MOUNT,
    PREPARE_CONTAINER,
    SERVER_CONTAINER,
    config_map_name,
    labels,
    selector,
    service_account_name,
    service_domain,
    super_user_secret_name,
)
from functions.manifests.server_version import has_native_metrics

USER = 1000
CONFIG_VOLUME = "config"
SUPER_USER_ANNOTATION = "zookeeper.example.com/super-user"
CONFIG_ANNOTATION = "zookeeper.example.com/config"

# The seed system's helper images: their programs are ours now.
_SEED_HELPER = "go2sheep/zk-helper"


def is_seed_helper(image: str) -> bool:
    return image.partition("@")[0].partition(":")[0] == _SEED_HELPER


def helper_image(cluster: ZooKeeperCluster, functions_image: str) -> str:
    """Return the image of the pod-side programs: the spec's own, or the functions' image."""
    asked = cluster.spec.helper_image
    return functions_image if not asked or is_seed_helper(asked) else asked


def pod_template(
    cluster: ZooKeeperCluster, functions_image: str, super_user_hash: str, config_hash: str
) -> Manifest:
    """Return the template of the servers' pods; a changed hash makes a new revision."""
    return {
        "metadata": {
            "labels": {**cluster.spec.pod.labels, **labels(cluster)},
            "annotations": {
                **cluster.spec.pod.annotations,
                SUPER_USER_ANNOTATION: super_user_hash,
                CONFIG_ANNOTATION: config_hash,
                # `kubectl logs` and `exec` mean the server when they name no container.
                "kubectl.kubernetes.io/default-container": SERVER_CONTAINER,
                **_restart_annotation(cluster),
            },
        },
        "spec": {
            "serviceAccountName": service_account_name(cluster),
            "terminationGracePeriodSeconds": cluster.spec.pod.termination_grace_period_seconds,
            "securityContext": _pod_security(cluster),
            "initContainers": [_prepare(cluster, functions_image)],
            "containers": [_server(cluster)],
            "volumes": _volumes(cluster),
            **_scheduling(cluster),
            **_pull_secrets(cluster),
        },
    }


def _restart_annotation(cluster: ZooKeeperCluster) -> dict[str, str]:
    asked = cluster.spec.restarted_at
    return {"zookeeper.example.com/restartedAt": str(asked)} if asked else {}


def _pod_security(cluster: ZooKeeperCluster) -> Manifest:
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
        **(cluster.spec.pod.security_context or {}),
    }


def _container_security() -> Manifest:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _pull_secrets(cluster: ZooKeeperCluster) -> Manifest:
    secrets = [secret.model_dump(by_alias=True) for secret in cluster.spec.image_pull_secrets]
    return {"imagePullSecrets": secrets} if secrets else {}


def _pull_policy(cluster: ZooKeeperCluster) -> Manifest:
    policy = cluster.spec.image_pull_policy
    return {"imagePullPolicy": policy} if policy else {}


def _prepare(cluster: ZooKeeperCluster, functions_image: str) -> Manifest:
    config = cluster.spec.config
    return {
        "name": PREPARE_CONTAINER,
        "image": helper_image(cluster, functions_image),
        **_pull_policy(cluster),
        "command": ["python", "-m", "functions.pods.prepare"],
        "env": [
            {"name": "CLUSTER", "value": cluster.metadata.name},
            {"name": "DOMAIN", "value": service_domain(cluster)},
            {"name": "DATA_DIR", "value": config.data_dir},
            {"name": "DATA_LOG_DIR", "value": _log_dir(cluster)},
            {"name": "CFG_DIR", "value": config.config_dir},
            {"name": "RAW_CFG_DIR", "value": config.raw_config_dir},
            {"name": "STATIC_CONFIG", "value": config.static_config},
            {"name": "CLIENT_PORT", "value": str(config.client_port)},
            {"name": "FOLLOWER_PORT", "value": str(config.follower_port)},
            {"name": "LEADER_ELECTION_PORT", "value": str(config.leader_election_port)},
            {"name": "CLAIM", "value": _marked_claim(cluster)},
            _field("NAMESPACE", "metadata.namespace"),
            _field("POD_NAME", "metadata.name"),
            _field("POD_UID", "metadata.uid"),
            _field("POD_IP", "status.podIP"),
        ],
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"memory": "128Mi"},
        },
        "securityContext": _container_security(),
        "volumeMounts": _mounts(cluster),
    }


def _field(name: str, path: str) -> Manifest:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def _log_dir(cluster: ZooKeeperCluster) -> str:
    return cluster.spec.config.data_dir if cluster.spec.storage.log is None else LOG_MOUNT


def _marked_claim(cluster: ZooKeeperCluster) -> str:
    """Return the claim template whose volume decides whether a disk is new.

    The initialize marker is read in the transaction-log directory, so with a volume of its own
    for the log it is that volume (zookeeper.md 4.4). Empty for ephemeral storage.
    """
    if cluster.spec.storage.ephemeral:
        return ""
    return DATA_CLAIM if cluster.spec.storage.log is None else LOG_CLAIM


def _server(cluster: ZooKeeperCluster) -> Manifest:
    config = cluster.spec.config
    return {
        "name": SERVER_CONTAINER,
        "image": cluster.zookeeper_image(),
        **_pull_policy(cluster),
        "command": [
            "zkServer.sh", "--config", config.config_dir, "start-foreground", config.static_config,
        ],
        "env": _server_env(cluster),
        "ports": _ports(cluster),
        "resources": cluster.spec.resources.model_dump(by_alias=True),
        **_probes(cluster),
        "securityContext": _container_security(),
        "volumeMounts": _mounts(cluster),
    }  # fmt: skip


def _server_env(cluster: ZooKeeperCluster) -> list[Manifest]:
    secret = super_user_secret_name(cluster)
    own = [env.model_dump(by_alias=True, exclude_none=True) for env in cluster.spec.env]
    return [
        {
            "name": "SUPER_DIGEST",
            "valueFrom": {"secretKeyRef": {"name": secret, "key": "digest"}},
        },
        {"name": "ZK_SERVER_HEAP", "value": str(heap_mib(cluster))},
        {"name": "SERVER_JVMFLAGS", "value": " ".join(_jvm_flags(cluster))},
        {"name": "ZOO_LOG_DIR", "value": "/tmp"},
        {"name": "ZOO_LOG4J_PROP", "value": f"{cluster.spec.log_level},CONSOLE"},
        *own,
    ]


def _jvm_flags(cluster: ZooKeeperCluster) -> list[str]:
    # A re-created pod has a new address: names are asked again after seconds, not never.
    return [
        "-Dsun.net.inetaddr.ttl=5",
        "-Dsun.net.inetaddr.negative.ttl=1",
        "-Dzookeeper.DigestAuthenticationProvider.superDigest=$(SUPER_DIGEST)",
        *cluster.spec.jvm_flags,
    ]


def _ports(cluster: ZooKeeperCluster) -> list[Manifest]:
    config = cluster.spec.config
    ports: list[Manifest] = [
        {"name": "client", "containerPort": config.client_port, "protocol": "TCP"},
        {"name": "follower", "containerPort": config.follower_port, "protocol": "TCP"},
        {
            "name": "leader-election",
            "containerPort": config.leader_election_port,
            "protocol": "TCP",
        },
    ]
    if cluster.spec.admin_server.enabled:
        port = cluster.spec.admin_server.port
        ports.append({"name": "admin", "containerPort": port, "protocol": "TCP"})
    if has_native_metrics(cluster):
        port = cluster.spec.metrics.port
        ports.append({"name": "metrics", "containerPort": port, "protocol": "TCP"})
    return ports


def _ask(port: int, word: str, expected: str) -> Manifest:
    """Return a probe that asks one four-letter word with bash alone: no JVM, no Python."""
    script = f'exec 3<>/dev/tcp/127.0.0.1/{port} && printf {word} >&3 && grep -q "{expected}" <&3'
    return {"exec": {"command": ["bash", "-c", script]}}


def _probes(cluster: ZooKeeperCluster) -> Manifest:
    """Return the probes (rule 8): ready means serving in a quorum, alive means answering at all.

    The startup probe gives a server ten minutes to load its data before it counts as dead.
    """
    port = cluster.spec.config.client_port
    alive, serving = _ask(port, "ruok", "imok"), _ask(port, "srvr", "^Mode: ")
    probes = cluster.spec.probes
    return {
        "startupProbe": {**alive, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 600},
        "readinessProbe": {**serving, **probes.readiness.model_dump(by_alias=True)},
        "livenessProbe": {**alive, **probes.liveness.model_dump(by_alias=True)},
    }


def _mounts(cluster: ZooKeeperCluster) -> list[Manifest]:
    config = cluster.spec.config
    logs = [] if cluster.spec.storage.log is None else [{"name": LOG_CLAIM, "mountPath": LOG_MOUNT}]
    return [
        {"name": DATA_CLAIM, "mountPath": config.data_dir},
        *logs,
        {"name": CONFIG_VOLUME, "mountPath": config.raw_config_dir, "readOnly": True},
    ]


def _volumes(cluster: ZooKeeperCluster) -> list[Manifest]:
    config: Manifest = {"name": CONFIG_VOLUME, "configMap": {"name": config_map_name(cluster)}}
    if not cluster.spec.storage.ephemeral:
        return [config]
    return [config, {"name": DATA_CLAIM, "emptyDir": {}}]


def _scheduling(cluster: ZooKeeperCluster) -> Manifest:
    pod = cluster.spec.pod
    wanted: Manifest = {
        "affinity": _affinity(cluster),
        "nodeSelector": pod.node_selector,
        "tolerations": [t.model_dump(by_alias=True, exclude_none=True) for t in pod.tolerations],
        "topologySpreadConstraints": _spread(cluster),
        "priorityClassName": pod.priority_class_name,
    }
    return {key: value for key, value in wanted.items() if value not in (None, "", {}, [])}


def _spread(cluster: ZooKeeperCluster) -> list[Manifest]:
    own = {"labelSelector": {"matchLabels": selector(cluster)}}
    return [{**own, **constraint} for constraint in cluster.spec.pod.topology_spread_constraints]


def _affinity(cluster: ZooKeeperCluster) -> Manifest:
    """Return the spec's own affinity, with anti-affinity between the servers as its mode asks."""
    asked = dict(cluster.spec.pod.affinity or {})
    if "podAntiAffinity" in asked or cluster.spec.pod.anti_affinity == "none":
        return asked
    return {**asked, "podAntiAffinity": _anti_affinity(cluster)}


def _anti_affinity(cluster: ZooKeeperCluster) -> Manifest:
    term = {
        "labelSelector": {"matchLabels": selector(cluster)},
        "topologyKey": "kubernetes.io/hostname",
    }
    if cluster.spec.pod.anti_affinity == "hard":
        return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    weighted = {"weight": 100, "podAffinityTerm": term}
    return {"preferredDuringSchedulingIgnoredDuringExecution": [weighted]}
