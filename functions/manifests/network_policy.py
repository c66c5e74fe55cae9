"""The NetworkPolicy of a cluster: each port of its servers, and who may connect to it.

What every user of ZooKeeper needs stays open until the spec narrows it: the clients' port, the
metrics and the agents. What only servers, functions and backups need is closed to all others: who
reaches the ports of the election can take part in it, and the AdminServer cannot tell who asks.
"""

from __future__ import annotations

from collections.abc import Sequence

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import BACKUP, NETWORK_POLICY, RESTORE
from functions.api.manifest import Manifest
from functions.api.ports import AGENT_PORT
from functions.api.quarantine import quarantine_port
from functions.manifests.installation import Installation
from functions.manifests.job_names import operator
from functions.manifests.names import identity, network_policy_name, owned_metadata, selector
from functions.manifests.server_version import has_native_metrics

# Kubernetes puts this label on every namespace.
NAMESPACE_LABEL = "kubernetes.io/metadata.name"


def network_policy(
    cluster: ZooKeeperCluster, installation: Installation, *, is_plaintext_closed: bool = False
) -> Manifest:
    """Return the policy; `is_plaintext_closed` once clients have TLS and no other way in."""
    return {
        **identity(NETWORK_POLICY),
        "metadata": owned_metadata(cluster, network_policy_name(cluster)),
        "spec": {
            "podSelector": {"matchLabels": selector(cluster)},
            "policyTypes": ["Ingress"],
            "ingress": _rules(cluster, installation, is_plaintext_closed=is_plaintext_closed),
        },
    }


def _rules(
    cluster: ZooKeeperCluster, installation: Installation, *, is_plaintext_closed: bool
) -> list[Manifest]:
    config, asked = cluster.spec.config, cluster.spec.network_policy
    functions = _functions(installation)
    ours = [functions, _jobs()]
    # Whoever works in a server's pod may use a client there, also through the Service.
    clients = [*ours, _servers(cluster)]
    plain = [config.client_port]
    rules = [
        _closed(plain, ours) if is_plaintext_closed else _open(plain, asked.clients, clients),
        # Prometheus asks the agents too.
        _open([AGENT_PORT], asked.agents, [*ours, *asked.metrics]),
        _closed([config.follower_port, config.leader_election_port], [_servers(cluster)]),
        # Restored servers come up here until they have been looked at; clients must not.
        _closed([quarantine_port(cluster.spec)], [functions]),
    ]
    if cluster.spec.tls.client is not None:
        rules.append(_open([cluster.spec.tls.client.port], asked.clients, clients))
    if has_native_metrics(cluster):
        rules.append(_open([cluster.spec.metrics.port], asked.metrics, []))
    if cluster.spec.admin_server.enabled:
        rules.append(_closed([cluster.spec.admin_server.port], [*ours, *asked.admin_server]))
    if asked.additional_ports:
        rules.append(_open(asked.additional_ports, [], []))
    return rules


def _open(ports: Sequence[int], asked: Sequence[Manifest], ours: Sequence[Manifest]) -> Manifest:
    """Return a rule for everybody, or for those who are asked for and us."""
    return _closed(ports, [*asked, *ours]) if asked else {"ports": _tcp(ports)}


def _closed(ports: Sequence[int], peers: Sequence[Manifest]) -> Manifest:
    return {"ports": _tcp(ports), "from": [dict(peer) for peer in peers]}


def _tcp(ports: Sequence[int]) -> list[Manifest]:
    return [{"protocol": "TCP", "port": port} for port in ports]


def _servers(cluster: ZooKeeperCluster) -> Manifest:
    return {"podSelector": {"matchLabels": selector(cluster)}}


def _functions(installation: Installation) -> Manifest:
    return {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: installation.namespace}}}


def _jobs() -> Manifest:
    """Return the pods of the Jobs of every backup and restore in the cluster's namespace."""
    wanted = [operator(kind) for kind in (BACKUP, RESTORE)]
    return {
        "podSelector": {
            "matchExpressions": [{"key": "operator", "operator": "In", "values": wanted}]
        }
    }
