"""Faults on purpose: what a test can ask for, and what it does to a delivery."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from local.eventing.events import Event
from local.eventing.faults import BadFault, Fault, Faults

EVENT = Event({"id": "1", "namespace": "n"})


def copies(wanted: dict[str, Any], broker_namespace: str = "functions") -> int:
    faults = Faults()
    faults.fault = Fault.read(wanted)
    return asyncio.run(faults.copies(EVENT, broker_namespace))


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({}, 1),
        ({"drop": True}, 0),
        ({"duplicate": 2}, 3),
        ({"drop": True, "namespace": "n"}, 0),
        ({"drop": True, "namespace": "functions"}, 0),
        ({"drop": True, "namespace": "other"}, 1),
    ],
)
def test_a_fault_says_how_often_to_deliver(wanted: dict[str, Any], count: int) -> None:
    assert copies(wanted) == count


def test_a_delay_holds_a_delivery_back() -> None:
    started = time.monotonic()
    assert copies({"delay": 0.1}) == 1
    assert time.monotonic() - started >= 0.1


def test_reordering_lets_a_later_event_overtake() -> None:
    async def finished(faults: Faults) -> list[int]:
        order: list[int] = []

        async def deliver(number: int) -> None:
            await faults.copies(EVENT, "n")
            order.append(number)

        await asyncio.gather(*(deliver(number) for number in range(20)))
        return order

    faults = Faults()
    faults.fault = Fault.read({"reorder": True})
    order = asyncio.run(finished(faults))
    assert sorted(order) == list(range(20))
    assert order != list(range(20))


@pytest.mark.parametrize(
    "wanted", [[], {"dropp": True}, {"drop": "yes"}, {"duplicate": -1}, {"delay": "1"}]
)
def test_what_is_no_fault_is_refused(wanted: Any) -> None:
    with pytest.raises(BadFault):
        Fault.read(wanted)
