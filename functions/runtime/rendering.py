"""One event, one function, one world read from files: what the function would do there.

This is `python -m functions render` without its command line: for reading, for golden tests and
for learning. Nothing outside this process is asked or changed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from functions.adapters.memory import MemoryKube, Write
from functions.api.errors import InvalidEvent
from functions.api.kinds import Ref
from functions.api.manifest import Manifest
from functions.runtime import apply as applying
from functions.runtime.events import parse_event
from functions.runtime.function import Answer, Function, answer
from functions.runtime.rendering_world import BadFile, RenderedWorld

STRUCTURED = {"Content-Type": "application/cloudevents+json"}


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one delivery did: the answer, the steps in words, and what is left afterwards.

    `objects` are those it wrote, as they are now; a write of status shows the status alone.
    """

    answer: Answer
    steps: tuple[str, ...]
    sent: tuple[Manifest, ...]
    objects: tuple[Manifest, ...]


def read_event(path: Path) -> bytes:
    """Return the structured-mode event in a file; raises BadFile when it holds none."""
    try:
        body = path.read_bytes()
        parse_event(STRUCTURED, body)
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}.") from error
    except InvalidEvent as error:
        raise BadFile(f"{path}: {error}") from error
    return body


def render(function: Function, body: bytes, on: RenderedWorld) -> Rendered:
    """Deliver one structured-mode event to one function, and say what it did."""
    with _listening() as steps:
        said = answer(function, "POST", STRUCTURED, body, on.world)
    return Rendered(
        answer=said,
        steps=tuple(steps),
        sent=tuple(on.sent),
        objects=tuple(_written(on.kube)),
    )


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Collect the steps as they are logged: those that were carried out, in their order."""
    steps: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            steps.append(str(getattr(record, "step", record.getMessage())))

    listener = Listener(logging.INFO)
    before = applying.log.level
    applying.log.addHandler(listener)
    applying.log.setLevel(logging.INFO)
    try:
        yield steps
    finally:
        applying.log.removeHandler(listener)
        applying.log.setLevel(before)


def _written(kube: MemoryKube) -> Iterator[Manifest]:
    """Return every object that was written, once, as it is now; deleted ones are not there."""
    parts: dict[Ref, set[str]] = {}
    for write in list(kube.writes):
        parts.setdefault(write.ref, set()).add(_part(write))
    for ref, written in parts.items():
        if (found := kube.get(ref)) is not None:
            yield _shown(found, written)


def _part(write: Write) -> str:
    return write.subresource or "object"


def _shown(found: Manifest, written: set[str]) -> Manifest:
    metadata = {key: value for key, value in found["metadata"].items() if key != "managedFields"}
    if written != {"status"}:
        return {**found, "metadata": metadata}
    return {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
        "status": found["status"],
    }


def as_steps(rendered: Rendered) -> str:
    """Return the answer and the steps, one a line."""
    lines = [f"answer {rendered.answer.status} {rendered.answer.text}".rstrip()]
    lines += rendered.steps
    lines += [f"send {event['type']} about {event['subject']}" for event in rendered.sent]
    return "".join(f"{line}\n" for line in lines)


def as_yaml(rendered: Rendered) -> str:
    """Return the steps as comments, and then every object that was written."""
    said = "".join(f"# {line}\n" for line in as_steps(rendered).splitlines())
    documents = [yaml.dump(item, Dumper=_Readable, sort_keys=False) for item in rendered.objects]
    return said + "".join(f"---\n{document}" for document in documents)


def as_json(rendered: Rendered) -> str:
    """Return everything as one JSON object."""
    told = {
        "answer": {"status": rendered.answer.status, "text": rendered.answer.text},
        "steps": rendered.steps,
        "sent": rendered.sent,
        "objects": rendered.objects,
    }
    return json.dumps(told, indent=2) + "\n"


class _Readable(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and every value in full (no anchors)."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Readable.add_representer(str, _text)
