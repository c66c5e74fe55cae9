"""What Java knows of a ZooKeeper beforehand, so that its servers take half as long to start.

Java writes it down as a server ends that was asked to (dynamic archives, JEP 350). The laptop's
images have one too, but of the paths inside of their sandbox: an archive fits one class path.
"""

from __future__ import annotations

import fcntl
import socket
import tempfile
from pathlib import Path

from tests.contract.processes import running, until

FOLDER = Path(__file__).parents[2] / "build" / "class-archives"
# Java takes an archive only with the collector that it was written with.
JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
# An archive of another Java is no error: the server starts as slowly as without.
QUIET = ("-Xshare:auto", "-Xlog:disable", "-Xlog:all=error:stderr")
SERVER = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
HOST = "127.63.255.1"
PORT = 2181
SECONDS = 2.0


def class_path(lib: Path) -> str:
    """Return the jars in an order that stays."""
    return ":".join(str(jar) for jar in sorted(lib.glob("*.jar")))


def archived_classes(lib: Path) -> tuple[str, ...]:
    """Return the flags that use the archive of these jars, made once for a checkout."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    archive = FOLDER / f"{lib.parent.name}.jsa"
    with archive.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not archive.exists() or archive.stat().st_mtime < _newest(lib):
            _record(lib, archive)
    return (*QUIET, f"-XX:SharedArchiveFile={archive}")


def _newest(lib: Path) -> float:
    java = Path("/usr/bin/java").resolve()
    return max(path.stat().st_mtime for path in (lib, java) if path.exists())


def _record(lib: Path, archive: Path) -> None:
    """Let a server of one's own serve, and keep what it wrote as it ended."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        home = Path(folder)
        (home / "myid").write_text("1\n")
        settings = {
            "dataDir": home,
            "initLimit": 10,
            "syncLimit": 5,
            "standaloneEnabled": "false",
            "reconfigEnabled": "true",
            "4lw.commands.whitelist": "*",
            "admin.serverPort": 8080,
            "server.1": f"{HOST}:2888:3888;{HOST}:{PORT}",
        }
        (home / "zoo.cfg").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        written = home / "classes.jsa"
        command = [
            *("java", *JVM, f"-XX:ArchiveClassesAtExit={written}", "-Xlog:disable"),
            *("-Dzookeeper.admin.serverAddress=" + HOST, "-cp", class_path(lib)),
            *(SERVER, str(home / "zoo.cfg")),
        ]
        with running(command, home / "log", cwd=home):
            until(_serves, "a server to learn the classes of")
        written.rename(archive)


def _serves() -> bool:
    """Whether it leads: before that it has not met half of its classes."""
    try:
        with socket.create_connection((HOST, PORT), SECONDS) as asked:
            asked.settimeout(SECONDS)
            asked.sendall(b"srvr")
            return b"Mode: leader" in asked.makefile("rb").read()
    except OSError:
        return False
