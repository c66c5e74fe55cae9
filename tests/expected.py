"""Expected texts kept as files: compared, or written anew with `UPDATE_GOLDEN=1`."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

TESTS = Path(__file__).parent


def check_text(path: Path, text: str) -> None:
    """Compare `text` with the file; read the difference before you let it be written anew."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.is_file(), f"{path} is missing: run UPDATE_GOLDEN=1 pytest, and read what it wrote"
    assert text == path.read_text(), f"{path} is not so any more (UPDATE_GOLDEN=1 writes it anew)"


class Readable(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and every value in full."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    )


Readable.add_representer(str, _text)


def as_yaml(*documents: object) -> str:
    """Return the documents as YAML a person can read."""
    return yaml.dump_all(documents, Dumper=Readable, sort_keys=False)
