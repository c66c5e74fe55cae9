"""The pod of one server: prepared first, then ZooKeeper's own start script, an agent beside it."""

from __future__ import annotations

from collections.abc import Sequence

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest
from functions.api.quarantine import quarantine_port
from functions.manifests.container import (
    CONFIG_VOLUME,
    container_security,
    mounts,
    pod_security,
    pull_policy,
)
from functions.manifests.encryption import OPENED_ANNOTATION, Encryption, server_mounts, tls_volumes
from functions.manifests.heap import heap_mib
from functions.manifests.installation import Installation
from functions.manifests.login import (
    Credentials,
    Login,
    login_flags,
    login_volumes,
    server_login_mounts,
)
from functions.manifests.names import (
    DATA_CLAIM,
    SERVER_CONTAINER,
    config_map_name,
    labels,
    selector,
    service_account_name,
)
from functions.manifests.pod_programs import agent_container, prepare_container, super_digest
from functions.manifests.server_version import has_native_metrics

SUPER_USER_ANNOTATION = "zookeeper.example.com/super-user"
CONFIG_ANNOTATION = "zookeeper.example.com/config"


def pod_template(
    cluster: ZooKeeperCluster,
    installation: Installation,
    credentials: Credentials,
    config_hash: str,
    encryption: Encryption,
) -> Manifest:
    """Return the template of the servers' pods; a changed hash makes a new revision."""
    login = credentials.login
    return {
        "metadata": {
            "labels": {**cluster.spec.pod.labels, **labels(cluster)},
            "annotations": {
                **cluster.spec.pod.annotations,
                SUPER_USER_ANNOTATION: credentials.super_user,
                CONFIG_ANNOTATION: config_hash,
                # `kubectl logs` and `exec` mean the server when they name no container.
                "kubectl.kubernetes.io/default-container": SERVER_CONTAINER,
                **_restart_annotation(cluster),
                **encryption.annotations(),
                **login.annotations(),
                **_opening_annotation(cluster),
            },
        },
        "spec": {
            "serviceAccountName": service_account_name(cluster),
            "terminationGracePeriodSeconds": cluster.spec.pod.termination_grace_period_seconds,
            "securityContext": pod_security(cluster),
            "initContainers": [prepare_container(cluster, installation, encryption, login)],
            "containers": [
                _server(cluster, encryption, login),
                agent_container(cluster, installation, encryption),
            ],
            "volumes": [
                *_volumes(cluster),
                *tls_volumes(cluster, encryption),
                *login_volumes(cluster, login),
            ],
            **_scheduling(cluster),
            **_pull_secrets(cluster),
        },
    }


def _restart_annotation(cluster: ZooKeeperCluster) -> dict[str, str]:
    asked = cluster.spec.restarted_at
    return {"zookeeper.example.com/restartedAt": str(asked)} if asked else {}


def _opening_annotation(cluster: ZooKeeperCluster) -> dict[str, str]:
    """Return what makes servers whose data was restored start once more, with their port for TLS.

    They start without it while the restore keeps clients out, and only a start opens it
    (docs/decisions/0012).
    """
    is_due = cluster.spec.tls.client is not None and cluster.status.restored
    return {OPENED_ANNOTATION: str(cluster.status.restored)} if is_due else {}


def _pull_secrets(cluster: ZooKeeperCluster) -> Manifest:
    secrets = [secret.model_dump(by_alias=True) for secret in cluster.spec.image_pull_secrets]
    return {"imagePullSecrets": secrets} if secrets else {}


def _server(cluster: ZooKeeperCluster, encryption: Encryption, login: Login) -> Manifest:
    config = cluster.spec.config
    return {
        "name": SERVER_CONTAINER,
        "image": cluster.zookeeper_image(),
        **pull_policy(cluster),
        "command": [
            "zkServer.sh", "--config", config.config_dir, "start-foreground", config.static_config,
        ],
        "env": _server_env(cluster, login),
        "ports": _ports(cluster),
        "resources": cluster.spec.resources.model_dump(by_alias=True),
        **_probes(cluster, encryption),
        "securityContext": container_security(),
        "volumeMounts": [
            *mounts(cluster), *server_mounts(cluster, encryption), *server_login_mounts(login)
        ],
    }  # fmt: skip


def _server_env(cluster: ZooKeeperCluster, login: Login) -> list[Manifest]:
    own = [env.model_dump(by_alias=True, exclude_none=True) for env in cluster.spec.env]
    return [
        super_digest(cluster),
        {"name": "ZK_SERVER_HEAP", "value": str(heap_mib(cluster))},
        {"name": "SERVER_JVMFLAGS", "value": " ".join(_jvm_flags(cluster, login))},
        {"name": "ZOO_LOG_DIR", "value": "/tmp"},
        {"name": "ZOO_LOG4J_PROP", "value": f"{cluster.spec.log_level},CONSOLE"},
        *own,
    ]


def _jvm_flags(cluster: ZooKeeperCluster, login: Login) -> list[str]:
    # A re-created pod has a new address. A peer that remembers the one before tries it for five
    # seconds, and the new server waits that long for its vote (tried with a memory of 5 s).
    return [
        "-Dsun.net.inetaddr.ttl=1",
        "-Dsun.net.inetaddr.negative.ttl=1",
        "-Dzookeeper.DigestAuthenticationProvider.superDigest=$(SUPER_DIGEST)",
        *login_flags(login),
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
    if (tls := cluster.spec.tls.client) is not None:
        ports.append({"name": "secure-client", "containerPort": tls.port, "protocol": "TCP"})
    if has_native_metrics(cluster):
        port = cluster.spec.metrics.port
        ports.append({"name": "metrics", "containerPort": port, "protocol": "TCP"})
    return ports


def _ask(ports: Sequence[int], word: str, expected: str) -> Manifest:
    """Return a probe that asks one four-letter word with bash alone: no JVM, no Python.

    With several ports it is enough that the server answers at one of them.
    """
    asked = [
        f'exec 3<>/dev/tcp/127.0.0.1/{port} && printf {word} >&3 && grep -q "{expected}" <&3'
        for port in ports
    ]
    script = asked[0] if len(asked) == 1 else " || ".join(f"({it})" for it in asked)
    return {"exec": {"command": ["bash", "-c", script]}}


def _probes(cluster: ZooKeeperCluster, encryption: Encryption) -> Manifest:
    """Return the probes (rule 8): ready means serving in a quorum, alive means answering at all.

    The startup probe gives a server ten minutes to load its data before it counts as dead.
    """
    ports = [cluster.spec.config.client_port]
    if encryption.is_plaintext_closed:
        ports = [quarantine_port(cluster.spec), *ports]
    alive, serving = _ask(ports, "ruok", "imok"), _ask(ports, "srvr", "^Mode: ")
    probes = cluster.spec.probes
    return {
        "startupProbe": {**alive, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 600},
        "readinessProbe": {**serving, **probes.readiness.model_dump(by_alias=True)},
        "livenessProbe": {**alive, **probes.liveness.model_dump(by_alias=True)},
    }


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
