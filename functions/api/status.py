"""`status`: what the functions report. Each field has exactly one writer (docs/concepts.md)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from functions.api.rules import Status
from functions.api.values import Count, Int, PositiveCount, list_map

ATOMIC = {"x-kubernetes-map-type": "atomic"}
Zxid = Annotated[Int, Field(json_schema_extra={"format": "int64"})]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Server(Status):
    """What was seen of one server."""

    name: str
    """The pod's name."""
    my_id: str = ""
    """The server's id in the ensemble."""
    mode: str = "unknown"
    """leader, follower, observer, standalone, or unknown while it serves nobody."""
    ready: str = "false"
    """The text true when the server serves in a quorum."""
    message: str = ""
    """Why it does not, where that is known."""


class BootstrapMember(Status):
    """One server of the first member list."""

    id: PositiveCount
    """Its id."""
    name: str
    """Its pod's name."""


class BootstrapVolume(Status):
    """One volume that was empty when the cluster was created."""

    name: str
    """The claim's name, or the pod's for ephemeral storage."""
    uid: str
    """Its uid: another volume of that name is not this one."""


class Bootstrap(Status):
    """The one first creation of the ensemble: only what is recorded here may start empty."""

    state: Literal["open", "completed", "adopted"]
    """open until a quorum was seen, then completed; adopted when the servers were there before."""
    members: tuple[BootstrapMember, ...] = ()
    """The first member list."""
    volumes: tuple[BootstrapVolume, ...] = ()
    """The volumes that may take part in it although they are empty."""


class MemberStatus(Status):
    """One entry of the ensemble's committed member list."""

    id: PositiveCount
    """The server's id."""
    name: str | None = None
    """The pod's name."""
    role: str = "participant"
    """participant (votes) or observer."""
    config_version: Zxid | None = None
    """The version of the list this entry was read from or written to."""


class Operation(Status):
    """The one step under way. While it is here, only its owner moves servers."""

    type: str
    """What is being done: Bootstrap, Scale, Roll, Restore, Recover, Start or Stop."""
    target: str = ""
    """What it is done to, in words."""
    step: str = ""
    """The step in flight."""
    started_at: Time | None = None
    """When the step began."""
    owner_uid: str | None = None
    """The uid of the object it belongs to, for a restore; without that object it is void."""
    pod_uid: str | None = None
    """The pod that is being replaced."""
    server_id: PositiveCount | None = None
    """The server whose membership is being changed."""
    config_version: Zxid | None = None
    """The version of the member list the step started from."""
    replicas: Count | None = None
    """The number of pods the step needs."""
    message: str | None = None
    """What it waits for. With it, other movers may go first."""


class RecoveryVolume(Status):
    """One empty volume that may vote, so that the ensemble can go on after a lost majority."""

    name: str
    """The claim's name, or the pod's for ephemeral storage."""
    uid: str | None = None
    """Its uid: another volume of that name is not this one. Ephemeral storage has one only once
    its new pod is there."""
    replaces: str | None = None
    """The uid of the pod that runs there without a vote, and is replaced for that."""


class RecoveryStatus(Status):
    """A recovery under way, as a person accepted it."""

    incident: str
    """The lost majority it ends."""
    continue_from: str
    """The pod whose data the ensemble continues from."""
    volumes: tuple[RecoveryVolume, ...] = ()
    """The volumes that may vote although they are empty: as many as the quorum lacks."""


class Endpoints(Status):
    """Where the cluster can be reached."""

    client: str | None = None
    """host:port for clients inside Kubernetes; that of TLS where they are taken by TLS alone."""
    secure_client: str | None = None
    """host:port for clients that speak TLS, with spec.tls.client."""
    external: str | None = None
    """host:port for clients outside, where the client Service has one."""
    admin: str | None = None
    """The AdminServer, where it is enabled."""
    metrics: str | None = None
    """The metrics, where they are enabled."""


class Condition(Status):
    """One condition, in Kubernetes' standard shape."""

    type: Annotated[str, Field(max_length=316)]
    """Available, QuorumHealthy, Reconciled, Scaled, Updated, Secured, UsersKnown; a warning has its
    own."""
    status: Literal["True", "False", "Unknown"]
    """True, False or Unknown."""
    reason: Annotated[str, Field(max_length=1024)] = ""
    """The reason in one word."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """The reason in a sentence."""
    last_transition_time: Time | None = None
    """When the status last changed."""
    observed_generation: Annotated[Count, Field(json_schema_extra={"format": "int64"})] | None = (
        None
    )
    """The generation of the object that was looked at."""


class ClusterStatus(Status):
    """What is known of the cluster."""

    replicas: Count | None = None
    """How many servers the spec asks for."""
    ready_replicas: Count | None = None
    """How many servers serve in a quorum."""
    service: str | None = None
    """The DNS name of the headless Service, the domain of the servers' names."""
    servers: Annotated[tuple[Server, ...], Field(json_schema_extra=list_map("name"))] = ()
    """What was seen of each server."""
    observed_generation: Annotated[Int, Field(json_schema_extra={"format": "int64"})] | None = None
    """The generation of the spec that the owned objects follow."""
    leader: str | None = None
    """The pod of the leader."""
    version: str | None = None
    """The ZooKeeper version the servers report; the oldest while they differ."""
    endpoints: Annotated[Endpoints, Field(json_schema_extra=ATOMIC)] | None = None
    """Where the cluster can be reached."""
    selector: str | None = None
    """The label selector of the pods, for autoscalers."""
    bootstrap: Annotated[Bootstrap, Field(json_schema_extra=ATOMIC)] | None = None
    """The one first creation of the ensemble."""
    members: Annotated[
        tuple[MemberStatus, ...], Field(json_schema_extra={"x-kubernetes-list-type": "atomic"})
    ] = ()
    """The ensemble's member list as last committed."""
    operation: Annotated[Operation, Field(json_schema_extra=ATOMIC)] | None = None
    """The one step under way."""
    conditions: Annotated[tuple[Condition, ...], Field(json_schema_extra=list_map("type"))] = ()
    """How the cluster is."""
    incident: str | None = None
    """The id of a lost majority, to be quoted in spec.recovery by whoever decides to go on."""
    recovery: Annotated[RecoveryStatus, Field(json_schema_extra=ATOMIC)] | None = None
    """The recovery under way, from the moment it was accepted until a quorum serves."""
    restored: str | None = None
    """The uid of the ZooKeeperRestore that the ensemble's data comes from. From the moment it is
    here there is no way back from that restore, and data of any other history is put aside."""
