"""Making ZooKeeper's key stores of a pod's Secrets, and again whenever a Secret changes.

The preparation makes them before the server starts, the agent renews them: a server notices a file
that was renamed into place, but not the link that a Secret's volume moves.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from functions.pods.pem import key_store, trust_store

log = logging.getLogger("tls")

KEY_STORE = "keystore.pem"
TRUST_STORE = "truststore.pem"
# kubelet itself takes up to a minute to bring a changed Secret into a pod.
PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Stores:
    """Where the Secrets of a pod are and where ZooKeeper's stores; `parts` says for what."""

    secrets: Path
    stores: Path
    parts: tuple[str, ...]

    @classmethod
    def named_by(cls, environment: Mapping[str, str]) -> Stores | None:
        """Return what a container's environment names; nothing for a cluster without TLS."""
        parts = tuple(environment.get("TLS_PARTS", "").split())
        if not parts:
            return None
        return cls(Path(environment["TLS_SECRETS"]), Path(environment["TLS_STORES"]), parts)


def write_stores(stores: Stores) -> tuple[str, ...]:
    """Bring every store to what its Secret says; return for what something was written.

    Raises ValueError, or OSError, when a Secret's files are not usable; the stores that are there
    stay as they are then.
    """
    return tuple(part for part in stores.parts if _write_part(stores, part))


def _write_part(stores: Stores, part: str) -> bool:
    # Through the link once, so that all files are of one version of the Secret.
    secret = (stores.secrets / part / "..data").resolve(strict=True)
    chain, key = (secret / "tls.crt").read_text(), (secret / "tls.key").read_text()
    authority = secret / "ca.crt"
    wanted = {KEY_STORE: key_store(chain, key)}
    if authority.is_file():
        wanted[TRUST_STORE] = trust_store(authority.read_text())
    folder = stores.stores / part
    changed = [name for name, text in wanted.items() if not _is_written(folder / name, text)]
    for name in changed:
        _write(folder / name, wanted[name])
    return bool(changed)


def make_stores(environment: Mapping[str, str]) -> bool:
    """Make the stores that the server starts with; false when a Secret is not usable."""
    stores = Stores.named_by(environment)
    if stores is None:
        return True
    told = _attempt(stores)
    log.info("key stores: %s", told or "as the Secrets say")
    return not told


def renew_stores(stores: Stores, moments: Iterable[None]) -> None:
    """Bring the stores to what the Secrets say at each moment; say each trouble once."""
    said = ""
    for _ in moments:
        told = _attempt(stores)
        if told and told != said:
            log.warning("the key stores stay as they are: %s", told)
        said = told


def every_moment() -> Iterator[None]:
    while True:
        time.sleep(PAUSE_SECONDS)
        yield


def _attempt(stores: Stores) -> str:
    """Return what is wrong with a Secret, if anything."""
    try:
        written = write_stores(stores)
    except (OSError, ValueError) as error:
        return str(error)
    if written:
        log.info("wrote the key stores for %s", ", ".join(written))
    return ""


def _is_written(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


def _write(path: Path, text: str) -> None:
    """Rename it into place, which a server that watches the folder notices."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    aside.replace(path)
