"""Policies against reachability: for the computation of rules, and for the kernel that obeys them.

`db` is the pod that policies select; `web` is beside it, `job` in another namespace. Each of them
listens on the same three ports, and calls another one of them `http`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local.policies.isolation import Direction, Isolation, isolations
from local.policies.peers import World
from local.policies.pods import pod_of

Manifest = dict[str, Any]
Edge = tuple[str, str, str]

PORTS = ("tcp 8001", "tcp 8002", "udp 8001")
ALL = frozenset(PORTS)
HTTP = {"db": 8001, "web": 8002, "job": 8001}
# In the order in which a fresh pool hands them out.
ADDRESSES = {"db": "10.244.1.1", "web": "10.244.1.2", "job": "10.244.1.3"}
_NAMESPACE = "kubernetes.io/metadata.name"
NAMESPACES = {
    "shop": {_NAMESPACE: "shop", "team": "a"},
    "tools": {_NAMESPACE: "tools", "team": "b"},
}


def _pod(name: str, namespace: str, **labels: str) -> Manifest:
    port = {"name": "http", "containerPort": HTTP[name]}
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "c", "ports": [port]}]},
    }


PODS = {
    "db": _pod("db", "shop", app="db"),
    "web": _pod("web", "shop", app="web", tier="front"),
    "job": _pod("job", "tools", app="web"),
}


@dataclass(frozen=True, slots=True)
class Case:
    """Specs of policies in `shop`, and the ports that then are open to and from `db`."""

    name: str
    policies: tuple[Manifest, ...]
    arriving: Mapping[str, frozenset[str]] = field(default_factory=dict)
    leaving: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def is_open(self, edge: Edge) -> bool:
        sender, receiver, port = edge
        comes_in = receiver != "db" or port in self.arriving.get(sender, ALL)
        goes_out = sender != "db" or port in self.leaving.get(receiver, ALL)
        return comes_in and goes_out

    def isolations(self) -> tuple[dict[str, Isolation], dict[str, Isolation]]:
        """Return what may arrive and what may leave, by address."""
        world = World(
            policies=[("shop", spec) for spec in self.policies],
            namespaces=NAMESPACES,
            pods=[pod_of(PODS[name], address) for name, address in ADDRESSES.items()],
        )
        return isolations(Direction.ARRIVING, world), isolations(Direction.LEAVING, world)


EDGES = [(a, b, port) for a in PODS for b in PODS if a != b for port in PORTS]


def _only(**of: str) -> dict[str, frozenset[str]]:
    """Ports by pod, as in web="tcp 8001, udp 8001"; the pods that are not named have none."""
    return {
        name: frozenset(of[name].split(", ")) if name in of else frozenset()
        for name in PODS
        if name != "db"
    }


def _ingress(*rules: Manifest, **more: Any) -> Manifest:
    return {"podSelector": {"matchLabels": {"app": "db"}}, "ingress": list(rules), **more}


def _egress(*rules: Manifest) -> Manifest:
    return {
        "podSelector": {"matchLabels": {"app": "db"}},
        "policyTypes": ["Egress"],
        "egress": list(rules),
    }


def _expression(key: str, operator: str, *values: str) -> Manifest:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


_WEB = {"podSelector": {"matchLabels": {"app": "web"}}}
_ANYWHERE: Manifest = {"namespaceSelector": {}}
_TEAM_B = {"namespaceSelector": {"matchLabels": {"team": "b"}}}
_EVERY = ", ".join(PORTS)
_WEB_OR_X = {**_ANYWHERE, "podSelector": _expression("app", "In", "web", "x")}
_NOT_FRONT = {**_ANYWHERE, "podSelector": _expression("tier", "NotIn", "front")}
_ALL_BUT_WEB = {"ipBlock": {"cidr": "10.244.0.0/16", "except": ["10.244.1.2/32"]}}
_TCP_8001 = {"ports": [{"port": 8001}]}

CASES = [
    Case("no-policy", ()),
    Case("a-policy-for-other-pods", (_ingress(podSelector={"matchLabels": {"app": "none"}}),)),
    Case("no-rule-lets-nobody-in", (_ingress(),), arriving=_only()),
    Case("an-empty-rule-lets-all-in", (_ingress({}),)),
    Case("an-empty-from-means-everybody", (_ingress({"from": [], **_TCP_8001}),),
         arriving=_only(web="tcp 8001", job="tcp 8001")),
    Case("a-port-is-tcp-unless-it-says-so", (_ingress(_TCP_8001),),
         arriving=_only(web="tcp 8001", job="tcp 8001")),
    Case("a-port-of-another-protocol", (_ingress({"ports": [{"protocol": "UDP", "port": 8001}]}),),
         arriving=_only(web="udp 8001", job="udp 8001")),
    Case("all-ports-of-a-protocol", (_ingress({"ports": [{"protocol": "TCP"}]}),),
         arriving=_only(web="tcp 8001, tcp 8002", job="tcp 8001, tcp 8002")),
    Case("a-range-of-ports", (_ingress({"ports": [{"port": 8000, "endPort": 8001}]}),),
         arriving=_only(web="tcp 8001", job="tcp 8001")),
    Case("ranges-that-overlap",
         (_ingress({"ports": [{"port": 8000, "endPort": 8001}, {"port": 8001, "endPort": 8002}]}),),
         arriving=_only(web="tcp 8001, tcp 8002", job="tcp 8001, tcp 8002")),
    Case("a-port-by-the-name-it-has-in-the-pod", (_ingress({"ports": [{"port": "http"}]}),),
         arriving=_only(web="tcp 8001", job="tcp 8001")),
    Case("a-name-that-no-port-has", (_ingress({"ports": [{"port": "https"}]}),), arriving=_only()),
    Case("pods-are-those-of-the-policys-namespace", (_ingress({"from": [_WEB]}),),
         arriving=_only(web=_EVERY)),
    Case("namespaces-by-their-labels", (_ingress({"from": [_TEAM_B]}),),
         arriving=_only(job=_EVERY)),
    Case("an-empty-selector-means-every-namespace", (_ingress({"from": [_ANYWHERE]}),)),
    Case("pods-in-namespaces-must-be-both", (_ingress({"from": [{**_TEAM_B, **_WEB}]}),),
         arriving=_only(job=_EVERY)),
    Case("pods-in-namespaces-that-are-only-one-of-both",
         (_ingress({"from": [{**_TEAM_B, "podSelector": {"matchLabels": {"tier": "front"}}}]}),),
         arriving=_only()),
    Case("one-peer-or-the-other", (_ingress({"from": [_WEB, _TEAM_B], **_TCP_8001}),),
         arriving=_only(web="tcp 8001", job="tcp 8001")),
    Case("a-label-among-values",
         (_ingress({"from": [_WEB_OR_X]}),)),
    Case("a-label-that-is-not-there-is-none-of-the-values",
         (_ingress({"from": [_NOT_FRONT]}),),
         arriving=_only(job=_EVERY)),
    Case("a-label-that-is-there",
         (_ingress({"from": [{**_ANYWHERE, "podSelector": _expression("tier", "Exists")}]}),),
         arriving=_only(web=_EVERY)),
    Case("a-label-that-is-not-there",
         (_ingress({"from": [{**_ANYWHERE, "podSelector": _expression("tier", "DoesNotExist")}]}),),
         arriving=_only(job=_EVERY)),
    Case("all-addresses", (_ingress({"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}),)),
    Case("addresses-with-exceptions",
         (_ingress({"from": [_ALL_BUT_WEB]}),),
         arriving=_only(job=_EVERY)),
    Case("an-exception-that-another-block-opens-again",
         (_ingress({"from": [{"ipBlock": {"cidr": "10.244.0.0/16", "except": ["10.244.1.0/24"]}},
                             {"ipBlock": {"cidr": "10.244.1.3/32"}}], **_TCP_8001}),),
         arriving=_only(job="tcp 8001")),
    Case("addresses-of-the-other-protocol", (_ingress({"from": [{"ipBlock": {"cidr": "::/0"}}]}),),
         arriving=_only()),
    Case("what-one-of-several-policies-opens-is-open",
         (_ingress(), _ingress({"from": [_WEB], **_TCP_8001}),
          _ingress({"from": [_WEB], "ports": [{"port": 8002}]}, {"from": [_TEAM_B]})),
         arriving=_only(web="tcp 8001, tcp 8002", job=_EVERY)),
    Case("only-what-leaves", (_egress(),), leaving=_only()),
    Case("leaving-to-pods-and-ports", (_egress({"to": [_WEB], **_TCP_8001}),),
         leaving=_only(web="tcp 8001")),
    Case("leaving-to-a-port-by-its-name-there",
         (_egress({"to": [_WEB, _TEAM_B], "ports": [{"port": "http"}]}),),
         leaving=_only(web="tcp 8002", job="tcp 8001")),
    Case("leaving-to-a-port-by-its-name-anywhere", (_egress({"ports": [{"port": "http"}]}),),
         leaving=_only(web="tcp 8002", job="tcp 8001")),
    Case("rules-for-what-leaves-make-it-a-policy-for-both", (_ingress(egress=[{"to": [_WEB]}]),),
         arriving=_only(), leaving=_only(web=_EVERY)),
    Case("both-sides-have-to-agree",
         ({"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}],
           "egress": [{"to": [_WEB]}, {"to": [{"podSelector": {"matchLabels": {"app": "db"}}}]}]},
          _ingress({"from": [_TEAM_B]}),
          {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"],
           "egress": [{}]}),
         leaving=_only(web=_EVERY)),
]  # fmt: skip
