"""A newcomer: somebody with a fresh checkout, their own home and the caches of this machine."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from local.control_plane.binaries import cache_folder

CHECKOUT = Path(__file__).parents[2]
SECONDS = 240
# No account has it: a user of whom the machine knows nothing but the number.
STRANGER = 54321

Completed = subprocess.CompletedProcess[str]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Runs commands in a checkout of their own, as themselves."""

    base: Path
    uid: int
    python: str
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def checkout(self) -> Path:
        return self.base / "checkout"

    @property
    def environment(self) -> dict[str, str]:
        """No more than a fresh login has, and where the caches are."""
        return {
            "HOME": str(self.base / "home"),
            "TMPDIR": str(self.base / "tmp"),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "ZOOKEEPER_FUNCTIONS_CACHE": str(self.base / "cache"),
            **{name: text for name, text in os.environ.items() if name.lower().endswith("_proxy")},
            **self.extra,
        }

    def with_(self, **extra: str) -> Newcomer:
        return replace(self, extra={**self.extra, **extra})

    def make(self, *words: str) -> Completed:
        return self.run("make", "--no-print-directory", f"PYTHON={self.python}", *words)

    def run(self, *command: str) -> Completed:
        become = [] if self.uid == os.geteuid() else _become(self.uid)
        return subprocess.run(
            [*become, *command],
            cwd=self.checkout,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


def _become(uid: int) -> list[str]:
    setpriv = shutil.which("setpriv") or "setpriv"
    return [setpriv, f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--"]


@contextmanager
def newcomer(uid: int) -> Iterator[Newcomer]:
    """Everything the newcomer has; gone afterwards."""
    # Not below pytest's folder, which nobody else may enter.
    base = Path(tempfile.mkdtemp(prefix="zookeeper-functions-newcomer-"))
    try:
        base.chmod(0o755)
        for name in ("home", "tmp", "cache"):
            (base / name).mkdir()
        _copy_checkout(base / "checkout")
        for part in ("control-plane", "images"):
            if (cache_folder() / part).exists():
                _link_tree(cache_folder() / part, base / "cache" / part)
        _give(base, uid)
        yield Newcomer(base, uid, _python_for(uid))
    finally:
        shutil.rmtree(base)


def _copy_checkout(target: Path) -> None:
    """Copy what git knows or would take, so that nothing else can be needed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, listed):
        if (CHECKOUT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, target / name)


def _link_tree(source: Path, target: Path) -> None:
    """Copy a file or a tree without copying what is in files, where the file system allows."""
    if source.is_file():
        _link(str(source), str(target))
        return
    unfinished = shutil.ignore_patterns(".*")
    shutil.copytree(source, target, copy_function=_link, ignore=unfinished, symlinks=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _give(folder: Path, uid: int) -> None:
    """Make the newcomer the owner of every folder and file, but of none that others share."""
    for place, _, files in os.walk(folder):
        os.chown(place, uid, -1)
        for name in files:
            path = Path(place, name)
            if path.lstat().st_nlink == 1:
                os.chown(path, uid, -1, follow_symlinks=False)


def _python_for(uid: int) -> str:
    """Return a Python of the version that runs the tests, which that user may run."""
    minor = f"python{sys.version_info.major}.{sys.version_info.minor}"
    own = str(Path(sys.base_prefix, "bin", minor))
    if uid == os.geteuid() or _may_run(own, uid):
        return own
    return str(Path("/usr/bin", minor))


def _may_run(program: str, uid: int) -> bool:
    # Through a shell: setpriv itself still has the right to look into any folder.
    command = [*_become(uid), "sh", "-c", f"exec {shlex.quote(program)} --version"]
    asked = subprocess.run(command, capture_output=True, timeout=30, check=False)
    return asked.returncode == 0


def lend_environment(to: Newcomer) -> None:
    """Give the newcomer an installed environment: what `make setup` makes, without a download."""
    done = to.run(to.python, "-m", "venv", "--without-pip", ".venv")
    assert done.returncode == 0, done.stderr
    ours, theirs = Path(sysconfig.get_path("purelib")), to.checkout / ".venv"
    packages = theirs / ours.relative_to(sys.prefix)
    for found in ours.iterdir():
        if found.suffix != ".pth" and not found.name.startswith("__editable__"):
            _link_tree(found, packages / found.name)
    (packages / "checkout.pth").write_text(str(to.checkout))
    _link(str(Path(sys.prefix, "bin", "rclone")), str(theirs / "bin" / "rclone"))
    script = theirs / "bin" / "functions-framework"
    lines = (Path(sys.prefix) / "bin" / script.name).read_text().splitlines(keepends=True)
    script.write_text("".join([f"#!{theirs}/bin/python\n", *lines[1:]]))
    script.chmod(0o755)
    (theirs / "installed").write_text(f"{to.checkout}\n")
    _give(theirs, to.uid)
