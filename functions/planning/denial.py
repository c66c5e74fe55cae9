"""What a quota, a policy or a webhook of the Kubernetes cluster does not allow: how it is said.

It is learnt only by trying, and tried again at every look. So while a denial stands a function does
not say its own progress in its place: status would be written before the try and again after it,
each write an event, each event a try. What is so comes behind the try, where it is reached only
once that is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from functions.api.errors import FunctionError
from functions.api.resource import Resource
from functions.planning.status import Wanted, seen_condition
from functions.planning.steps import Announce, LookAgain, Plan, WriteStatus

# The reason of a condition while Kubernetes does not allow what is needed.
DENIED = "Denied"


def denied(kind: str, error: FunctionError) -> Wanted:
    """Return the condition that tells what Kubernetes does not allow."""
    told = f"Kubernetes does not allow what is needed: {error} It is tried again."
    return Wanted(kind, "False", DENIED, told)


def standing(of: Resource, kind: str, reasons: Collection[str] = (DENIED,)) -> Wanted | None:
    """Return the condition as it is while a refusal of the present spec stands."""
    seen = seen_condition(of, kind)
    if seen is None or seen.reason not in reasons:
        return None
    is_present = seen.observed_generation == of.metadata.generation
    return Wanted(kind, "False", seen.reason, seen.message) if is_present else None


def say_and_try(
    of: Resource,
    wanted: Wanted,
    progress: Collection[str],
    tried: Plan,
    say: Callable[[Wanted], Plan],
) -> Plan:
    """Return what makes status say `wanted`, or the steps once it says so.

    A denial that stands is said in place of `progress`, until the steps were allowed.
    """
    stands = standing(of, wanted.type) if _tries(tried) else None
    is_hidden = stands is not None and wanted.reason in progress
    if said := say(stands if stands is not None and is_hidden else wanted):
        return (*said, LookAgain())
    return _behind(tried, say(wanted)) if is_hidden else tried


def _behind(tried: Plan, told: Plan) -> Plan:
    """Return the steps, and behind them what is so."""
    end = len(tried) - isinstance(tried[-1], LookAgain)
    return (*tried[:end], *told, *tried[end:])


def _tries(plan: Plan) -> bool:
    """Whether it asks for more than to write down what comes next."""
    return any(not isinstance(step, Announce | LookAgain | WriteStatus) for step in plan)
