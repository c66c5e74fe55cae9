"""How clients, people and Prometheus reach a cluster, and how drains are held back."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from functions.api.rules import Spec
from functions.api.values import NONE_GIVEN, Bool, Labels, PassedOn, Port, StringMap


class ClientService(Spec):
    """The Service clients connect to; it leads to servers that serve in a quorum."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    """How far the Service reaches."""
    annotations: StringMap = NONE_GIVEN
    """Annotations for the Service, for example for a load balancer."""


# Each says where connections may come from, as in the `from` of a NetworkPolicy.
Peers = Annotated[tuple[PassedOn, ...], Field(max_length=64)]


class NetworkPolicy(Spec):
    """Who may reach the servers, where the network of the Kubernetes cluster enforces it.

    The servers reach each other, and the functions reach the servers, whatever is said here.
    """

    enabled: Bool = True
    """Whether to keep a NetworkPolicy. Others that select the servers' pods count beside it."""
    clients: Peers = ()
    """Where clients may come from (podSelector, namespaceSelector, ipBlock). Empty: anywhere."""
    metrics: Peers = ()
    """Who may read the metrics. Empty: anybody."""
    agents: Peers = ()
    """Who may ask the agents beside the servers. Empty: anybody."""
    admin_server: Peers = ()
    """Who may reach the AdminServer beside backups. Empty: nobody."""
    additional_ports: Annotated[tuple[Port, ...], Field(max_length=16)] = ()
    """Further ports that are open to anybody, such as one that jvmFlags open for JMX."""


class AdminServer(Spec):
    """ZooKeeper's AdminServer (HTTP). Off by default: it cannot tell who asks."""

    enabled: Bool = False
    """Whether the servers run it."""
    port: Port = 8080
    """Its port."""


class ServiceMonitor(Spec):
    """The ServiceMonitor for the Prometheus operator, made where that kind exists."""

    enabled: Bool = True
    """Whether to make one."""
    labels: Labels = NONE_GIVEN
    """Labels by which your Prometheus selects it."""
    interval: Annotated[str, Field(pattern=r"^([0-9]+(ms|s|m|h))+$", max_length=16)] = "30s"
    """How often Prometheus asks, for example 30s."""


class PrometheusRule(Spec):
    """The alert rules for the Prometheus operator, made where that kind exists."""

    enabled: Bool = True
    """Whether to make them."""
    labels: Labels = NONE_GIVEN
    """Labels by which your Prometheus selects them."""


class Metrics(Spec):
    """Metrics for Prometheus: ZooKeeper's own where the image has them, else the agent's."""

    enabled: Bool = True
    """Whether metrics are served."""
    port: Port = 7000
    """The port of ZooKeeper's own; the agent's are on its port, 1988."""
    exporter_image: Annotated[str, Field(max_length=512)] | None = None
    """Without effect: where an exporter is needed, the agent beside each server is it."""
    exporter_probes: Bool = True
    """Without effect, as exporterImage."""
    service_monitor: ServiceMonitor = ServiceMonitor()
    """The ServiceMonitor for the Prometheus operator."""
    prometheus_rule: PrometheusRule = PrometheusRule()
    """The alert rules for the Prometheus operator."""


class DisruptionBudget(Spec):
    """The PodDisruptionBudget: drains and evictions never cost the ensemble its quorum."""

    enabled: Bool = True
    """Whether to keep one."""
