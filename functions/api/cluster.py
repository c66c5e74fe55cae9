"""ZooKeeperCluster: one ensemble, as its owner describes it and as the functions report it."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from functions.api.config import Config
from functions.api.exposure import (
    AdminServer,
    ClientService,
    DisruptionBudget,
    Metrics,
    NetworkPolicy,
)
from functions.api.kinds import CLUSTER, Kind
from functions.api.login import LOGIN_RULES, Login
from functions.api.pod import (
    DEFAULT_RESOURCES,
    Environment,
    ImagePullSecrets,
    JvmFlag,
    Pod,
    Probes,
    Resources,
)
from functions.api.ports import PORT_RULES
from functions.api.resource import CustomResource
from functions.api.rules import Rule, Spec, immutable
from functions.api.status import ClusterStatus
from functions.api.storage import Storage
from functions.api.super_user import SuperUser
from functions.api.tls import TLS_RULES, Tls
from functions.api.values import (
    NONE_GIVEN,
    Bool,
    Count,
    DomainName,
    Labels,
    PositiveCount,
    Quantity,
    Time,
    is_short,
    quantity,
)

DEFAULT_VERSION = "3.9.5"
OFFICIAL_IMAGE = "zookeeper"
# A StatefulSet writes `<name>-<hash of ten>` into a label of at most 63 characters.
LONGEST_NAME = 52

Image = Annotated[str, Field(max_length=512, pattern=r"^\S*$")]


class Recovery(Spec):
    """A person's decision to go on after a majority of disks was lost."""

    incident: Annotated[str, Field(min_length=1, max_length=128)]
    """The id in status.incident. Any other value has no effect."""
    continue_from: Annotated[str, Field(min_length=1, max_length=63)]
    """The pod whose data the ensemble continues from."""


def _tag(image: str) -> str:
    """Return the tag of an image reference, without registry port and digest."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]


def _version_in(image: str) -> str | None:
    """Return the ZooKeeper version an image's tag states, such as 3.9.5 or 3.8."""
    found = re.match(r"v?(3\.[0-9]+(?:\.[0-9]+)?)(?![0-9])", _tag(image))
    return found[1] if found else None


def _is_supported(version: str) -> bool:
    major, minor = version.split(".")[:2]
    return (int(major), int(minor)) >= (3, 6)


def _image_supported(it: ClusterSpec) -> bool:
    stated = _version_in(it.image or "")
    return it.version is not None or stated is None or _is_supported(stated)


def _version_agrees(it: ClusterSpec) -> bool:
    stated = _version_in(it.image or "")
    return it.version is None or stated is None or stated.count(".") < 2 or stated == it.version


def _heap_fits(it: ClusterSpec) -> bool:
    limit = it.resources.limits.get("memory")
    return it.heap is None or limit is None or quantity(it.heap) < quantity(limit)


_MEMORY_LIMIT = "self.resources.limits['memory']"
_TAG = "self.image.split('@')[0]"


