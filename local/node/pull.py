"""Fetch what an image needs into the cache.

Inside the platform there is no way to the internet but the platform's own proxy, which
`ZOOKEEPER_FUNCTIONS_EGRESS` names; outside, Maven goes its usual way. A fetch goes to a temporary
folder that is renamed when complete, under a file lock, so fetches by several platforms share one
result and the next one removes what a killed one left. `python -m local.node.pull zookeeper:3.9.5`
fetches ahead of time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

from local.node.errors import CannotStart
from local.node.images import PACKAGE, Catalogue, image, parse_image_name
from local.node.jars import JarList, candidates
from local.node.sandbox import Mount, Sandbox, command_line

PULL_SECONDS = 300.0
RECORD_SECONDS = 60.0
EGRESS = "ZOOKEEPER_FUNCTIONS_EGRESS"

log = logging.getLogger("pull")


def cache_folder() -> Path:
    """Where fetched images stay between platforms."""
    if own := os.environ.get("ZOOKEEPER_FUNCTIONS_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zookeeper-functions"


def zookeeper_folder(version: str) -> Path:
    return cache_folder() / "images" / f"zookeeper-{version}"


async def fetch(version: str) -> Path:
    """Return the folder with ZooKeeper's jars, fetched if need be; raises CannotStart."""
    candidates(version)
    folder = zookeeper_folder(version)
    if folder.exists():  # It was renamed when it was complete, so a shared cache may be read-only.
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    async with _locked(folder.with_name(f"{folder.name}.lock")):
        if folder.exists():
            return folder
        prefix = f".pull-{version}-"
        for left in folder.parent.glob(f"{prefix}*"):
            shutil.rmtree(left, ignore_errors=True)  # Of a fetch that was killed: we hold its lock.
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=prefix) as temporary:
            work = Path(temporary) / "image"
            (work / "lib").mkdir(parents=True)
            await _get_jars(version, Path(temporary), work / "lib")
            await _record_classes(version, work)
            work.rename(folder)
    return folder


@contextlib.asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    with path.open("w") as file:
        await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
        yield


async def _get_jars(version: str, project: Path, lib: Path) -> None:
    home = os.environ.get("ZOOKEEPER_HOME")
    if home and (Path(home) / "lib" / f"zookeeper-{version}.jar").exists():
        for jar in (Path(home) / "lib").glob("*.jar"):
            shutil.copy2(jar, lib / jar.name)
        return
    if not shutil.which("mvn"):
        raise CannotStart(
            "ErrImagePull",
            f"ZooKeeper {version} is not in the cache and Maven is missing: install the package "
            "maven, or set ZOOKEEPER_HOME to an unpacked distribution of this version",
        )
    said = ""
    for jars in candidates(version):
        said = await _copy_dependencies(jars, project, lib)
        if not said:
            return
        if f"zookeeper-prometheus-metrics:jar:{jars.metrics}" not in said:
            break
    raise CannotStart("ErrImagePull", _explained(version, said))


async def _copy_dependencies(jars: JarList, project: Path, lib: Path) -> str:
    """Run Maven; an empty answer is success."""
    (project / "pom.xml").write_text(jars.pom())
    command = [*jars.command(str(lib)), *_through_proxy(os.environ.get(EGRESS, ""))]
    return await _run(command, project, PULL_SECONDS)


def _through_proxy(egress: str) -> list[str]:
    """Java's settings for a proxy; the last one is for Maven 3.9, which ignores them otherwise."""
    parts = urlsplit(egress)
    if not parts.hostname:
        return []
    return [
        *(f"-D{scheme}.proxyHost={parts.hostname}" for scheme in ("http", "https")),
        *(f"-D{scheme}.proxyPort={parts.port or 3128}" for scheme in ("http", "https")),
        "-Daether.connector.http.useSystemProperties=true",
    ]


def _explained(version: str, said: str) -> str:
    if f"org.apache.zookeeper:zookeeper:jar:{version}" in said and (
        "Could not find" in said or "was not found" in said
    ):
        return f"Maven has no ZooKeeper {version}"
    first = next((line for line in said.splitlines() if "ERROR" in line), said)
    return f"ZooKeeper {version} could not be fetched with Maven: {first[:400]}"


async def _record_classes(version: str, work: Path) -> None:
    """Make the class archive; without it servers only start more slowly, so failing is said."""
    name = parse_image_name(f"zookeeper:{version}")
    made = image(name, Catalogue(work).entry(name), work)
    script = "/record-classes.sh"
    sandbox = Sandbox(
        command=(script,),
        network=None,
        hostname="record-classes",
        mounts=(
            *made.mounts,
            Mount(PACKAGE / "zookeeper/record-classes.sh", script, read_only=True),
            Mount(work / "lib", "/out"),
        ),
        directories=made.directories,
        extra=("--unshare-net",),
    )
    said = await _run(command_line(sandbox, 2), work, RECORD_SECONDS, dict(made.env))
    if not (work / "lib" / "classes.jsa").exists():
        log.warning("no class archive for ZooKeeper %s: %s", version, said[-500:])


async def _run(
    command: list[str], folder: Path, seconds: float, env: dict[str, str] | None = None
) -> str:
    """Run a command; returns what it said when it failed, else nothing."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"ERROR {command[0]} did not finish within {seconds:.0f} s"
    text = said.decode(errors="replace")
    return (text or f"ERROR exit code {process.returncode}") if process.returncode else ""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.node.pull", description=__doc__)
    parser.add_argument(
        "image", nargs="?", help="fetch this image now, for example zookeeper:3.9.5"
    )
    parser.add_argument("--state", type=Path, default=Path(".local"), help="the state folder")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        log.info("%s", asyncio.run(fetch(parse_image_name(arguments.image).version)))
    except CannotStart as error:
        raise SystemExit(error.message) from error


if __name__ == "__main__":
    main()
