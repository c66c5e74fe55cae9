"""What every cluster's pods get from this installation, not from their own spec."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Installation:
    """`functions_image`: what the pods' own programs run from.

    `broker_url`: where the agents send their events; without one they send none.
    `namespace`: where the functions run, and so come from when they ask servers.
    """

    functions_image: str
    broker_url: str = ""
    namespace: str = "zookeeper-functions"
