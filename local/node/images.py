"""The node's catalogue: from an image's name to what a container of it finds in its sandbox."""

from __future__ import annotations

import functools
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from local.node.errors import CannotStart
from local.node.sandbox import Mount

PACKAGE = Path(__file__).parent
CHECKOUT = PACKAGE.parent.parent
_REGISTRY = re.compile(r"^[^/]*[.:][^/]*/|^localhost/")
_VERSION = re.compile(r"^\d+\.\d+\.\d+")


@dataclass(frozen=True, slots=True)
class ImageName:
    """An image reference, split; the registry does not matter on a laptop."""

    repository: str
    tag: str

    @property
    def short(self) -> str:
        return f"{self.repository}:{self.tag}"

    @property
    def version(self) -> str:
        match = _VERSION.match(self.tag)
        return match[0] if match else self.tag


@dataclass(frozen=True, slots=True)
class Image:
    """What an image brings along."""

    name: str
    mounts: tuple[Mount, ...] = ()
    directories: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    workdir: str = "/"
    user: str = "0"
    users: Mapping[str, int] = field(default_factory=dict)


def parse_image_name(text: str) -> ImageName:
    """Split an image reference; raises CannotStart for one that is none."""
    if not text or text != text.strip() or "//" in text or text.endswith(":"):
        raise CannotStart(
            "InvalidImageName", f'Failed to apply default image tag "{text}": invalid reference'
        )
    path = _REGISTRY.sub("", text.partition("@")[0]).removeprefix("library/")
    repository, _, tag = path.partition(":")
    return ImageName(repository, tag or "latest")


class Catalogue:
    """The entries of images.yaml, those of the user first."""

    def __init__(self, state: Path) -> None:
        self._user_file = state / "images.yaml"

    def entry(self, name: ImageName) -> dict[str, Any]:
        """The entry that answers to a name; raises CannotStart and says what there is."""
        entries = [*_load(self._user_file), *_load(PACKAGE / "images.yaml")]
        for entry in entries:
            if any(fnmatchcase(name.short, pattern) for pattern in entry["names"]):
                return entry
        known = ", ".join(pattern for entry in entries for pattern in entry["names"])
        raise CannotStart(
            "ErrImagePull",
            f'no image "{name.short}" on this laptop; it has {known}. '
            f"More can be described in {self._user_file}",
        )


def _load(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        entries = yaml.safe_load(path.read_text()) or []
    except yaml.YAMLError as error:
        raise CannotStart("ErrImagePull", f"{path} is not YAML: {error}") from error
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and isinstance(entry.get("names"), list) for entry in entries
    ):
        raise CannotStart("ErrImagePull", f"{path} must be a list of entries, each with `names`")
    return entries


def image(name: ImageName, entry: Mapping[str, Any], pulled: Path | None) -> Image:
    """Fill the placeholders of an entry. Java's and Python's folders come from this machine."""
    values = {
        "tag": name.tag,
        "version": name.version,
        "pulled": str(pulled or ""),
        "package": str(PACKAGE),
        "checkout": str(CHECKOUT),
        "venv": sys.prefix,
        "python": sys.base_prefix,
    }
    fill = functools.partial(_filled, values=values)
    env = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        **({"JAVA_HOME": str(java)} if (java := java_home()) else {}),
        **fill(entry.get("env", {})),
    }
    return Image(
        name=name.short,
        mounts=(*_java_mounts(), *_mounts(fill(entry.get("mounts", {})))),
        directories=tuple(fill(entry.get("directories", []))),
        env=env,
        entrypoint=tuple(fill(entry.get("entrypoint", []))),
        command=tuple(fill(entry.get("command", []))),
        workdir=fill(entry.get("workdir", "/")),
        user=str(entry.get("user", "0")),
        users=entry.get("users", {}),
    )


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), value)
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    return {_filled(key, values): _filled(item, values) for key, item in value.items()}


def _mounts(entries: Mapping[str, str]) -> list[Mount]:
    """Read-only mounts; what lies under /usr is there already."""
    found = []
    for target, source in entries.items():
        if not Path(source).exists():
            raise CannotStart("ErrImagePull", f"the catalogue puts {source} at {target}: not there")
        if not (source == target and source.startswith("/usr")):
            found.append(Mount(Path(source), target, read_only=True))
    return found


@functools.cache
def java_home() -> Path | None:
    """The folder of the Java runtime that this machine runs by default, if it has one."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None) or shutil.which("java")
    return Path(java).resolve().parent.parent if java else None


def _java_mounts() -> list[Mount]:
    home = java_home()
    return _mounts({str(home): str(home)}) if home else []
