"""Which history a server starts from: every case, and the law that two never meet."""

from __future__ import annotations

import itertools

import pytest

from functions.planning.restoring import (
    Apply,
    Hold,
    Keep,
    PutAside,
    RestoreStep,
    Restoring,
    Revert,
    Swap,
    Verdict,
    Volume,
    plan_restoring,
)

ARMED, OTHER = "uid-1", "uid-2"
STEPS = [step.value for step in RestoreStep]
HOLD = "hold"


def _kind(restoring: Restoring) -> object:
    return HOLD if isinstance(restoring, Hold) else restoring


@pytest.mark.parametrize(
    ("step", "own", "half", "swapped"),
    [
        pytest.param("Arm", Keep(), HOLD, HOLD),
        pytest.param("Stop", HOLD, HOLD, HOLD),
        pytest.param("Start", Apply(ARMED), Apply(ARMED), Keep()),
        pytest.param("Open", Apply(ARMED), Apply(ARMED), Keep()),
        pytest.param("StopBack", HOLD, HOLD, HOLD),
        pytest.param("StartBack", Keep(), Revert(ARMED), Revert(ARMED)),
        pytest.param("OfANewerProgram", HOLD, HOLD, HOLD),
    ],
)
def test_an_armed_volume_follows_the_step_of_its_restore(
    step: str, own: object, half: object, swapped: object
) -> None:
    verdict = Verdict(uid=ARMED, step=step)
    for swap, expected in ((Swap.NONE, own), (Swap.HALF, half), (Swap.DONE, swapped)):
        volume = Volume(is_empty=False, armed=ARMED, swap=swap)
        assert _kind(plan_restoring(volume, verdict)) == expected, swap


@pytest.mark.parametrize("other", [Verdict(), *(Verdict(OTHER, step) for step in STEPS)], ids=str)
def test_without_its_operation_the_record_says_what_the_restore_came_to(other: Verdict) -> None:
    """A server that slept through the restore, or through its way back, does it then."""
    stands = Verdict(other.uid, other.step, restored=ARMED)
    failed = Verdict(other.uid, other.step, restored="an-earlier-one")
    for swap in Swap:
        volume = Volume(is_empty=False, armed=ARMED, swap=swap)
        if swap is not Swap.DONE:
            assert plan_restoring(volume, stands) == Apply(ARMED)
        if swap is not Swap.NONE:
            assert plan_restoring(volume, failed) == Revert(ARMED)


@pytest.mark.parametrize("step", ["Start", "Open"])
@pytest.mark.parametrize(
    "left",
    [
        pytest.param(Volume(False, OTHER, Swap.NONE), id="of-one-that-failed"),
        pytest.param(Volume(False, OTHER, Swap.DONE, OTHER), id="of-one-that-stands"),
    ],
)
def test_a_volume_that_is_armed_for_an_earlier_restore_goes_with_the_others(
    left: Volume, step: str
) -> None:
    verdict = Verdict(ARMED, step, restored=left.history)
    assert plan_restoring(left, verdict) == Apply(ARMED)
    assert isinstance(plan_restoring(left, Verdict(ARMED, "Stop", left.history)), Hold)


@pytest.mark.parametrize("step", STEPS)
def test_there_is_no_way_back_from_a_restore_that_is_on_record(step: str) -> None:
    verdict = Verdict(ARMED, step, restored=ARMED)
    armed = Volume(is_empty=False, armed=ARMED, swap=Swap.DONE, history=ARMED)
    assert plan_restoring(armed, verdict) == Keep()
    cleaned = Volume(is_empty=False, history=ARMED)
    assert plan_restoring(cleaned, verdict) == Keep()


@pytest.mark.parametrize("swap", list(Swap))
def test_an_armed_volume_starts_nothing_without_the_api_server(swap: Swap) -> None:
    volume = Volume(is_empty=False, armed=ARMED, swap=swap)
    assert isinstance(plan_restoring(volume, None), Hold)


@pytest.mark.parametrize("history", ["", OTHER])
@pytest.mark.parametrize("is_empty", [True, False])
def test_any_other_volume_needs_nobody(history: str, is_empty: bool) -> None:
    assert plan_restoring(Volume(is_empty, history=history), None) == Keep()


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("Arm", Keep()),
        ("Stop", HOLD),
        ("Start", Apply(ARMED)),
        ("Open", Apply(ARMED)),
        ("StopBack", HOLD),
        ("StartBack", Keep()),
    ],
)
@pytest.mark.parametrize("is_empty", [True, False])
def test_a_volume_that_nobody_armed_goes_with_the_others(
    step: str, expected: object, is_empty: bool
) -> None:
    """Also an empty one: it must not keep what it is filled with when the others go back."""
    found = plan_restoring(Volume(is_empty), Verdict(uid=ARMED, step=step))
    assert _kind(found) == expected


@pytest.mark.parametrize(
    ("is_empty", "history", "expected"),
    [
        pytest.param(False, OTHER, PutAside(OTHER), id="of-another-restore"),
        pytest.param(False, "", PutAside(""), id="from-before-the-restore"),
        pytest.param(False, ARMED, Keep(), id="of-this-history"),
        pytest.param(True, "", Keep(), id="empty"),
    ],
)
def test_data_of_another_history_is_put_aside(
    is_empty: bool, history: str, expected: Restoring
) -> None:
    """Guards against volumes that were left behind when the ensemble was smaller."""
    volume = Volume(is_empty, history=history)
    assert plan_restoring(volume, Verdict(restored=ARMED)) == expected
    assert plan_restoring(volume, Verdict(OTHER, "Arm", restored=ARMED)) == expected


def test_where_nothing_was_ever_restored_no_data_is_put_aside() -> None:
    assert plan_restoring(Volume(is_empty=False, history=OTHER), Verdict()) == Keep()


def _volumes() -> list[Volume]:
    uids = ("", ARMED, OTHER)
    made = itertools.product((True, False), uids, Swap, uids)
    return [Volume(*parts) for parts in made if parts[1] or parts[2] is Swap.NONE]


@pytest.mark.parametrize("volume", _volumes(), ids=str)
def test_every_case_comes_to_an_end(volume: Volume) -> None:
    """What is done to a volume leads to one that is kept, held or put aside: never round about."""
    verdicts = [
        Verdict(uid, step, restored)
        for uid, step, restored in itertools.product(
            ("", ARMED, OTHER), [*STEPS, "New"], ("", ARMED, OTHER)
        )
    ]
    for verdict in verdicts:
        left = volume
        for _ in range(5):
            found = plan_restoring(left, verdict)
            if isinstance(found, Keep | Hold):
                break
            left = _after(found, left)
        else:
            pytest.fail(f"{volume} and {verdict} never end")


def _after(done: Restoring, volume: Volume) -> Volume:
    match done:
        case Apply(uid=uid):
            return Volume(is_empty=False, armed=uid, swap=Swap.DONE, history=uid)
        case Revert(uid=uid):
            return Volume(is_empty=False, armed=uid, swap=Swap.NONE)
        case PutAside():
            return Volume(is_empty=True, history=volume.history)
        case _:
            raise AssertionError(done)
