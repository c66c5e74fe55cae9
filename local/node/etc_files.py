"""The files under /etc that differ from pod to pod, as text."""

from __future__ import annotations

from collections.abc import Mapping

from local.kube import Object

DNS_SERVER = "10.96.0.10"
CLUSTER_DOMAIN = "cluster.local"


def hostname(pod: Object) -> str:
    return str(pod["spec"].get("hostname") or pod["metadata"]["name"])[:63].rstrip("-.")


def hosts(pod: Object, address: str) -> str:
    """/etc/hosts with the pod's own names and its `hostAliases`."""
    name, namespace = hostname(pod), pod["metadata"]["namespace"]
    names = [name]
    if subdomain := pod["spec"].get("subdomain"):
        names.insert(0, f"{name}.{subdomain}.{namespace}.svc.{CLUSTER_DOMAIN}")
    lines = [
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "\t".join([address, *names]),
    ]
    for alias in pod["spec"].get("hostAliases") or []:
        lines.append("\t".join([alias["ip"], *alias.get("hostnames", [])]))
    return "\n".join(lines) + "\n"


def resolv_conf(pod: Object) -> str:
    """/etc/resolv.conf by the pod's dnsPolicy and dnsConfig.

    `Default` means the machine's own servers, and there is no way to those from inside; the
    platform's server without the search domains comes closest.
    """
    namespace, policy = pod["metadata"]["namespace"], pod["spec"].get("dnsPolicy", "ClusterFirst")
    own = pod["spec"].get("dnsConfig") or {}
    servers: list[str] = [] if policy == "None" else [DNS_SERVER]
    searches: list[str] = []
    # One second, because a laptop's DNS server answers at once or not at all.
    options: dict[str, str | None] = {} if policy == "None" else {"timeout": "1"}
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet"):
        searches = [f"{namespace}.svc.{CLUSTER_DOMAIN}", f"svc.{CLUSTER_DOMAIN}", CLUSTER_DOMAIN]
        options["ndots"] = "5"
    servers += [entry for entry in own.get("nameservers") or [] if entry not in servers]
    searches += [entry for entry in own.get("searches") or [] if entry not in searches]
    options |= {entry["name"]: entry.get("value") for entry in own.get("options") or []}
    lines = [f"nameserver {server}" for server in servers]
    if searches:
        lines.append(f"search {' '.join(searches)}")
    if options:
        written = (key if value is None else f"{key}:{value}" for key, value in options.items())
        lines.append(f"options {' '.join(written)}")
    return "\n".join(lines) + "\n"


def passwd(users: Mapping[str, int]) -> str:
    entries = {"root": 0, **users, "nobody": 65534}
    return "".join(
        f"{name}:x:{uid}:{uid}:{name}:{'/root' if uid == 0 else '/tmp'}:/bin/bash\n"
        for name, uid in entries.items()
    )


def group(users: Mapping[str, int]) -> str:
    entries = {"root": 0, **users, "nogroup": 65534}
    return "".join(f"{name}:x:{uid}:\n" for name, uid in entries.items())


NSSWITCH = "passwd: files\ngroup: files\nhosts: files dns\n"
