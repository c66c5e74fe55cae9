"""`python -m local`: Kubernetes and Knative on this laptop. Try `python -m local up`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from local import audit, demo, demo_steps, rights
from local.control_plane import binaries
from local.faults import wish
from local.go_build import NoBinaries
from local.knative_eventing.checkout import NoCheckout
from local.platform import inside, start, stop
from local.platform.handle import Platform
from local.platform.health import ready_nodes
from local.platform.parts import CHECKOUT
from local.platform.state import NotOurs, State
from local.stores import place
from local.stores.services import host_endpoints

INTERRUPTED = 130
SINCE = "90s, 10m, 2h ago, or a time (RFC 3339)"

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code."""
    options = _parser().parse_args(arguments)
    state = State(options.state.absolute())
    try:
        return int(options.command(state, options))
    except audit.BadMoment as problem:
        print(problem, file=sys.stderr)
        return 2
    except (
        NoBinaries,
        NoCheckout,
        start.CannotStart,
        stop.CannotStop,
        inside.NotRunning,
        demo_steps.DemoFailed,
        NotOurs,
        PermissionError,
    ) as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _up(state: State, options: argparse.Namespace) -> int:
    without = frozenset(name for name in options.without.split(",") if name)
    wishes = start.Wishes(options.api_port, options.ingress_port, without, options.eventing)
    started = time.monotonic()
    record = start.up(state, wishes, _say)
    print(
        f"up after {time.monotonic() - started:.1f} s\n"
        f"  API server      https://127.0.0.1:{record.api_port}\n"
        f"  broker ingress  http://127.0.0.1:{record.ingress_port}/NAMESPACE/BROKER\n"
        f"  export KUBECONFIG={state.kubeconfig}\n"
        f'  export PATH="{state.folder / "bin"}:$PATH"   # kubectl {binaries.KUBERNETES_VERSION}'
    )
    return 0


def _demo(state: State, options: argparse.Namespace) -> int:
    wishes = start.Wishes(options.api_port, options.ingress_port)
    demo.run(state, wishes, _say)
    return 0


def _down(state: State, _options: argparse.Namespace) -> int:
    started = time.monotonic()
    if stop.down(state):
        print(f"down after {time.monotonic() - started:.1f} s")
    else:
        print("nothing is running")
    return 0


def _build(_state: State, _options: argparse.Namespace) -> int:
    found = binaries.ensure(_say)
    folders = sorted({str(path.parent) for path in found.paths.values()})
    print(f"Kubernetes {binaries.KUBERNETES_VERSION} is in {', '.join(folders)}")
    return 0


def _status(state: State, _options: argparse.Namespace) -> int:
    record = start.running_record(state)
    if record is None:
        print(f"no platform runs in {state.folder}")
        return 1
    print(f"API server https://127.0.0.1:{record.api_port}  kubeconfig {state.kubeconfig}")
    print(f"{'PART':26}{'STATE':10}{'FOR':>8}  RESTARTS")
    parts = state.parts()
    for name, part in parts.items():
        lasted = f"{time.time() - part['since']:.0f}s"
        print(f"{name:26}{part['state']:10}{lasted:>8}  {part['restarts']}")
    print(f"nodes ready: {', '.join(ready_nodes(state)) or 'none'}")
    for store, address in sorted(host_endpoints(state).items()):
        print(f"store {store}: {address} on this machine, {place.endpoint(store)} in pods")
    return 0 if all(part["state"] == "running" for part in parts.values()) else 1


def _logs(state: State, options: argparse.Namespace) -> int:
    wanted = [state.log_of(options.part)] if options.part else sorted(state.logs.glob("*.log"))
    missing = [path for path in wanted if not path.exists()]
    if missing or not wanted:
        known = ", ".join(path.stem for path in sorted(state.logs.glob("*.log"))) or "none"
        print(f"no log of {options.part or 'any part'} yet; there are: {known}", file=sys.stderr)
        return 1
    command = ["tail", "-n", str(options.lines), *(["-F"] if options.follow else [])]
    return subprocess.call([*command, *(str(path) for path in wanted)])


def _audit(state: State, options: argparse.Namespace) -> int:
    found = [c for c in audit.calls(state.logs, _since(options)) if _is_asked(c, options)]
    if options.writes:
        print(*(call for call in found if call.is_write), sep="\n")
    else:
        print(audit.table(audit.counts(found)))
    return 0


