"""The command line of each program of the control plane."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from local.platform import addresses
from local.platform.state import State

# One address has one issuer: the tokens of service accounts are checked against this name.
ISSUER = f"https://kubernetes.default.svc.{addresses.CLUSTER_DOMAIN}"
SKIPPED_CONTROLLERS = ("node-ipam-controller", "node-route-controller", "service-lb-controller")

# An event burst of the demo (a few ensembles at once) must not wait for client-side throttling.
CALLS_PER_SECOND = ("--kube-api-qps=200", "--kube-api-burst=400")


def command_lines(state: State, programs: Mapping[str, Path]) -> dict[str, list[str]]:
    """Return the command of every program, in the order in which they are started."""
    flags = {
        "etcd": _etcd(state),
        "kube-apiserver": _api_server(state),
        "kube-controller-manager": _controller_manager(state),
        "kube-scheduler": _scheduler(state),
        "kube-proxy": _proxy(state),
    }
    return {name: [str(programs[name]), *arguments] for name, arguments in flags.items()}


def _etcd(state: State) -> list[str]:
    return [
        f"--data-dir={state.folder / 'etcd'}",
        f"--listen-client-urls={addresses.ETCD}",
        f"--advertise-client-urls={addresses.ETCD}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        # The data is thrown away with the platform, so nothing is gained by syncing the disk.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _api_server(state: State) -> list[str]:
    keys = state.keys
    return [
        f"--etcd-servers={addresses.ETCD}",
        f"--secure-port={addresses.API_PORT}",
        f"--bind-address={addresses.GATEWAY}",
        f"--advertise-address={addresses.GATEWAY}",
        f"--service-cluster-ip-range={addresses.SERVICE_NETWORK}",
        f"--tls-cert-file={keys / 'api-server.crt'}",
        f"--tls-private-key-file={keys / 'api-server.key'}",
        f"--client-ca-file={keys / 'ca.crt'}",
        f"--kubelet-client-certificate={keys / 'kubelet-client.crt'}",
        f"--kubelet-client-key={keys / 'kubelet-client.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={keys / 'service-accounts.key'}",
        f"--service-account-signing-key-file={keys / 'service-accounts.key'}",
        # Tokens then really live as long as they say, so their renewal is exercised.
        "--service-account-extend-token-expiration=false",
        f"--token-auth-file={keys / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        f"--audit-policy-file={state.folder / 'inside' / 'audit-policy.json'}",
        f"--audit-log-path={state.logs / 'audit.log'}",
        "--audit-log-maxsize=200",
        "--audit-log-maxbackup=1",
        "--enable-priority-and-fairness=false",
        "--profiling=false",
    ]


def _controller_manager(state: State) -> list[str]:
    keys = state.keys
    controllers = ",".join(["*", *(f"-{name}" for name in SKIPPED_CONTROLLERS)])
    return [
        f"--kubeconfig={state.kubeconfig_of('controller-manager')}",
        f"--service-account-private-key-file={keys / 'service-accounts.key'}",
        f"--root-ca-file={keys / 'ca.crt'}",
        f"--cluster-signing-cert-file={keys / 'ca.crt'}",
        f"--cluster-signing-key-file={keys / 'ca.key'}",
        f"--controllers={controllers}",
        "--use-service-account-credentials=false",
        "--leader-elect=false",
        "--authentication-skip-lookup",
        "--bind-address=127.0.0.1",
        *CALLS_PER_SECOND,
    ]


def _scheduler(state: State) -> list[str]:
    return [
        f"--kubeconfig={state.kubeconfig_of('scheduler')}",
        "--leader-elect=false",
        "--authentication-skip-lookup",
        "--bind-address=127.0.0.1",
        *CALLS_PER_SECOND,
    ]


def _proxy(state: State) -> list[str]:
    return [
        f"--kubeconfig={state.kubeconfig_of('proxy')}",
        "--proxy-mode=nftables",
        f"--cluster-cidr={addresses.POD_NETWORK}",
        # All nodes share one network, so one proxy serves them all under the first one's name.
        "--hostname-override=node-a",
        f"--bind-address={addresses.GATEWAY}",
        # These may not be written in a user namespace.
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
        "--healthz-bind-address=127.0.0.1:10256",
        "--metrics-bind-address=127.0.0.1:10249",
        f"--nodeport-addresses={addresses.POD_NETWORK}",
    ]
