"""Real servers that start as pods do: prepared first, by what the cluster's status says.

A restore is played on them by hand, with the programs of its Jobs; the store is in memory, the API
server is a dictionary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from functions.adapters.memory import MemoryObjectStore
from functions.adapters.stores.port import ObjectStore
from functions.adapters.words import ask, parse_stats
from functions.adapters.zookeeper import ZooKeeperServers
from functions.api.errors import Unavailable
from functions.backups.making import Made, Origin, Target, Work, make
from functions.backups.manifest import FILES
from functions.backups.taking import ServerFolders, Taking, take
from functions.planning.ensemble import Login, ServerStats
from functions.planning.member_list import host_of, parse_member
from functions.pods.arm import arm
from functions.pods.clean import clean
from functions.pods.copy_out import committed
from functions.pods.prepare import Outside, prepare
from functions.pods.progress import Progress
from functions.pods.stage import stage
from tests.contract.ensemble import PORT, RealEnsemble
from tests.contract.processes import START_SECONDS, running, until

CLOSED = 2189
KEY = "default/nightly/once/pod"
UID = "7a1e-restore"

# (what has to hold, how that is called) -> once it holds.
Wait = Callable[[Callable[[], bool], str], object]


@dataclass(slots=True)
class RestorableEnsemble(RealEnsemble):
    """Servers whose volumes a restore works on; `status` is the cluster's, None: nobody answers."""

    store: ObjectStore = field(default_factory=MemoryObjectStore)
    status: dict[str, Any] | None = None
    has_log_volume: bool = False
    # A server whose list was made from the record listens on all addresses of this machine.
    ports: dict[int, tuple[int, int]] = field(default_factory=dict)

    def start(self, *ids: int, extra: str = "", version: int = 0) -> None:  # noqa: ARG002
        for id in ids:
            home = self.folder / str(id)
            if home.exists():
                assert self.prepare(id) == 0, f"server {id} may not start"
            else:
                self._create(id, home)
            stack = ExitStack()
            log = home / "log.txt"
            stack.enter_context(running(self._java(home), log, cwd=home))
            self.running[id] = stack

    def prepare(self, id: int, seconds: float = START_SECONDS) -> int:
        """Do what the init container does; return its exit code."""
        return prepare(self.environment(id), Outside(self._read, lambda _: {"1.2.3.4"}, seconds))

    def environment(self, id: int, **more: str) -> dict[str, str]:
        """Return the environment of a pod's programs, and of a Job's for that server."""
        home = self.folder / str(id)
        data = home / "data"
        client, closed = self.ports.get(id, (PORT, CLOSED))
        return {
            "CLUSTER": "zk", "NAMESPACE": "apps", "POD_NAME": f"zk-{id - 1}",
            "POD_UID": f"pod-{id}", "POD_IP": "1.2.3.4", "CLAIM": "data", "DOMAIN": "zk",
            "CLIENT_PORT": str(client), "QUARANTINE_PORT": str(closed), "FOLLOWER_PORT": "2888",
            "LEADER_ELECTION_PORT": "3888", "DATA_DIR": str(data),
            "DATA_LOG_DIR": str(home / "wal" if self.has_log_volume else data),
            "CFG_DIR": str(data / "conf"), "RAW_CFG_DIR": str(home / "raw"),
            "STATIC_CONFIG": "zoo.cfg", "RESTORE_UID": UID, "KEY": KEY, "EPOCH": "0", **more,
        }  # fmt: skip

    def back_up(self, id: int) -> Made:
        """Make a backup of a server's volume, as the Job beside it does."""
        environment = self.environment(id, SERVER_HOST=self.host(id), CLIENT_PORT=str(PORT))
        folders = ServerFolders(
            Path(environment["DATA_DIR"]) / "version-2",
            Path(environment["DATA_LOG_DIR"]) / "version-2",
        )
        origin = Origin("zk", "default", f"zk-{id - 1}", id, self.version, ())
        prefix, _, pod = KEY.rpartition("/")

        def taken(outbox: Any) -> Any:
            return take(Taking(folders, outbox, lambda: committed(environment))), FILES, ""

        return make(Target(self.store, prefix, pod), origin, Work(take=taken))

    def stage(self) -> list[dict[str, Any]]:
        """Bring the backup to every server's volumes, and arm them."""
        told = []
        for id in self.ids:
            told.append(stage(self.environment(id), lambda: self.store, Progress()))
            arm(self.environment(id))
        return told

    def step(self, step: str) -> None:
        self.status = self.recorded(operation={"type": "Restore", "step": step, "ownerUid": UID})

    def settle(self, *, restored: bool) -> None:
        """Let the operation end, and the volumes be cleaned of what the restore left."""
        self.status = self.recorded(**({"restored": UID} if restored else {}))
        for id in self.ids:
            clean(self.environment(id, OUTCOME="restored" if restored else "kept"))

    def swap(self, wait: Wait = until) -> None:
        """Stop everything, and start it behind the closed port with what was staged.

        Who measures waits in a way of its own, which looks more often.
        """
        self.step("Stop")
        self.stop(*self.ids)
        self.step("Start")
        self.start(*self.ids)
        wait(lambda: self.serves(CLOSED), "all serve behind the closed port")

    def open(self) -> None:
        """Give every member its client port back by one change of the list."""
        self.step("Open")
        servers, host = ZooKeeperServers(), self.host(1)
        servers.reconfigure(
            host, CLOSED,
            joining=",".join(self.lines), leaving="",
            from_config=servers.config(host, CLOSED).version, login=Login([self.password]),
        )  # fmt: skip

    def serves(self, port: int) -> bool:
        """Whether every server serves behind that port."""
        return all(self.stats(id, port) for id in self.ids)

    def stats(self, id: int, port: int) -> ServerStats | None:
        try:
            found = parse_stats(ask("srvr", self.host(id), port, timeout=2), "")
        except Unavailable:
            return None
        return found if found.mode else None

    def leader(self, port: int = PORT) -> int:
        def led_by(id: int) -> bool:
            found = self.stats(id, port)
            return found is not None and found.mode == "leader"

        return until(lambda: next(filter(led_by, self.ids), None), "a leader")

    @property
    def ids(self) -> list[int]:
        return [parse_member(line).id for line in self.lines]

    @property
    def hosts(self) -> str:
        return ",".join(f"{self.host(id)}:{PORT}" for id in self.ids)

    def host(self, id: int) -> str:
        return host_of(parse_member(self.lines[id - 1]))

    def recorded(self, **more: Any) -> dict[str, Any]:
        """Return the cluster's status."""
        members = [parse_member(line) for line in self.lines]
        listed = [{"id": member.id, "role": member.role} for member in members]
        return {"bootstrap": {"state": "completed"}, "members": listed, **more}

    def _read(self, path: str) -> dict[str, Any] | None:
        if self.status is None:
            raise Unavailable("the API server is away")
        is_claim = "persistentvolumeclaims" in path
        return {"metadata": {"uid": "claim"}} if is_claim else {"status": self.status}

    def _create(self, id: int, home: Path) -> None:
        """Make a volume that has its list and the right to vote, as the first creation does."""
        data, raw = home / "data", home / "raw"
        logs = Path(self.environment(id)["DATA_LOG_DIR"])
        for folder in (data / "conf", raw, logs):
            folder.mkdir(parents=True, exist_ok=True)
        own = data / "conf/zoo.cfg.dynamic"
        own.write_text("".join(f"{line}\n" for line in self.lines))
        text = "".join(f"{k}={v}\n" for k, v in self._settings(data, logs).items())
        (raw / "zoo.cfg").write_text(f"{text}dynamicConfigFile={data}/zoo.cfg.dynamic\n")
        (data / "conf/zoo.cfg").write_text(f"{text}dynamicConfigFile={own}\n")
        (data / "myid").write_text(f"{id}\n")
        (logs / "initialize").write_text("")

    def _settings(self, data: Path, logs: Path) -> Mapping[str, Any]:
        return {
            "tickTime": 500,
            "initLimit": 20,
            "syncLimit": 10,
            "dataDir": data,
            **({"dataLogDir": logs} if self.has_log_volume else {}),
            "standaloneEnabled": "false",
            "reconfigEnabled": "true",
            "db.autocreate": "false",
            "4lw.commands.whitelist": "srvr,conf,ruok",
            "admin.enableServer": "false",
            **self.settings,
        }

    def _java(self, home: Path) -> list[str]:
        names = home / "hosts"
        names.write_text("".join(f"{self.host(id)} zk-{id - 1}.zk\n" for id in self.ids))
        command = [*self._command(home)[:-1], str(home / "data/conf/zoo.cfg")]
        return [command[0], f"-Djdk.net.hosts.file={names}", *command[1:]]
