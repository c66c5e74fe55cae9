"""The servers' configuration: zoo.cfg, the member list's lines and the logging files.

The settings follow `reference` in docs/concepts.md, "What a server is told": rules 1 to 3 and 10
of the design. A server rewrites its own copy of zoo.cfg, so the one made here is only where each
start begins.
"""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.api.quarantine import quarantine_port
from functions.manifests.encryption import PLAIN, Encryption, tls_settings
from functions.manifests.names import LOG_MOUNT, pod_domain
from functions.manifests.server_version import has_native_metrics

FOUR_LETTER_WORDS = "cons, envi, conf, crst, srvr, stat, mntr, ruok"


def server_line(
    cluster: ZooKeeperCluster,
    ordinal: int,
    role: str = "participant",
    *,
    is_plaintext_closed: bool = False,
) -> str:
    """Return the member list's line of one server: `server.<id>=<address>` with id = ordinal + 1.

    The client part is mandatory for reconfig (ZooKeeper's `server.N` syntax, 3.5 and later).
    """
    config = cluster.spec.config
    return (
        f"server.{ordinal + 1}={pod_domain(cluster, ordinal)}"
        f":{config.follower_port}:{config.leader_election_port}:{role}"
        f";{client_address(cluster, is_plaintext_closed=is_plaintext_closed)}"
    )


def client_address(cluster: ZooKeeperCluster, *, is_plaintext_closed: bool) -> str:
    """Return where a server takes clients without TLS; if nowhere, where it answers its own pod.

    That is another port than the clients': a server that changes its address while it runs binds
    the new one before it gives up the old one (docs/decisions/0025).
    """
    if is_plaintext_closed:
        return f"127.0.0.1:{quarantine_port(cluster.spec)}"
    return f"0.0.0.0:{cluster.spec.config.client_port}"


def zoo_cfg(cluster: ZooKeeperCluster, encryption: Encryption = PLAIN) -> str:
    """Return the static configuration as `key=value` lines."""
    settings = {
        **_timing(cluster),
        **_limits(cluster),
        **_safety(cluster),
        **_metrics(cluster),
        **tls_settings(cluster, encryption),
        **cluster.spec.config.additional_config,
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def _timing(cluster: ZooKeeperCluster) -> dict[str, object]:
    config = cluster.spec.config
    return {
        "tickTime": config.tick_time,
        "initLimit": config.init_limit,
        "syncLimit": config.sync_limit,
        "minSessionTimeout": config.min_session_timeout,
        "maxSessionTimeout": config.max_session_timeout,
    }


def _limits(cluster: ZooKeeperCluster) -> dict[str, object]:
    config = cluster.spec.config
    return {
        "globalOutstandingLimit": config.global_outstanding_limit,
        "preAllocSize": config.pre_alloc_size,
        "snapCount": config.snap_count,
        "commitLogCount": config.commit_log_count,
        "snapSizeLimitInKb": config.snap_size_limit_in_kb,
        "maxCnxns": config.max_cnxns,
        "maxClientCnxns": config.max_client_cnxns,
        "autopurge.snapRetainCount": config.autopurge.snap_retain_count,
        "autopurge.purgeInterval": config.autopurge.purge_interval,
    }


def _safety(cluster: ZooKeeperCluster) -> dict[str, object]:
    config = cluster.spec.config
    admin = cluster.spec.admin_server
    logs = {"dataLogDir": LOG_MOUNT} if cluster.spec.storage.log is not None else {}
    return {
        "dataDir": config.data_dir,
        **logs,
        "dynamicConfigFile": f"{config.data_dir}/{config.dynamic_config}",
        "standaloneEnabled": "false",
        "reconfigEnabled": "true",
        # An empty disk never votes: zookeeper.md 4.4, ZOOKEEPER-261.
        "db.autocreate": "false",
        "quorumListenOnAllIPs": str(config.quorum_listen_on_all_ips).lower(),
        "4lw.commands.whitelist": FOUR_LETTER_WORDS,
        "admin.enableServer": str(admin.enabled).lower(),
        "admin.serverPort": admin.port,
    }


def _metrics(cluster: ZooKeeperCluster) -> dict[str, object]:
    if not has_native_metrics(cluster):
        return {}
    return {
        "metricsProvider.className": (
            "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"
        ),
        "metricsProvider.httpPort": cluster.spec.metrics.port,
    }


def log4j_properties(cluster: ZooKeeperCluster) -> str:
    """Return the logging configuration for servers before 3.8 (log4j 1.2), to stdout only."""
    return (
        f"log4j.rootLogger={cluster.spec.log_level}, CONSOLE\n"
        "log4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender\n"
        "log4j.appender.CONSOLE.layout=org.apache.log4j.PatternLayout\n"
        "log4j.appender.CONSOLE.layout.ConversionPattern="
        "%d{ISO8601} [myid:%X{myid}] - %-5p [%t:%C{1}@%L] - %m%n\n"
    )


def log4j_quiet_properties() -> str:
    """Return the seed system's quiet variant, for `zkCli.sh` in the pod."""
    return (
        "log4j.rootLogger=ERROR, CONSOLE\n"
        "log4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender\n"
        "log4j.appender.CONSOLE.layout=org.apache.log4j.PatternLayout\n"
        "log4j.appender.CONSOLE.layout.ConversionPattern=%d{ISO8601} - %-5p - %m%n\n"
    )


def logback_xml(cluster: ZooKeeperCluster) -> str:
    """Return the logging configuration for servers from 3.8 on (logback), to stdout only."""
    return (
        "<configuration>\n"
        '  <appender name="CONSOLE" class="ch.qos.logback.core.ConsoleAppender">\n'
        "    <encoder>\n"
        "      <pattern>%d{ISO8601} [myid:%X{myid}] - %-5p [%t:%C{1}@%L] - %m%n</pattern>\n"
        "    </encoder>\n"
        "  </appender>\n"
        f'  <root level="{cluster.spec.log_level}">\n'
        '    <appender-ref ref="CONSOLE" />\n'
        "  </root>\n"
        "</configuration>\n"
    )
