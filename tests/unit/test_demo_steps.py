"""How the demo waits."""

from __future__ import annotations

import pytest

from local.demo_steps import DemoFailed, until


def test_the_first_true_answer_is_returned() -> None:
    answers = iter([None, "", "here", "later"])
    assert until(lambda: next(answers), 60, lambda: "never") == "here"


def test_after_the_deadline_it_is_said_what_to_look_at() -> None:
    with pytest.raises(DemoFailed, match="look at the logs"):
        until(lambda: None, 0, lambda: "look at the logs")
