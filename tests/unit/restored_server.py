"""A server's volumes with its own data and a staged backup, on real files, for the tests."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from functions.pods.disk import Folders
from functions.pods.restore_folder import restore_folders, write_history

UID = "uid-1"
LINES = (
    "server.1=zk-0.zk:2888:3888:participant;0.0.0.0:2181\n"
    "server.2=zk-1.zk:2888:3888:participant;0.0.0.0:2181\n"
)
PENDING = LINES + "server.3=zk-2.zk:2888:3888:participant;0.0.0.0:2181\nversion=100000009\n"
KILLED = 9

_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir"}


@dataclass(frozen=True)
class Volumes:
    """Where one server's things lie below a folder; its log has a volume of its own, or not."""

    root: Path
    has_log_volume: bool

    @property
    def folders(self) -> Folders:
        data = self.root / "data"
        log = self.root / "log" if self.has_log_volume else data
        return Folders(data, log, data / "conf", self.root / "raw", "zoo.cfg")

    def fill(self, history: str = "") -> None:
        """Let the server have served: data, epochs, its own list, one that is pending."""
        folders = self.folders
        for folder in {folders.snapshots, folders.logs, folders.config, folders.raw_config}:
            folder.mkdir(parents=True, exist_ok=True)
        own = folders.config / "zoo.cfg.dynamic.100000007"
        raw = f"dataDir={folders.data}\ndynamicConfigFile={folders.data}/zoo.cfg.dynamic\n"
        (folders.raw_config / "zoo.cfg").write_text(raw)
        folders.static_file.write_text(f"dataDir={folders.data}\ndynamicConfigFile={own}\n")
        own.write_text(LINES)
        folders.pending_list.write_text(PENDING)
        (folders.snapshots / "snapshot.400000000").write_text("own")
        (folders.logs / "log.400000001").write_text("own")
        (folders.snapshots / "acceptedEpoch").write_text("5\n")
        (folders.snapshots / "currentEpoch").write_text("4\n")
        (folders.data / "myid").write_text("1\n")
        write_history(folders.data, history)

    def stage(self, uid: str = UID, epoch: int = 3) -> None:
        """Put a backup beside the data, as `functions.pods.stage` and `arm` leave it."""
        folders = self.folders
        restores = restore_folders(folders.data, folders.log, uid)
        for restore in restores:
            restore.staged.mkdir(parents=True)
        (restores[0].staged / "snapshot.300000000").write_text("backup")
        (restores[-1].staged / "log.300000001").write_text("backup")
        (restores[0].staged / "acceptedEpoch").write_text("3\n")
        for restore in restores:
            restore.staged_record.write_text(json.dumps({"epoch": epoch}))
            restore.armed.write_text("")

    def copied_to(self, root: Path) -> Volumes:
        """Return the same at another place; nothing in it depends on the old one."""
        shutil.copytree(self.root, root)
        for file in [*root.rglob("zoo.cfg*"), *root.rglob("kept.json")]:
            file.write_text(file.read_text().replace(str(self.root), str(root)))
        return Volumes(root, self.has_log_volume)

    def held(self) -> dict[str, str]:
        """Return what a server finds: every file but those of the restore itself."""
        files = [path for path in self.root.rglob("*") if path.is_file()]
        return {
            str(path.relative_to(self.root)): self._text(path)
            for path in files
            if ".restore" not in path.parts and not path.name.endswith(".new")
        }

    def _text(self, path: Path) -> str:
        return path.read_text(errors="replace").replace(str(self.root), "")


def killed_at(number: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that dies right before its n-th change of the disk.

    Return whether it died: it does not once there are fewer changes than that.
    """
    process = os.fork()
    if process == 0:
        _die_at(number)
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, KILLED), "the work itself failed"
    return code == KILLED


def _die_at(number: int) -> None:
    left = number

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        writes = event == "open" and isinstance(arguments[1], str) and arguments[1] != "r"
        left -= writes or event in _CHANGES
        if left == 0:
            os._exit(KILLED)

    sys.addaudithook(count)
