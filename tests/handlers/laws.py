"""What must hold of a world whatever happens to it, and when two worlds count as the same."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from functions.adapters.memory.kube import OPTIONAL
from functions.api.errors import FunctionError
from functions.api.kinds import CLUSTER, EVENT, KINDS, PERSISTENT_VOLUME_CLAIM, STATEFUL_SET
from functions.api.manifest import Manifest

_KINDS = [kind for kind in KINDS.values() if kind not in {EVENT, *OPTIONAL}]
# As the twin gives them.
_UID = re.compile(r"00000000-0000-0000-0000-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_ADDRESS = re.compile(r"10\.244\.\d+\.\d+")

# Who leads is the servers' business: which of them do so is not decided by us.
_OURS_TO_SEE = {"leader": "serves", "follower": "serves"}

# Of the cluster's status, who may write what (DESIGN section 3).
SLICES = {
    "reconcile-cluster": {
        "f:service", "f:selector", "f:endpoints", "f:observedGeneration",
        "Reconciled", "SpecSafe", "Secured", "UsersKnown",
    },
    "observe": {
        "f:servers", "f:replicas", "f:readyReplicas", "f:leader", "f:version",
        "Available", "QuorumHealthy",
    },
    "scale": {"f:bootstrap", "f:members", "f:incident", "f:recovery", "Scaled"},
    "roll": {"Updated"},
    "zookeeper-operation": {"f:operation"},
    "restore": {"f:restored"},
}  # fmt: skip


def objects(simulation: Any) -> list[Manifest]:
    """Return every object but the Events."""
    return [item for kind in _KINDS for item in simulation.kube.stored(kind)]


def end_state(simulation: Any) -> str:
    """Return the world as text, without what chance decides: uids, versions, times, the leader."""
    found = objects(simulation)
    names = {item["metadata"]["uid"]: _path(item) for item in found}
    disks = {names.get(uid, "gone"): disk.is_empty for uid, disk in simulation.disks.items()}
    told = {
        "disks": {name: empty for name, empty in sorted(disks.items()) if name != "gone"},
        "markers": sorted(names.get(uid, "gone") for uid in simulation.markers),
    }
    text = "\n".join([*map(_text, found), _as_text(told)])
    return _UID.sub(lambda uid: names.get(uid[0], "gone"), text)


# The text of what is stored, with the object so that no other one gets its id: most of a world is
# the same as the one before.
_texts: dict[int, tuple[Manifest, str]] = {}


def _text(item: Manifest) -> str:
    if id(item) not in _texts:
        if len(_texts) > 10_000:
            _texts.clear()
        text = _as_text(_stripped(item))
        _texts[id(item)] = item, _ADDRESS.sub("address", _TIME.sub("time", text))
    return _texts[id(item)][1]


def _as_text(told: Any) -> str:
    return json.dumps(told, separators=(",\n", ": "), sort_keys=True)


def whole_state(simulation: Any) -> str:
    """Return the world as text with everything that decides how it goes on."""
    servers = [
        (server.id, server.host, server.is_up, server.has_data, ensemble.leader)
        for ensemble in simulation.zookeeper.ensembles
        for server in ensemble.servers.values()
    ]
    return end_state(simulation) + repr(servers)


def _path(item: Manifest) -> str:
    metadata = item["metadata"]
    return f"{item['kind']}/{metadata.get('namespace')}/{metadata['name']}"


def _stripped(item: Manifest) -> Manifest:
    metadata = {k: v for k, v in item["metadata"].items() if k != "resourceVersion"}
    fields = metadata.get("managedFields", [])
    metadata["managedFields"] = sorted(fields, key=lambda entry: str(sorted(entry.items())))
    status = dict(item.get("status", {}))
    if item["kind"] == CLUSTER.name:
        status.pop("leader", None)
        status["servers"] = [
            {**server, "mode": _OURS_TO_SEE.get(server["mode"], server["mode"])}
            for server in status.get("servers", [])
        ]
        status["conditions"] = sorted(status.get("conditions", []), key=lambda c: str(c["type"]))
    return {**item, "metadata": metadata, "status": status}


def check_invariants(simulation: Any) -> None:
    """Check what must be so after every single step."""
    clusters = simulation.kube.stored(CLUSTER)
    assert simulation.jobs.volumes.mixes == []
    assert max(Counter(simulation.markers).values(), default=1) == 1, "a second marker for a volume"
    for cluster in clusters:
        _check_record(simulation, cluster)
        _check_owners(cluster, "status", SLICES)
    for found in simulation.kube.stored(STATEFUL_SET):
        writers = {"scale": {"f:replicas"}}
        for entry in found["metadata"].get("managedFields", []):
            if entry["manager"] in ("reconcile-cluster", "scale"):
                has_replicas = "f:replicas" in entry["fieldsV1"].get("f:spec", {})
                assert not has_replicas or entry["manager"] in writers, "replicas are scale's"


def _check_record(simulation: Any, cluster: Manifest) -> None:
    record = cluster.get("status", {}).get("bootstrap")
    namespace, name = cluster["metadata"]["namespace"], cluster["metadata"]["name"]
    sets = [
        found
        for found in simulation.kube.list(STATEFUL_SET, namespace)
        if found["metadata"]["name"] == name
    ]
    if record is None:
        return
    members = cluster["status"].get("members") or record["members"]
    for found in sets:
        is_enough = found["spec"]["replicas"] >= max(member["id"] for member in members)
        assert is_enough or _is_asleep(cluster, found), "fewer pods than members"
    if record["state"] != "adopted":
        claims = simulation.kube.list(PERSISTENT_VOLUME_CLAIM, namespace)
        recorded = {volume["uid"] for volume in record.get("volumes", [])} | simulation.let_in
        here = {c["metadata"]["uid"] for c in claims if c["metadata"]["name"].endswith(f"-{name}")}
        marked = set(simulation.markers) & here
        assert marked <= recorded, "a marker on a volume that is not on record"


def _is_asleep(cluster: Manifest, found: Manifest) -> bool:
    """Whether no pod is asked for on purpose: stopped, or not woken yet."""
    seen = {c["type"]: c["reason"] for c in cluster["status"].get("conditions", [])}
    is_told = seen.get("Scaled") in ("Stopping", "Stopped", "Scaling", "Restoring")
    # spec.paused says so instead, and leaves a restore where it is.
    operation: Manifest = cluster["status"].get("operation", {})
    is_held = operation.get("type") == "Restore"
    is_stopped = bool(cluster["spec"].get("stopped", False))
    return found["spec"]["replicas"] == 0 and (is_stopped or is_told or is_held)


def _check_owners(cluster: Manifest, part: str, slices: dict[str, set[str]]) -> None:
    for entry in cluster["metadata"].get("managedFields", []):
        fields = entry["fieldsV1"].get(f"f:{part}", {})
        written = {name for name in fields if name != "f:conditions"}
        conditions = fields.get("f:conditions", {})
        written |= {json.loads(key[2:])["type"] for key in conditions if key.startswith("k:")}
        if entry["manager"] in slices:
            assert written <= slices[entry["manager"]], f"{entry['manager']} wrote {written}"
        else:
            assert not written, f"{entry['manager']} wrote {written}"


def outside_calls(simulation: Any, deliver: Callable[[], Any], most: int = 60) -> list[bool]:
    """Deliver once; return for each outside call that it made whether it was a write."""
    simulation.faults.reset()
    written: list[int] = [len(simulation.kube.writes)]
    for call in range(1, most):
        simulation.faults.at(call, lambda: written.append(len(simulation.kube.writes)))
    assert deliver().status == 204
    assert simulation.faults.calls < most
    simulation.faults.reset()
    return [later > before for before, later in itertools.pairwise(written)]


def deliver_failing(
    simulation: Any, deliver: Callable[[], Any], call: int, error: FunctionError, after: bool
) -> None:
    """Deliver once while one outside call fails, before it takes effect or after."""
    simulation.faults.reset()
    simulation.faults.fail_at(call, error, after=after)
    assert deliver().status in (204, 409, 503)
    simulation.faults.reset()
