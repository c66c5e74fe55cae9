"""For every alert: series on which it must fire, and series on which it must not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ONE = 'namespace="apps",zkcluster="zk"'
POD = f'{ONE},pod="zk-0"'
OF_POD = "{" + POD + "}"
DATA = "{" + POD + ',volume="data"}'
HEAP = "{" + POD + ',area="heap"}'
SERVING = "zookeeper_server_serving"
CONDITION = "zookeeper_cluster_condition"
EVENTS = "zookeeper_function_events_total"


@dataclass(frozen=True, slots=True)
class Case:
    """Series, one value a minute, and whether the alert fires at a minute."""

    alert: str
    why: str
    minute: int
    series: Mapping[str, str]
    fires: bool


def _servers(*values: str, **also: str) -> dict[str, str]:
    return {
        f'{SERVING}{{{ONE},pod="zk-{n}"}}': f"{value}x60" for n, value in enumerate(values)
    } | also


def _condition(kind: str, status: str, reason: str) -> dict[str, str]:
    labels = f'{ONE},type="{kind}",status="{status}",reason="{reason}"'
    return {f"{CONDITION}{{{labels}}}": "1x60"}


def _backup(kind: str, status: str, reason: str) -> dict[str, str]:
    labels = f'namespace="apps",zkbackup="b",type="{kind}",status="{status}",reason="{reason}"'
    return {f"zookeeper_backup_condition{{{labels}}}": "1x60"}


def _restore(status: str, value: str) -> dict[str, str]:
    labels = f'namespace="apps",zkrestore="r",step="Stage",status="{status}"'
    return {f"zookeeper_restore_step_start_seconds{{{labels}}}": value}


def _events(function: str, code: str, values: str) -> dict[str, str]:
    return {f'{EVENTS}{{function="{function}",code="{code}",pod="p"}}': values}


def _left(value: int) -> dict[str, str]:
    available, size = (f"zookeeper_volume_{part}_bytes{DATA}" for part in ("available", "size"))
    return {available: f"{value}x60", size: "100x60"}


def _mean(summary: str, milliseconds: int) -> dict[str, str]:
    """Return a summary of 60 observations a minute, each of so many milliseconds."""
    return {
        f"{summary}_count{OF_POD}": "0+60x60",
        f"{summary}_sum{OF_POD}": f"0+{60 * milliseconds}x60",
    }


def _pair(alert: str, minute: int, fires: dict[str, str], quiet: dict[str, str]) -> list[Case]:
    return [
        Case(alert, "must", minute, fires, fires=True),
        Case(alert, "must not", minute, quiet, fires=False),
    ]


def _heap(values: str) -> dict[str, str]:
    return {f"jvm_memory_bytes_used{HEAP}": values, f"jvm_memory_bytes_max{HEAP}": "100x60"}


def _descriptors(opened: int) -> dict[str, str]:
    return {
        f"open_file_descriptor_count{OF_POD}": f"{opened}x60",
        f"max_file_descriptor_count{OF_POD}": "1000x60",
    }


def _operation(values: str) -> dict[str, str]:
    labels = "{" + ONE + ',operation="Roll"}'
    return {f"zookeeper_cluster_operation_start_seconds{labels}": values}


# The rules are those of apps/zk with three servers. Time begins at 0 in these series.
CASES = [
    *_pair("ZooKeeperNoQuorum", 2, _servers("0", "0", "0"), _servers("1", "0", "0")),
    *_pair("ZooKeeperServerNotInQuorum", 11, _servers("1", "1", "0"), _servers("1", "1", "1")),
    Case("ZooKeeperServerNotInQuorum", "a pod is gone", 11, _servers("1", "1"), True),
    Case("ZooKeeperServerNotInQuorum", "one restarts", 9, _servers("1", "1", "0"), False),
    Case("ZooKeeperServerNotInQuorum", "none serves", 11, _servers("0", "0", "0"), False),
    *_pair("ZooKeeperNotSeen", 11, {"up": "1x60"}, _servers("0")),
    *_pair("ZooKeeperDiskFilling", 16, _left(19), _left(21)),
    *_pair("ZooKeeperDiskFull", 2, _left(4), _left(6)),
    *_pair("ZooKeeperHeapFilling", 25, _heap("90x60"), _heap("95 40 95 95 40 95 95 40 95x60")),
    Case("ZooKeeperHeapFilling", "collected now and then", 25, _heap("95 95 30 " * 20), False),
    *_pair("ZooKeeperFileDescriptors", 6, _descriptors(810), _descriptors(790)),
    *_pair("ZooKeeperSlow", 17, _mean("updatelatency", 250), _mean("updatelatency", 150)),
    Case("ZooKeeperSlow", "nobody writes", 17, _mean("readlatency", 250), False),
    *_pair("ZooKeeperDiskSlow", 17, _mean("fsynctime", 150), _mean("fsynctime", 50)),
    *_pair(
        "ZooKeeperRequestsPileUp",
        6,
        {f"outstanding_requests{OF_POD}": "150x60"},
        {f"outstanding_requests{OF_POD}": "150 150 0 150 150 0 150 150 0 150"},
    ),
    *_pair(
        "ZooKeeperUnavailable",
        3,
        _condition("Available", "False", "NoQuorum"),
        _condition("Available", "True", "QuorumServes"),
    ),
    Case("ZooKeeperUnavailable", "unknown", 3, _condition("Available", "Unknown", "Far"), True),
    Case("ZooKeeperUnavailable", "asleep", 3, _condition("Available", "False", "Stopped"), False),
    *_pair(
        "ZooKeeperNotAsWanted",
        31,
        _condition("Updated", "False", "PodNotHealthy"),
        _condition("Updated", "True", "AsWanted"),
    ),
    Case("ZooKeeperNotAsWanted", "it rolls", 20, _condition("Updated", "False", "Rolling"), False),
    Case("ZooKeeperNotAsWanted", "paused", 31, _condition("Scaled", "False", "Paused"), False),
    *_pair("ZooKeeperOperationStuck", 40, _operation("0x60"), _operation("0+60x60")),
    *_pair(
        "ZooKeeperBackupTooOld",
        16,
        _backup("Recent", "False", "TooOld"),
        _backup("Recent", "False", "NoBackupYet"),
    ),
    *_pair(
        "ZooKeeperBackupFailed",
        6,
        {'zookeeper_backup_failures{namespace="apps",zkbackup="b"}': "2x60"},
        {'zookeeper_backup_failures{namespace="apps",zkbackup="b"}': "0x60"},
    ),
    *_pair("ZooKeeperRestoreFailed", 3, _restore("failed", "0x60"), _restore("running", "0x60")),
    *_pair("ZooKeeperRestoreStuck", 70, _restore("running", "0x90"), _restore("failed", "0x90")),
    *_pair(
        "ZooKeeperDeadLetters",
        30,
        _events("dead-letter", "204", "0x20 1x40"),
        _events("dead-letter", "204", "5x60"),
    ),
    Case(
        "ZooKeeperDeadLetters", "a function that just started", 30,
        _events("dead-letter", "204", "_x22 1x8"), True,
    ),
    Case("ZooKeeperDeadLetters", "others' events", 30, _events("roll", "204", "0+9x60"), False),
    *_pair(
        "ZooKeeperFunctionFails",
        30,
        _events("roll", "500", "0x20 1x40"),
        _events("roll", "503", "0+1x60"),
    ),
    *_pair(
        "ZooKeeperNobodyLooks",
        20,
        {"zookeeper_resync_seconds": "60+60x5 360x60"},
        {"zookeeper_resync_seconds": "0+60x60"},
    ),
    Case("ZooKeeperNobodyLooks", "it is not there at all", 6, {"up": "1x60"}, True),
]  # fmt: skip
