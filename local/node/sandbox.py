"""How one container is walled in: the bubblewrap command line, as a pure function.

The root is an empty memory file system, so that mount points can be made anywhere in it. The
machine's programs are put there read-only. Each container has its own users, processes, host name
and mounts; the network belongs to the pod and is entered before. In its user namespace exactly
one user exists: the one the container runs as, which is the platform's own user outside. That is
why volumes need no change of ownership (fsGroup has nothing to do).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BWRAP = "/usr/bin/bwrap"
NSENTER = "/usr/bin/nsenter"
SETSID = "/usr/bin/setsid"

_LINKS = {"usr/bin": "/bin", "usr/sbin": "/sbin", "usr/lib": "/lib", "usr/lib64": "/lib64"}
_ETC = ("alternatives", "ssl", "ca-certificates", "ld.so.cache", "localtime", "mime.types")


@dataclass(frozen=True, slots=True)
class Mount:
    """One file or folder of this machine at a path inside."""

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Everything that makes one container's surroundings, except its environment."""

    command: tuple[str, ...]
    network: Path | None
    hostname: str
    uid: int = 0
    gid: int = 0
    workdir: str = "/"
    mounts: tuple[Mount, ...] = ()
    directories: tuple[str, ...] = ()
    read_only_root: bool = False
    extra: tuple[str, ...] = ()


def command_line(sandbox: Sandbox, status_fd: int) -> list[str]:
    """The whole command; bubblewrap writes the container's process id to `status_fd`."""
    enter = [NSENTER, f"--net={sandbox.network}"] if sandbox.network else []
    return [
        *enter,
        BWRAP,
        *("--json-status-fd", str(status_fd)),
        *("--die-with-parent", "--as-pid-1"),
        *("--unshare-user", "--uid", str(sandbox.uid), "--gid", str(sandbox.gid)),
        *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", sandbox.hostname[:63]),
        *sandbox.extra,
        *_file_system(sandbox),
        *("--chdir", sandbox.workdir),
        "--",
        *sandbox.command,
    ]


def _file_system(sandbox: Sandbox) -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for target, link in _LINKS.items():
        yield from ("--symlink", target, link)
    yield from ("--proc", "/proc", "--dev", "/dev", "--ro-bind-try", "/sys", "/sys")
    for folder in ("/etc", "/tmp", "/run", "/var/tmp", "/home", "/root"):
        yield from ("--dir", folder)
    yield from ("--chmod", "1777", "/tmp", "--chmod", "1777", "/var/tmp")
    for source in _etc_sources():
        yield from ("--ro-bind", source, source)
    for folder in (*sandbox.directories, sandbox.workdir):
        yield from ("--dir", folder)
    # Outer mounts first, so that a volume may sit inside another one.
    for mount in sorted(sandbox.mounts, key=lambda mount: mount.target.rstrip("/").count("/")):
        yield "--ro-bind" if mount.read_only else "--bind"
        yield from (str(mount.source), mount.target)
    if sandbox.read_only_root:
        yield from ("--remount-ro", "/")


def _etc_sources() -> list[str]:
    """The parts of this machine's /etc that its programs need inside (Java keeps files there)."""
    etc = Path("/etc")
    wanted = [etc / name for name in _ETC] + sorted(etc.glob("java-*"))
    return [str(path) for path in wanted if path.exists()]


def enter_command(pid: int, command: list[str], workdir: str, *, tty: bool) -> list[str]:
    """Run one more command in the surroundings of a container whose first process is `pid`."""
    session = [SETSID, "--ctty", "--wait"] if tty else []
    return [
        *session,
        NSENTER,
        f"--target={pid}",
        *("--user", "--preserve-credentials", "--mount", "--uts", "--ipc", "--net", "--pid"),
        f"--wdns={workdir}",
        "--",
        *command,
    ]


def has_started(pid: int) -> bool:
    """True once the sandbox is built and bubblewrap has become the container's own command."""
    try:
        return Path(f"/proc/{pid}/exe").readlink() != Path(BWRAP).resolve()
    except OSError:
        return False
