"""First answer and memory of each function against an empty functions-framework function."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from benchmarks.running import Say, run_inside
from local.platform.handle import Platform

CHECKOUT = Path(__file__).parents[1]
NAMESPACE = "zookeeper-functions"
EMPTY = "empty"
MEASURES = (("seconds", "s"), ("processor", "s"), ("pss", "MiB"), ("rss", "MiB"))
TITLES = {
    "seconds": "First answer after the process was started",
    "processor": "Processor time until the first answer",
    "pss": "Memory after the first answer, shared pages divided (PSS)",
    "rss": "Memory after the first answer, resident (RSS)",
}


def measure(platform: Platform, rounds: int, say: Say) -> list[Figure]:
    """Start every function `rounds` times, in turn with the empty one; one extra round warms up."""
    functions = [_empty(), *(_function(platform, *line) for line in _procfile())]
    job = {"rounds": rounds + 1, "ca": _ca(platform), "functions": functions}
    say(f"starting {len(functions)} functions {rounds + 1} times each")
    seconds = 10.0 * len(functions) * (rounds + 1)
    command = [sys.executable, "-m", "benchmarks.launch"]
    said = run_inside(platform, command, text=json.dumps(job), seconds=seconds)
    samples: dict[tuple[str, str], list[float]] = defaultdict(list)
    for line in said.splitlines()[len(functions) :]:
        sample = json.loads(line)
        for measure, _ in MEASURES:
            samples[measure, sample["name"]].append(sample[measure])
    return [
        Figure(
            TITLES[measure],
            function["name"],
            unit,
            samples[measure, function["name"]],
            samples[measure, EMPTY],
        )
        for measure, unit in MEASURES
        for function in functions
    ]


def _procfile() -> list[tuple[str, list[str]]]:
    """Return (name, arguments) of every function that is deployed."""
    lines = (CHECKOUT / "Procfile").read_text().splitlines()
    named = (line.split(": functions-framework ") for line in lines if line)
    return [(name, command.split()) for name, command in named]


def _function(platform: Platform, name: str, arguments: list[str]) -> dict[str, Any]:
    token = platform.kubectl("create", "token", name, "-n", NAMESPACE).stdout.strip()
    return {"name": name, "arguments": arguments, "event": _event(name), "token": token}


def _empty() -> dict[str, Any]:
    arguments = ["--target", "empty", "--source", "benchmarks/empty.py"]
    return {"name": EMPTY, "arguments": arguments, "event": _event("observe"), "token": ""}


def _event(name: str) -> str:
    return (CHECKOUT / "tests/events" / f"{name}.json").read_text()


def _ca(platform: Platform) -> str:
    words = ("get", "configmap", "kube-root-ca.crt", "-n", NAMESPACE, "-o", "json")
    ca: str = json.loads(platform.kubectl(*words).stdout)["data"]["ca.crt"]
    return ca
