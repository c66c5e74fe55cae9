"""The one process on the host: it owns the host's ports and ends with the platform.

A process inside the platform's network cannot open a port of the host. It asks here, over a
socket pair, for a listening socket (`{"id": .., "listen": PORT}`) or a connection to the outside
(`{"id": .., "connect": [HOST, PORT]}`) and receives it as a passed file descriptor.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from local.platform import state as state_folder
from local.platform.state import Process, Record, State

MESSAGE_BYTES = 4096
CONNECT_SECONDS = 10.0
NAMESPACES = ("--user", "--map-root-user", "--net", "--mount", "--pid", "--ipc", "--uts")


def main(arguments: Sequence[str]) -> int:
    """Start the platform's first process, serve its requests, end when it ends."""
    options = _options(arguments)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    lifeline, held = os.pipe()
    lifeline_held = os.fdopen(held, "wb")
    child = subprocess.Popen(
        _first_process(options, theirs.fileno(), lifeline),
        pass_fds=(theirs.fileno(), lifeline, options.api_fd, options.ingress_fd),
        stdin=subprocess.DEVNULL,
    )
    theirs.close()
    os.close(lifeline)
    threading.Thread(target=_record_when_started, args=(options, child.pid), daemon=True).start()
    threading.Thread(target=_serve, args=(ours,), daemon=True).start()
    # A closed lifeline tells the inside to stop; the file descriptor is held open until then.
    signal.signal(signal.SIGTERM, lambda *_: lifeline_held.close())
    code = child.wait()
    State(options.state).record_file.unlink(missing_ok=True)
    return code


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.platform.outside")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--api-fd", type=int, required=True)
    parser.add_argument("--ingress-fd", type=int, required=True)
    parser.add_argument("--without", default="")
    parser.add_argument("--eventing", default="")
    return parser.parse_args(arguments)


def _first_process(options: argparse.Namespace, requests: int, lifeline: int) -> list[str]:
    return [
        *("unshare", *NAMESPACES, "--fork", "--mount-proc", "--kill-child"),
        *(sys.executable, "-m", "local.platform.init"),
        *("--state", str(options.state), "--without", options.without),
        *("--eventing", options.eventing),
        *("--api-fd", str(options.api_fd), "--ingress-fd", str(options.ingress_fd)),
        *("--outside-fd", str(requests), "--lifeline-fd", str(lifeline)),
    ]


def _record_when_started(options: argparse.Namespace, unshare: int) -> None:
    """Write down the first process's number as the host sees it (inside it is 1)."""
    exited = threading.Event()
    while state_folder.start_time(unshare) is not None:
        if found := state_folder.children_of(unshare):
            record = Record(
                outside=Process.of(os.getpid()),
                init=Process.of(found[0]),
                api_port=_port(options.api_fd),
                ingress_port=_port(options.ingress_fd),
            )
            State(options.state).write_record(record)
            return
        exited.wait(0.01)


def _port(descriptor: int) -> int:
    listener = socket.socket(fileno=os.dup(descriptor))
    with listener:
        port: int = listener.getsockname()[1]
        return port


def _serve(requests: socket.socket) -> None:
    while message := requests.recv(MESSAGE_BYTES):
        threading.Thread(target=_answer, args=(requests, message), daemon=True).start()


def _answer(requests: socket.socket, message: bytes) -> None:
    request = json.loads(message)
    try:
        found = _socket_for(request)
    except OSError as error:
        failure = {"id": request["id"], "error": error.strerror or str(error)}
        requests.send(json.dumps(failure).encode())
        return
    with found:
        answer = {"id": request["id"], "port": found.getsockname()[1]}
        socket.send_fds(requests, [json.dumps(answer).encode()], [found.fileno()])


def _socket_for(request: dict[str, object]) -> socket.socket:
    match request:
        case {"listen": int(port)}:
            return listen(port)
        case {"connect": [str(host), int(port)]}:
            return socket.create_connection((host, port), timeout=CONNECT_SECONDS)
        case _:
            raise OSError(errno.EINVAL, f"not a request: {request}")


def listen(port: int) -> socket.socket:
    """Open a listening socket on this host's loopback only; 0 means any free port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
