"""`kubectl zk ...`: reads the command line, runs one command, ends with its exit code."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence

from functions.api.errors import FunctionError
from kubectl_zk import completion
from kubectl_zk.access import connect
from kubectl_zk.arguments import parser
from kubectl_zk.problem import INTERRUPTED, USAGE, Problem, problem_of
from kubectl_zk.session import Session

Command = Callable[[Session, argparse.Namespace], int]


def run() -> None:
    """Be the program `kubectl-zk`."""
    sys.exit(main(sys.argv[1:]))


def complete() -> None:
    """Be the program `kubectl_complete-zk`, which kubectl asks for completions."""
    sys.exit(completion.answer(sys.argv[1:], sys.stdout))


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code."""
    # What the functions log is for their operators; here their answers are shown.
    logging.getLogger("functions").addHandler(logging.NullHandler())
    logging.getLogger("functions").propagate = False
    try:
        asked = parsed(arguments)
        return _run(asked)
    except Problem as problem:
        print(f"kubectl zk: {problem}", file=sys.stderr)
        return problem.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; what follows `--` is for the program that `shell` runs."""
    before, words = list(arguments), []
    if "--" in before:
        place = before.index("--")
        before, words = before[:place], before[place + 1 :]
    asked = parser().parse_args(before)
    if words and asked.command != "shell":
        raise Problem(f"kubectl zk {asked.command} takes nothing after `--`.", USAGE)
    asked.words = tuple(words)
    return asked


def _run(asked: argparse.Namespace) -> int:
    if asked.command == "completion":
        return completion.script(asked.shell, sys.stdout)
    if asked.command == "verify" and asked.name is None:
        from kubectl_zk.verifying import verify_here

        return verify_here(asked)
    try:
        return command_of(asked.command)(connect(asked), asked)
    except FunctionError as error:
        raise problem_of(error) from error


def command_of(name: str) -> Command:
    """Return the command; each is imported only when it is asked for."""
    from kubectl_zk import (
        backing_up,
        events,
        plan,
        restoring,
        roll,
        shell,
        status,
        stopping,
        verifying,
    )

    commands: dict[str, Command] = {
        "status": status.status,
        "plan": plan.plan,
        "events": events.events,
        "backup": backing_up.backup,
        "restore": restoring.restore,
        "verify": verifying.verify,
        "roll": roll.roll,
        "stop": stopping.stop,
        "wake": stopping.wake,
        "shell": shell.shell,
    }
    return commands[name]


if __name__ == "__main__":
    run()
