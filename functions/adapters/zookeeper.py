"""ZooKeeper servers over the network: looking by four-letter words, changing through a session.

Looking never opens a session: a session is a transaction of its own, and an ensemble nobody
writes to must stay as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from functions.adapters.agent import AGENT_PORT, ask_config, ask_disk, ask_stats
from functions.adapters.digest_md5 import log_in
from functions.adapters.words import ask, parse_conf, parse_stats
from functions.api.errors import Conflict, Refused, Unavailable
from functions.manifests.digests import FUNCTIONS_USER, functions_password, super_user_digest
from functions.planning.ensemble import DiskReport, EnsembleConfig, Login, ServerStats, Trust
from functions.planning.member_list import parse_config

LOOK_SECONDS = 2.0
CHANGE_SECONDS = 10.0


class ZooKeeperServers:
    """Any ZooKeeper server by its address. Satisfies `functions.runtime.world.ZooKeeper`."""

    def __init__(
        self,
        *,
        look_seconds: float = LOOK_SECONDS,
        change_seconds: float = CHANGE_SECONDS,
        agent_port: int = AGENT_PORT,
    ) -> None:
        self._look = look_seconds
        self._change = change_seconds
        self._agent_port = agent_port

    def stats(self, host: str, port: int) -> ServerStats:
        """Ask `srvr`: mode (empty while the server serves nobody), zxid, version."""
        if port == self._agent_port:
            return ask_stats(host, port, timeout=self._look)
        return parse_stats(ask("srvr", host, port, timeout=self._look), f"{host}:{port}")

    def config(self, host: str, port: int) -> EnsembleConfig:
        """Ask `conf` for the committed member list, as this server knows it."""
        if port == self._agent_port:
            return ask_config(host, port, timeout=self._look)
        return parse_conf(ask("conf", host, port, timeout=self._look), f"{host}:{port}")

    def disk(self, host: str) -> DiskReport:
        """Ask the agent beside a server what its volume holds."""
        return ask_disk(host, self._agent_port)

    def reconfigure(
        self,
        host: str,
        port: int,
        *,
        joining: str,
        leaving: str,
        from_config: int,
        login: Login,
    ) -> EnsembleConfig:
        """Change the member list by compare-and-set on its version, as the super user.

        A server takes any number of identities; one with a wrong password is nobody's. But a login
        has to be the right one, and where clients have to log in, a server says so before it looks
        at a request: then every login is tried.
        """
        if from_config < 0:
            raise Refused("from_config must be a version that was read: -1 would overwrite any.")
        if not self.stats(host, self._agent_port if login.trust else port).mode:
            # Opening a session with it would only take longer to fail.
            raise Unavailable(f"{host}:{port} is not currently serving requests.")
        change = (joining or None, leaving or None, None, from_config)
        words = [None, *(functions_password(super_user_digest(it)) for it in login.passwords)]
        with _translated(f"{host}:{port}"):
            found = (self._changed(host, port, login, word, change) for word in words)
            data = next((data for data in found if data is not None), None)
            if data is None:
                raise Refused(f"{host}:{port} lets in only who logs in, and does not know us.")
            return parse_config(data.decode())

    def _changed(
        self,
        host: str,
        port: int,
        login: Login,
        password: str | None,
        change: tuple[object, ...],
    ) -> bytes | None:
        """Return the new member list; None when the server wants a password, or another one."""
        from kazoo.exceptions import SessionClosedRequireSaslError

        with self._session(host, port, login) as session:
            try:
                if password is not None:
                    log_in(session, FUNCTIONS_USER, password, self._change)
                data, _ = session.reconfig_async(*change).get(timeout=self._change)
            except SessionClosedRequireSaslError:
                return None
            return bytes(data)

    @contextmanager
    def _session(self, host: str, port: int, login: Login) -> Iterator[Any]:
        # Imported late: most calls of most functions only look.
        from kazoo.client import KazooClient
        from kazoo.handlers.threading import KazooTimeoutError

        handler = _handler(login.trust)
        session = KazooClient(
            handler=handler,
            hosts=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            timeout=self._change,
            auth_data=[("digest", f"super:{password}") for password in login.passwords],
            # A lost connection must not be mended behind our back: the request would be sent
            # again although it may have taken effect.
            connection_retry={"max_tries": 0},
            command_retry={"max_tries": 0},
            logger=_quiet(),
        )
        try:
            session.start(timeout=self._change)
        except KazooTimeoutError as error:
            session.close()
            raise Unavailable(
                f"{host}:{port} opens no session: {getattr(handler, 'failure', '') or error}. "
                "Nothing changed."
            ) from error
        try:
            yield session
        finally:
            session.stop()
            session.close()


def _handler(trust: Trust | None) -> Any:
    """Return what makes kazoo's connections; nothing: its own, without TLS."""
    if trust is None:
        return None
    # Imported late: few ensembles take sessions by TLS alone.
    from functions.adapters.encrypted import EncryptedHandler

    return EncryptedHandler(trust)


@contextmanager
def _translated(where: str) -> Iterator[None]:
    """Turn kazoo's errors into ours; what is not known to have failed is Unavailable."""
    from kazoo import exceptions
    from kazoo.handlers.threading import KazooTimeoutError

    try:
        yield
    except exceptions.BadVersionError as error:
        raise Conflict(f"The member list of {where} has another version by now.") from error
    except (exceptions.NoAuthError, exceptions.AuthFailedError) as error:
        raise Refused(
            f"{where} does not accept the super user's password. If its Secret was changed by "
            "hand, set spec.superUser.rotatedAt: that makes a new one, which the servers learn."
        ) from error
    except (exceptions.ReconfigDisabledError, exceptions.UnimplementedError) as error:
        raise Refused(f"{where} cannot change its member list: set reconfigEnabled.") from error
    except (exceptions.BadArgumentsError, exceptions.MarshallingError) as error:
        raise Refused(f"{where} refuses the new member list as malformed.") from error
    except exceptions.NewConfigNoQuorumError as error:
        raise Refused(f"{where}: no quorum of the new members is connected.") from error
    except exceptions.ReconfigInProcessError as error:
        raise Unavailable(f"{where}: another change of the member list is under way.") from error
    except (exceptions.KazooException, KazooTimeoutError, OSError) as error:
        raise Unavailable(
            f"{where}: it is not known whether the member list was changed "
            f"({type(error).__name__}); read it again."
        ) from error


def _quiet() -> logging.Logger:
    """Return a logger that only says what nobody else reports: errors here reach the caller."""
    logger = logging.getLogger("functions.zookeeper")
    logger.setLevel(logging.CRITICAL)
    return logger
