"""`spec.config`: ports, paths and ZooKeeper's own settings under the field's own names."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import Field

from functions.api.rules import Rule, Spec, cel_list, immutable
from functions.api.values import (
    NONE_GIVEN,
    AbsolutePath,
    Bool,
    Count,
    FileName,
    Port,
    PositiveCount,
)

# These lines of zoo.cfg are ours: with another value an ensemble loses data, opens its doors or
# cannot change its members (docs/concepts.md).
OWNED_KEYS = (
    "clientPort", "clientPortAddress", "dataDir", "dataLogDir", "db.autocreate",
    "dynamicConfigFile", "electionAlg", "forceSync", "4lw.commands.whitelist", "peerType",
    "reconfigEnabled", "secureClientPort", "secureClientPortAddress", "skipACL",
    "snapshot.trust.empty", "standaloneEnabled",
)  # fmt: skip
OWNED_PREFIXES = (
    "server.", "group", "weight.", "admin.", "metricsProvider.", "DigestAuthenticationProvider.",
    "zookeeper.",
)  # fmt: skip

# These have a typed field of their own; the map would be a second writer.
TYPED_KEYS = (
    "tickTime", "initLimit", "syncLimit", "maxClientCnxns", "minSessionTimeout",
    "maxSessionTimeout", "snapCount", "preAllocSize", "commitLogCount",
    "globalOutstandingLimit", "snapSizeLimitInKb", "maxCnxns", "autopurge.snapRetainCount",
    "autopurge.purgeInterval", "quorumListenOnAllIPs",
)  # fmt: skip


# What the data directory holds by these names: the mark that lets an empty disk vote among them.
RESERVED_NAMES = ("initialize", "myid", "restored", "version-2", "volumes")
# What the ConfigMap has beside the static configuration.
LOGGING_FILES = ("log4j.properties", "log4j-quiet.properties", "logback.xml")


def _has_no_owned_key(settings: dict[str, str]) -> bool:
    return not any(key in OWNED_KEYS or key.startswith(OWNED_PREFIXES) for key in settings)


def _has_no_typed_key(settings: dict[str, str]) -> bool:
    return not any(key in TYPED_KEYS for key in settings)


# Of a backslash Java makes whatever it likes: a line break, or one line of two. A server that
# writes its zoo.cfg anew writes the line break as one, so the rest would be a setting of its own.
_PLAIN_VALUE = r"[^\x00-\x08\x0a-\x1f\x7f\\]*"
_CEL_PLAIN_VALUE = _PLAIN_VALUE.replace("\\", "\\\\")


def _has_only_plain_lines(settings: dict[str, str]) -> bool:
    return all(
        re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", key) and re.fullmatch(_PLAIN_VALUE, value)
        for key, value in settings.items()
    )


AdditionalConfig = Annotated[
    dict[str, Annotated[str, Field(max_length=1024)]],
    Field(max_length=64),
    Rule(
        f"self.all(key, !(key in {cel_list(OWNED_KEYS)}) && "
        f"!{cel_list(OWNED_PREFIXES)}.exists(prefix, key.startsWith(prefix)))",
        "This sets something of zoo.cfg that keeps the data safe and is set for you: the member "
        "list, ports, directories, the admin server, metrics, who may reconfigure. Remove the "
        "key; what can be chosen has a field of its own in spec.",
        _has_no_owned_key,
    ),
    Rule(
        f"self.all(key, !(key in {cel_list(TYPED_KEYS)}))",
        "This setting has a field of its own in spec.config: set it there.",
        _has_no_typed_key,
    ),
    Rule(
        "self.all(key, key.matches('^[A-Za-z0-9][A-Za-z0-9._-]*$') && "
        f"self[key].matches('^{_CEL_PLAIN_VALUE}$'))",
        "Each entry becomes one line of zoo.cfg: a key is made of letters, digits, dots, dashes "
        "and underscores, and a value has no line break, no other control character and no "
        "backslash.",
        _has_only_plain_lines,
    ),
]


class Autopurge(Spec):
    """How old snapshots and transaction logs are removed. It is always on: a full disk is down."""

    snap_retain_count: Annotated[PositiveCount, Field(ge=3)] = 3
    """How many snapshots, with the logs they need, are kept. ZooKeeper's minimum is 3."""
    purge_interval: Annotated[PositiveCount, Field(le=168)] = 1
    """Hours between two removals."""


def _folder(path: str) -> str:
    return path.rstrip("/") + "/"


def _is_inside(inner: str, outer: str) -> bool:
    return inner != outer and _folder(inner).startswith(_folder(outer))


def _cel_folder(path: str) -> str:
    """The CEL of `_folder`: a path with exactly one slash at its end."""
    return f"({path} + '/').replace('//', '/')"


_DATA = _cel_folder("self.dataDir")
_RAW = _cel_folder("self.rawConfigDir")


def _takes_no_reserved_name(it: Config) -> bool:
    """Whether neither the member list nor the configuration is where a server keeps its own."""
    folder, data = _folder(it.config_dir), _folder(it.data_dir)
    return it.dynamic_config not in RESERVED_NAMES and not any(
        folder.startswith(f"{data}{name}/") for name in RESERVED_NAMES
    )


def _cel_config_folder(config: str) -> str:
    written = f"(has({config}.configDir) ? {config}.configDir : {config}.dataDir + '/conf')"
    return _cel_folder(written)


