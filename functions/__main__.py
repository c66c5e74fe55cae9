"""`python -m functions`: look at one function without a cluster, or prove a backup.

`list` names the functions; `render` delivers one event to one of them on a world read from files;
`verify` reads a backup, in a store or in a folder, and says what of it is proven.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from functions.backups.command import add_options, verify
from functions.runtime.function import FUNCTIONS
from functions.runtime.rendering import Rendered, as_json, as_steps, as_yaml, read_event, render
from functions.runtime.rendering_world import BadFile, read_world

# A fixed hour, so that the same files always give the same text.
RENDERED_AT = "2026-01-01T00:00:00Z"
OUTPUTS: dict[str, Callable[[Rendered], str]] = {
    "steps": as_steps,
    "yaml": as_yaml,
    "json": as_json,
}
DONE, NOT_DONE, BAD_INPUT = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, 1 when the function did not do its work, 2 for bad input."""
    about = deployed()
    asked = _parser(about).parse_args(arguments)
    try:
        return int(asked.run(asked, about))
    except BadFile as error:
        print(error, file=sys.stderr)
        return BAD_INPUT


def deployed() -> dict[str, str]:
    """Load every function; return its name and what it is for, in the order of their names."""
    modules = sorted(
        path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if path.stem != "__main__"
    )
    found = {name: importlib.import_module(f"functions.{name}").__doc__ or "" for name in modules}
    return {name.replace("_", "-"): _first_line(text) for name, text in found.items()}


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0].partition(": ")[2]


def _parser(about: dict[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m functions", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="name the functions and say what each is for")
    listing.set_defaults(run=_list)
    rendering = commands.add_parser("render", help="show what a function does with one event")
    rendering.add_argument("function", choices=sorted(about), metavar="FUNCTION")
    rendering.add_argument("--event", type=Path, required=True, help="a CloudEvent as JSON")
    rendering.add_argument("--world", type=Path, required=True, help="a folder of YAML files")
    rendering.add_argument("--output", choices=sorted(OUTPUTS), default="yaml")
    rendering.add_argument("--now", type=_time, default=RENDERED_AT, help="the hour (RFC 3339)")
    rendering.set_defaults(run=_render)
    verifying = commands.add_parser("verify", help="prove a backup in a store or in a folder")
    add_options(verifying)
    verifying.set_defaults(run=_verify)
    return parser


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time; write it like {RENDERED_AT}"
        ) from None


def _list(_: argparse.Namespace, about: dict[str, str]) -> int:
    width = max(map(len, about)) + 2
    for name, purpose in about.items():
        print(f"{name:<{width}}{purpose}")
    return DONE


def _render(asked: argparse.Namespace, _: dict[str, str]) -> int:
    on = read_world(asked.world, asked.now)
    rendered = render(FUNCTIONS[asked.function], read_event(asked.event), on)
    sys.stdout.write(OUTPUTS[asked.output](rendered))
    return DONE if rendered.answer.status == 204 else NOT_DONE


def _verify(asked: argparse.Namespace, _: dict[str, str]) -> int:
    return verify(asked, lambda line: print(line, file=sys.stderr), print)


if __name__ == "__main__":
    sys.exit(main())
