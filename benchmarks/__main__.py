"""`python -m benchmarks`: print every figure beside its baseline of the same run."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import backup, beside, downtime, files, first_answer, load, moving, quorum
from benchmarks.figures import Figure, table
from benchmarks.running import Failed, platform_with_product
from local.go_build import NoBinaries
from local.platform.start import CannotStart

ON_A_PLATFORM = {
    "first-answer": first_answer.measure,
    "quorum": quorum.measure,
    "moving": moving.measure,
}
ALONE = {
    "files": files.measure,
    "backup": backup.measure,
    "backup-beside": beside.measure,
    "restore": downtime.measure,
}
BENCHMARKS = [*ON_A_PLATFORM, *ALONE]
# Takes half an hour by itself: only when it is asked for.
LOAD = "load"
FEWEST_ROUNDS = 1


def main(arguments: Sequence[str]) -> int:
    """Measure what is asked for; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    wanted = options.names or BENCHMARKS
    if options.state and LOAD in wanted:
        parser.error(f"`{LOAD}` fills a platform of its own: leave out --state")
    figures: list[Figure] = []
    problem: Exception | None = None
    try:
        # What was measured before something failed is shown all the same.
        figures.extend(_measured(wanted, options))
    except (Failed, CannotStart, NoBinaries) as failed:
        problem = failed
    if figures and options.json:
        print(json.dumps([figure.as_json() for figure in figures], indent=2))
    elif figures:
        print(f"{table(figures)}\n\n{_circumstances(options.runs)}")
    if problem is not None:
        print(problem, file=sys.stderr)
    return 1 if problem is not None else 0


def _measured(names: Sequence[str], options: argparse.Namespace) -> Iterator[Figure]:
    """Measure; a platform is started only where one is needed."""
    if on_it := [name for name in names if name in ON_A_PLATFORM]:
        with platform_with_product(options.state, _say) as platform:
            for name in on_it:
                yield from ON_A_PLATFORM[name](platform, options.runs, _say)
    for name in [name for name in names if name in ALONE]:
        yield from ALONE[name](options.runs, _say)
    if LOAD in names:
        with platform_with_product(None, _say, with_sample=False) as platform:
            yield from load.measure(platform, options.sizes, _say)


def _circumstances(runs: int) -> str:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{runs} rounds (`load`: one); ratios are taken within each. {os.cpu_count()} processors, "
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


def _sizes(text: str) -> tuple[int, ...]:
    sizes = tuple(int(size) for size in text.split(","))
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"at least 1 cluster is needed, not {min(sizes)}")
    return sizes


def _benchmark(text: str) -> str:
    if text not in (*BENCHMARKS, LOAD):
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join((*BENCHMARKS, LOAD))}")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=_rounds, default=3, help="rounds that count (default: 3)")
    names = ", ".join(BENCHMARKS)
    parser.add_argument("names", nargs="*", type=_benchmark, help=f"{names} (default: all)")
    sizes = "clusters for `load`, which runs only by its name (default: 10,100,1000)"
    parser.add_argument("--sizes", type=_sizes, default=load.SIZES, help=sizes)
    parser.add_argument("--json", action="store_true", help="every sample, for programs")
    parser.add_argument("--state", type=Path, help="measure on the platform that runs there")
    return parser


if __name__ == "__main__":
    # Who ends it from outside gets rid of its platform, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main(sys.argv[1:]))
