"""`python -m benchmarks`: print every figure beside its baseline of the same run."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import backup, beside, downtime, files, first_answer, moving, quorum
from benchmarks.figures import Figure, table
from benchmarks.running import Failed, platform_with_product
from local.go_build import NoBinaries
from local.platform.start import CannotStart

ON_A_PLATFORM = {
    "first-answer": first_answer.measure,
    "quorum": quorum.measure,
    "moving": moving.measure,
    "restore": downtime.measure,
}
ALONE = {
    "files": files.measure,
    "backup": backup.measure,
    "backup-beside": beside.measure,
}
BENCHMARKS = [*ON_A_PLATFORM, *ALONE]
FEWEST_ROUNDS = 1


def main(arguments: Sequence[str]) -> int:
    """Measure what is asked for; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        figures = _figures(options.names or BENCHMARKS, options.runs, options.state)
    except (Failed, CannotStart, NoBinaries) as problem:
        print(problem, file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps([figure.as_json() for figure in figures], indent=2))
    else:
        print(f"{table(figures)}\n\n{_circumstances(options.runs)}")
    return 0


def _figures(names: Sequence[str], runs: int, lent: Path | None) -> list[Figure]:
    """Measure; a platform is started only where one is needed."""
    figures = []
    if on_it := [name for name in names if name in ON_A_PLATFORM]:
        with platform_with_product(lent, _say) as platform:
            for name in on_it:
                figures += ON_A_PLATFORM[name](platform, runs, _say)
    for name in [name for name in names if name in ALONE]:
        figures += ALONE[name](runs, _say)
    return figures


def _circumstances(runs: int) -> str:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{runs} rounds; ratios are taken within each round. {os.cpu_count()} processors, "
        f"load average {load} (1, 5, 15 minutes)."
    )


def _say(line: str) -> None:
    """Progress goes beside the result, which may be read by a program."""
    print(line, file=sys.stderr, flush=True)


def _rounds(text: str) -> int:
    value = int(text)
    if value < FEWEST_ROUNDS:
        raise argparse.ArgumentTypeError(f"at least {FEWEST_ROUNDS} round is needed, not {value}")
    return value


def _benchmark(text: str) -> str:
    if text not in BENCHMARKS:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(BENCHMARKS)}")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=_rounds, default=3, help="rounds that count (default: 3)")
    names = ", ".join(BENCHMARKS)
    parser.add_argument("names", nargs="*", type=_benchmark, help=f"{names} (default: all)")
    parser.add_argument("--json", action="store_true", help="every sample, for programs")
    parser.add_argument("--state", type=Path, help="measure on the platform that runs there")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