class Config(Spec):
    """Ports, paths and settings of the ZooKeeper servers. A changed setting rolls the servers."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"!has(self.configDir) || ({_cel_folder('self.configDir')}.startsWith({_DATA}) && "
            f"{_cel_folder('self.configDir')} != {_DATA})",
            "spec.config.configDir must be inside spec.config.dataDir: a server writes its member "
            "list there and needs it after a restart.",
            lambda it: _is_inside(it.config_dir, it.data_dir),
        ),
        Rule(
            f"!{_RAW}.startsWith({_DATA}) && !{_DATA}.startsWith({_RAW})",
            "spec.config.rawConfigDir and spec.config.dataDir must be separate directories: one is "
            "a read-only ConfigMap, the other the volume with the data.",
            lambda it: (
                not _folder(it.raw_config_dir).startswith(_folder(it.data_dir))
                and not _folder(it.data_dir).startswith(_folder(it.raw_config_dir))
            ),
        ),
        Rule(
            f"!(self.dynamicConfig in {cel_list(RESERVED_NAMES)}) && (!has(self.configDir) || "
            f"!{cel_list(RESERVED_NAMES)}.exists(name, {_cel_folder('self.configDir')}"
            f".startsWith({_DATA} + name + '/')))",
            "spec.config.dynamicConfig and configDir must not have the names of what a server "
            f"keeps in its data directory itself: {', '.join(RESERVED_NAMES)}.",
            _takes_no_reserved_name,
        ),
        Rule(
            f"!(self.staticConfig in {cel_list(LOGGING_FILES)})",
            "spec.config.staticConfig has the name of a file with the logging configuration. "
            "Choose another one, such as zoo.cfg.",
            lambda it: it.static_config not in LOGGING_FILES,
        ),
        Rule(
            "self.staticConfig != self.dynamicConfig",
            "spec.config.staticConfig and spec.config.dynamicConfig must be two different files.",
            lambda it: it.static_config != it.dynamic_config,
        ),
        Rule(
            "self.minSessionTimeout <= self.maxSessionTimeout",
            "spec.config.minSessionTimeout must not be above spec.config.maxSessionTimeout.",
            lambda it: it.min_session_timeout <= it.max_session_timeout,
        ),
        immutable(
            "self.clientPort == oldSelf.clientPort && self.followerPort == oldSelf.followerPort "
            "&& self.leaderElectionPort == oldSelf.leaderElectionPort",
            "spec.config.clientPort, followerPort and leaderElectionPort cannot change: they are "
            "part of every server's entry in the ensemble's member list, and the servers would "
            "not find each other while they move. Create a new cluster and restore a backup.",
        ),
        immutable(
            f"{_DATA} == {_cel_folder('oldSelf.dataDir')} && "
            "self.dynamicConfig == oldSelf.dynamicConfig && "
            f"{_cel_config_folder('self')} == {_cel_config_folder('oldSelf')}",
            "spec.config.dataDir, configDir and dynamicConfig cannot change: the servers' data and "
            "member list are there, and a server that looks elsewhere finds nothing.",
        ),
    )

    client_port: Port = 2181
    """The port clients connect to. Fixed once the cluster exists."""
    follower_port: Port = 2888
    """The port followers use to reach the leader. Fixed once the cluster exists."""
    leader_election_port: Port = 3888
    """The port servers use to elect a leader. Fixed once the cluster exists."""
    data_dir: AbsolutePath = "/data"
    """Where the volume with snapshots and logs is mounted. Fixed once the cluster exists."""
    raw_config_dir: AbsolutePath = "/conf"
    """Where the rendered configuration is mounted, read-only."""
    config_dir: AbsolutePath = Field(default_factory=lambda data: f"{_data_dir(data)}/conf")
    """The writable configuration directory on the data volume. Default: `<dataDir>/conf`."""
    static_config: FileName = "zoo.cfg"
    """The name of the static configuration file."""
    dynamic_config: FileName = "zoo.cfg.dynamic"
    """The name of the file with the member list. Fixed once the cluster exists."""

    tick_time: Annotated[PositiveCount, Field(ge=100, le=60000)] = 2000
    """Milliseconds of one tick, the unit of the two limits below."""
    init_limit: PositiveCount = 10
    """Ticks a follower may take to connect to the leader and copy its data."""
    sync_limit: PositiveCount = 5
    """Ticks a follower may lag behind the leader before it is dropped."""
    max_client_cnxns: Count = 60
    """Connections one client address may hold to one server. 0 means no limit."""
    min_session_timeout: PositiveCount = 4000
    """The shortest session timeout a client gets, in milliseconds."""
    max_session_timeout: PositiveCount = 40000
    """The longest session timeout a client gets, in milliseconds."""
    snap_count: Annotated[PositiveCount, Field(ge=2)] = 10000
    """Transactions between two snapshots."""
    pre_alloc_size: PositiveCount = 65536
    """Kilobytes a transaction log file grows by."""
    commit_log_count: PositiveCount = 500
    """Committed requests kept in memory, so that a server a little behind need not copy all."""
    global_outstanding_limit: PositiveCount = 1000
    """Requests that may wait in a server before clients are slowed down."""
    snap_size_limit_in_kb: PositiveCount = 1048576
    """Kilobytes of transaction log after which a snapshot is taken whatever their number. The
    default keeps what is retained well within a default volume."""
    max_cnxns: Count = 0
    """Connections one server accepts in all. 0 means no limit."""
    autopurge: Autopurge = Autopurge()
    """How old snapshots and transaction logs are removed."""
    quorum_listen_on_all_ips: Bool = Field(default=False, alias="quorumListenOnAllIPs")
    """Listen for other servers on all addresses of the pod; some service meshes need it."""
    additional_config: AdditionalConfig = NONE_GIVEN
    """Further lines of zoo.cfg, key to value. Keys that keep the data safe, and keys that have a
    field of their own, are refused."""


def _data_dir(data: dict[str, object]) -> str:
    return str(data.get("data_dir", "/data")).rstrip("/")
