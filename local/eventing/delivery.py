"""How often, when and for how long a delivery is tried, and where it goes when all that failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.eventing.durations import seconds_of

RETRIED = frozenset({404, 408, 409, 429})
RETRY_FIELDS = ("retry", "backoffPolicy", "backoffDelay", "timeout")


@dataclass(frozen=True, slots=True)
class Retries:
    """The retry settings of one subscription; all times in seconds."""

    count: int = 0
    policy: str = ""
    delay: float = 0.0
    timeout: float | None = None

    def wait_before(self, retry: int) -> float:
        """Return the wait before the given retry, counted from 0.

        Linear counts from 0 too, so its first retry comes at once (seen in the recordings).
        Without a policy there is no wait.
        """
        match self.policy:
            case "exponential":
                return self.delay * float(2**retry)
            case "linear":
                return self.delay * retry
            case _:
                return 0.0


def is_retried(status: int) -> bool:
    """Tell whether an answer (or 0, no answer at all) is worth another try."""
    return status == 0 or status >= 500 or status in RETRIED


def is_success(status: int) -> bool:
    return 200 <= status < 300


def retries_of(spec: Mapping[str, Any]) -> Retries:
    """Read the retry settings of a `delivery` block."""
    return Retries(
        count=int(spec.get("retry") or 0),
        policy=spec.get("backoffPolicy") or "",
        delay=seconds_of(spec["backoffDelay"]) if spec.get("backoffDelay") else 0.0,
        timeout=seconds_of(spec["timeout"]) if spec.get("timeout") else None,
    )


def effective_delivery(
    broker: Mapping[str, Any] | None, trigger: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the delivery that holds for a Trigger.

    Its own block replaces the Broker's retry settings as a whole; only the dead letter sink falls
    back to the Broker's one by one.
    """
    chosen = dict((broker if trigger is None else trigger) or {})
    fallback = (broker or {}).get("deadLetterSink")
    if fallback and not chosen.get("deadLetterSink"):
        chosen["deadLetterSink"] = fallback
    return chosen