def _rights(state: State, options: argparse.Namespace) -> int:
    if start.running_record(state) is None:
        print(f"no platform runs in {state.folder}", file=sys.stderr)
        return 1
    shown = Platform(state.folder).kubectl("get", rights.KINDS, "-A", "-o", "json").stdout
    found = rights.uses(json.loads(shown)["items"], audit.calls(state.logs, _since(options)))
    print(rights.table(found))
    return 0


def _since(options: argparse.Namespace) -> datetime | None:
    return audit.moment(options.since, datetime.now(UTC)) if options.since else None


def _is_asked(call: audit.Call, options: argparse.Namespace) -> bool:
    is_caller = options.caller in audit.short(call.user)
    return is_caller and options.namespace in ("", call.namespace)


def _run(state: State, options: argparse.Namespace) -> int:
    command = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not command:
        print("say what to run: python -m local run -- COMMAND ...", file=sys.stderr)
        return 2
    inside.replace_by(state, command)
    return 0


def _store_secret(state: State, options: argparse.Namespace) -> int:
    if start.running_record(state) is None:
        print(f"no platform runs in {state.folder}", file=sys.stderr)
        return 1
    print(json.dumps(place.secret(state, options.namespace), indent=2))
    return 0


def _fault(state: State, options: argparse.Namespace) -> int:
    text = wish.Wish.of_options(options).to_json()
    command = [sys.executable, "-m", "local.faults", str(state.folder), text]
    inside.replace_by(state, command)
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--state", type=Path, default=CHECKOUT / ".local", help="state folder (default: .local)"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", parents=[shared], help="start the platform in the background")
    _port_flags(up)
    text = "parts to leave out, separated by commas; without `policies` no NetworkPolicy is obeyed"
    up.add_argument("--without", default="", help=text)
    text = "a checkout of knative/eventing: build it and run it in place of our own eventing"
    up.add_argument("--eventing", type=Path, metavar="DIR", help=text)
    up.set_defaults(command=_up)

    show = commands.add_parser("demo", parents=[shared], help="start everything and show it")
    _port_flags(show)
    show.set_defaults(command=_demo)

    logs = commands.add_parser("logs", parents=[shared], help="show what the parts said")
    logs.add_argument("part", nargs="?", help="one part only, for example eventing")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as more is said")
    logs.add_argument("-n", "--lines", type=int, default=50, help="how many lines of each")
    logs.set_defaults(command=_logs)

    _more_commands(commands, shared)
    return parser


def _more_commands(commands: Commands, shared: argparse.ArgumentParser) -> None:
    text = "count the API server's calls per caller"
    _audit_flags(commands.add_parser("audit", parents=[shared], help=text))

    text = "say which rights of the functions' roles were used, from the audit log"
    compared = commands.add_parser("rights", parents=[shared], help=text)
    compared.add_argument("--since", default="", help=SINCE)
    compared.set_defaults(command=_rights)

    run = commands.add_parser("run", parents=[shared], help="run a command inside the network")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    run.set_defaults(command=_run)

    text = "print the Secret with the stores' keys: for `kubectl apply -f -`"
    keys = commands.add_parser("store-secret", parents=[shared], help=text)
    keys.add_argument("-n", "--namespace", default="", help="default: the one of kubectl")
    keys.set_defaults(command=_store_secret)

    fault = commands.add_parser("fault", parents=[shared], help="break something on purpose")
    wish.describe(fault)
    fault.set_defaults(command=_fault)

    for name, command, text in (
        ("down", _down, "end the platform and remove all it made"),
        ("status", _status, "say what runs"),
        ("build", _build, "build the control plane (once, some minutes)"),
    ):
        commands.add_parser(name, parents=[shared], help=text).set_defaults(command=command)


def _port_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--api-port", type=int, help="port of the API server on 127.0.0.1")
    parser.add_argument("--ingress-port", type=int, help="port of the broker ingress on 127.0.0.1")


def _audit_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", default="", help=SINCE)
    parser.add_argument("--caller", default="", help="only callers with this text in their name")
    parser.add_argument("--namespace", default="", help="only calls about objects in it")
    parser.add_argument("--writes", action="store_true", help="list the writes one by one")
    parser.set_defaults(command=_audit)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