class ClusterSpec(Spec):
    """The ensemble that is wanted."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"has(self.version) || !has(self.image) || "
            f"!{_TAG}.matches(':v?3[.][0-5]([^0-9][^/]*)?$')",
            "spec.image is a ZooKeeper older than 3.6. Servers from 3.6 on are supported: earlier "
            "ones cannot be kept from starting empty. Choose an image such as zookeeper:3.9.5.",
            _image_supported,
        ),
        Rule(
            f"!has(self.version) || !has(self.image) || "
            f"!{_TAG}.matches(':v?3[.][0-9]+[.][0-9]+([^0-9][^/]*)?$') || "
            f"{_TAG}.matches(':v?' + self.version.replace('.', '[.]') + '([^0-9][^/]*)?$')",
            "spec.version and the tag of spec.image name two different ZooKeeper versions: change "
            "both together, or leave one of them out.",
            _version_agrees,
        ),
        Rule(
            "!has(self.heap) || !has(self.resources.limits) || "
            "!('memory' in self.resources.limits) || "
            f"!({is_short('self.heap')}) || !({is_short(_MEMORY_LIMIT)}) || "
            "quantity(string(self.heap)).isLessThan("
            f"quantity(string({_MEMORY_LIMIT})))",
            "spec.heap must be below spec.resources.limits.memory: the JVM needs memory beside its "
            "heap. Leave heap out to have it follow the limit.",
            _heap_fits,
        ),
        *PORT_RULES,
        *TLS_RULES,
        *LOGIN_RULES,
        Rule(
            "self.replicas + self.observers <= 254",
            "spec.replicas and spec.observers together are more than 254: a server's id is a "
            "number up to 255, and the last is left free.",
            lambda it: it.replicas + it.observers <= 254,
        ),
        Rule(
            "!has(self.heap) || !has(self.jvmFlags) || "
            "!self.jvmFlags.exists(flag, flag.startsWith('-Xmx'))",
            "spec.heap and a flag -Xmx in spec.jvmFlags both set the heap: keep spec.heap.",
            lambda it: it.heap is None or not any(flag.startswith("-Xmx") for flag in it.jvm_flags),
        ),
        Rule(
            "!self.stopped || !self.storage.ephemeral",
            "spec.stopped would lose all data of a cluster with spec.storage.ephemeral: its disks "
            "go with its pods. Delete the cluster instead if the data is not needed.",
            lambda it: not it.stopped or not it.storage.ephemeral,
        ),
        immutable(
            "self.clusterDomain == oldSelf.clusterDomain",
            "spec.clusterDomain cannot change: it is part of every server's name in the ensemble's "
            "member list. Create a new cluster and restore a backup into it.",
        ),
    )

    image: Image | None = None
    """The server image. Default: the official image of `version`."""
    version: (
        Annotated[
            str,
            Field(max_length=32),
            Rule(
                "self.matches('^(3[.]([6-9]|[1-9][0-9]+)|[4-9][.][0-9]+)[.][0-9]+$')",
                "This must be a full ZooKeeper version from 3.6 on, such as 3.9.5: earlier servers "
                "cannot be kept from starting empty.",
                lambda text: (
                    re.fullmatch(r"(3\.([6-9]|[1-9][0-9]+)|[4-9]\.[0-9]+)\.[0-9]+", text)
                    is not None
                ),
            ),
        ]
        | None
    ) = None
    """The ZooKeeper version. Default: what the image's tag says, or 3.9.5 without an image. Give
    it when the image's tag does not tell. A change rolls the servers."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    """When nodes pull the images. Default: Kubernetes' own."""
    image_pull_secrets: ImagePullSecrets = ()
    """Secrets with the credentials of image registries."""
    helper_image: Image | None = None
    """The image of the programs that run beside a server. Default: the functions' own."""
    labels: Labels = NONE_GIVEN
    """Further labels for every object that is made for the cluster."""
    replicas: Annotated[
        PositiveCount,
        Field(le=254),
        Rule(
            "self >= 1",
            "To run no server for a while, set spec.stopped to true instead: the volumes and the "
            "member list stay.",
            lambda count: count >= 1,
        ),
    ] = 3
    """How many servers vote. An odd number: an even one costs more and tolerates no more."""
    observers: Annotated[Count, Field(le=253)] = 0
    """How many servers serve reads without a vote, beside the voters."""
    cluster_domain: DomainName = "cluster.local"
    """The DNS domain of the Kubernetes cluster. Fixed once the cluster exists."""
    clear_persistence: Bool = False
    """Delete the volumes together with this object. Otherwise they stay."""
    config: Config = Config()
    """Ports, paths and settings of the ZooKeeper servers."""
    storage: Storage = Storage()
    """Where the servers keep their data."""
    resources: Resources = DEFAULT_RESOURCES
    """CPU and memory of each server."""
    heap: Quantity | None = None
    """The JVM's largest heap, such as 1Gi. Default: a share of the memory limit, else of the
    request."""
    env: Environment = ()
    """Further environment variables of the ZooKeeper container."""
    jvm_flags: Annotated[tuple[JvmFlag, ...], Field(max_length=64)] = ()
    """Further flags for the JVM, one each."""
    log_level: Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR"] = "INFO"
    """How much the servers log. Logs go to the standard output."""
    pod: Pod = Pod()
    """Where and how the servers' pods run."""
    probes: Probes = Probes()
    """The timings of the probes."""
    client_service: ClientService = ClientService()
    """The Service clients connect to."""
    admin_server: AdminServer = AdminServer()
    """ZooKeeper's AdminServer."""
    super_user: SuperUser = SuperUser()
    """The user that alone may change the ensemble's member list."""
    network_policy: NetworkPolicy = NetworkPolicy()
    """Who may reach the servers."""
    metrics: Metrics = Metrics()
    """Metrics for Prometheus."""
    tls: Tls = Tls()
    """Encryption between clients and servers, and among the servers. Default: none."""
    login: Login = Login()
    """Users and passwords for clients. Default: none; clients need not say who they are."""
    disruption_budget: DisruptionBudget = DisruptionBudget()
    """The PodDisruptionBudget."""
    paused: Bool = False
    """Leave the cluster alone: nothing is changed, only status is kept."""
    stopped: Bool = False
    """Run no server. The volumes and the member list stay; false starts them again. Not with
    ephemeral storage, whose disks go with the pods."""
    restarted_at: Time | None = None
    """A time; each new value restarts the servers one by one, for example 2026-01-31T12:00:00Z."""
    recovery: Recovery | None = None
    """A person's decision to go on after a majority of disks was lost."""


NAME_RULE = Rule(
    f"size(self.metadata.name) <= {LONGEST_NAME} && "
    "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    f"metadata.name must be at most {LONGEST_NAME} characters: lower-case letters, digits and "
    "dashes, a letter first and no dash at the end. Names of pods and Services are made of it.",
)


class ZooKeeperCluster(CustomResource):
    """A ZooKeeper ensemble."""

    spec: ClusterSpec
    """The ensemble that is wanted."""
    status: ClusterStatus = ClusterStatus()
    """What is known of the cluster."""

    @property
    def kind(self) -> Kind:
        return CLUSTER

    def zookeeper_version(self) -> str | None:
        """Return the version as far as the spec tells it: 3.9.5, 3.8, or None (a digest)."""
        if self.spec.version is not None:
            return self.spec.version
        return _version_in(self.spec.image) if self.spec.image else DEFAULT_VERSION

    def zookeeper_image(self) -> str:
        """Return the image of the servers."""
        return self.spec.image or f"{OFFICIAL_IMAGE}:{self.spec.version or DEFAULT_VERSION}"
