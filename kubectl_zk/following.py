"""Watching something until it is over: looked at often, said once, bounded by a deadline."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from functions.api.errors import MissingRight, Unavailable
from kubectl_zk.problem import NOT_IN_TIME, Problem
from kubectl_zk.session import Session
from kubectl_zk.words import lasted

POLL_SECONDS = 1.0
_PROGRESS = re.compile(r"([0-9]+) of ([0-9]+) bytes(?: \((.*)\))?")


@dataclass(frozen=True, slots=True)
class Sight:
    """How it looks now: what to say once, what the bar shows, and whether it is over."""

    lines: tuple[str, ...] = ()
    share: float | None = None
    now: str = ""
    is_over: bool = False
    failure: str = ""


def follow(
    session: Session, look: Callable[[], Sight], within: timedelta, how_to_go_on: str
) -> Sight:
    """Look until it is over; raises Problem when it failed, or is not over in time.

    What is followed goes on by itself, so an API server that is away for a moment is waited for.
    """
    begun = session.now()
    while True:
        sight = _looked(look)
        for line in sight.lines:
            session.terminal.say_once(line)
        if sight.failure:
            raise Problem(sight.failure)
        if sight.is_over:
            return sight
        passed = session.now() - begun
        if passed > within:
            waits = f" It says: {sight.now}" if sight.now else ""
            raise Problem(f"Not over in time; it goes on.{waits}\n{how_to_go_on}", NOT_IN_TIME)
        session.terminal.move_bar(sight.share, f"{lasted(passed)}  {sight.now}".rstrip())
        session.pause(POLL_SECONDS)


def _looked(look: Callable[[], Sight]) -> Sight:
    try:
        return look()
    except MissingRight:
        raise
    except Unavailable as error:
        return Sight(lines=("The API server does not answer; trying again.",), now=str(error))


def share_of(progress: str | None) -> float | None:
    """Return how much of `status.progress` is done, or None when it says nothing of it."""
    found = _PROGRESS.fullmatch(progress or "")
    if found is None or not int(found[2]):
        return None
    return int(found[1]) / int(found[2])


def phase_of(progress: str | None) -> str:
    found = _PROGRESS.fullmatch(progress or "")
    return found[3] or "" if found is not None else ""
