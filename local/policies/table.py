"""The kernel's table: what may pass between pods, as nftables reads it.

It stands in the platform's own network, through which all packets between pods go. There a
Service's address is already replaced, and the sender's is not, so rules see who talks to whom.
What the machine itself sends to a pod is not forwarded, and so passes, as a node's own traffic does
in a cluster: probes, `kubectl exec`, `python -m local run`, Knative, the host's ports of Services.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from local.policies.isolation import Isolation, Opening
from local.policies.ports import Ports

NAME = "policies"
# The transaction must work whether there is a table or not.
_EMPTY = f"table ip {NAME} {{}}\ndelete table ip {NAME}\n"


def table(arriving: Mapping[str, Isolation], leaving: Mapping[str, Isolation]) -> str:
    """Return the transaction that replaces all that was; no table where no pod is isolated."""
    if not arriving and not leaving:
        return _EMPTY
    chains: list[str] = []
    # The sender's side first; both have to agree.
    judged = [
        *_judged("leaving", "saddr", "daddr", leaving, chains),
        *_judged("arriving", "daddr", "saddr", arriving, chains),
    ]
    selves = [f"{address} . {address}" for address in {**arriving, **leaving}]
    forward = [
        "chain forward {",
        "  type filter hook forward priority filter; policy accept;",
        # Answers, and connections that were open when a policy came.
        "  ct state established,related accept",
        # No policy keeps a pod from itself: this is how it comes back through its own Service.
        f"  ip saddr . ip daddr {_set(selves)} accept",
        *(f"  {line}" for line in judged),
        "}",
    ]
    body = "\n".join(f"  {line}" for line in (*chains, *forward))
    return f"{_EMPTY}table ip {NAME} {{\n{body}\n}}\n"


def _judged(
    name: str, own: str, others: str, isolations: Mapping[str, Isolation], chains: list[str]
) -> Iterator[str]:
    """Write one chain for all pods that are isolated alike; yield the rule that finds it."""
    numbers = {isolation: n for n, isolation in enumerate(dict.fromkeys(isolations.values()), 1)}
    for isolation, number in numbers.items():
        chains += [f"chain {name}{number} {{", *_lines(isolation, others), "}"]
    if isolations:
        found = (f"{address} : jump {name}{numbers[i]}" for address, i in isolations.items())
        yield f"ip {own} vmap {{ {', '.join(found)} }}"


def _lines(isolation: Isolation, others: str) -> Iterator[str]:
    for opening in isolation:
        who = _who(opening, others)
        for what in _what(opening):
            yield f"  {' '.join((*who, *what, 'return'))}"
    yield "  drop"


def _who(opening: Opening, others: str) -> Sequence[str]:
    return () if opening.networks is None else (f"ip {others} {_set(opening.networks)}",)


def _what(opening: Opening) -> Iterator[Sequence[str]]:
    if opening.ports is None:
        yield ()
        return
    for protocol, ports in groupby(opening.ports, lambda one: one.protocol):
        yield (f"{protocol} dport {_set([_range(one) for one in ports])}",)


def _range(ports: Ports) -> str:
    return str(ports.first) if ports.first == ports.last else f"{ports.first}-{ports.last}"


def _set(elements: Sequence[str]) -> str:
    return f"{{ {', '.join(elements)} }}"
