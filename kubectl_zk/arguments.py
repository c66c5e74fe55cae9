"""The command line: subcommands, their options, and help with examples."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import timedelta
from typing import NoReturn

from functions.api.backup import duration
from functions.backups.command import add_options as add_verify_options
from kubectl_zk import stores
from kubectl_zk.problem import USAGE, Problem

# For each answer of the API server.
PATIENCE = "10s"
SHELLS = ("bash", "zsh", "fish")
CODES = """exit codes:
  0    done
  1    it failed, or it cannot be done
  2    the command line is wrong
  3    not over within --timeout; it goes on
  4    you lack a right
  5    the API server cannot be reached
  130  interrupted; what was begun goes on"""

Subparsers = "argparse._SubParsersAction[Parser]"


class Parser(argparse.ArgumentParser):
    """Says what is wrong as every other error of this program is said."""

    def error(self, message: str) -> NoReturn:
        raise Problem(f"{message}\nTry: {self.prog} --help", USAGE)


def parser() -> Parser:
    """Return the parser of the whole command line."""
    top = Parser(
        prog="kubectl zk",
        description="Look at and handle ZooKeeper ensembles.",
        epilog=CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_common()],
    )
    add = top.add_subparsers(required=True, metavar="COMMAND", dest="command", parser_class=Parser)
    _looking(add.add_parser)
    _moving(add.add_parser)
    _copying(add.add_parser)
    _other(add.add_parser)
    return top


Add = Callable[..., argparse.ArgumentParser]


def _looking(add: Add) -> None:
    status = _command(
        add, "status", "show one ensemble on one screen, or a line for each",
        "kubectl zk status", "kubectl zk status small", "kubectl zk status -A",
    )  # fmt: skip
    status.add_argument("name", nargs="?", metavar="NAME", help="the ZooKeeperCluster")
    status.add_argument(
        "-A", "--all-namespaces", action="store_true", help="a line for each of all namespaces"
    )
    _answered(status)
    plan = _command(
        add, "plan", "show what the functions would do now, and what they wait for",
        "kubectl zk plan small",
    )  # fmt: skip
    _name(plan)
    _answered(plan)
    events = _command(
        add, "events", "show what was told of an ensemble, its pods, backups and restores",
        "kubectl zk events small", "kubectl zk events small --warnings -f",
    )  # fmt: skip
    _name(events)
    _answered(events)
    events.add_argument("-f", "--follow", action="store_true", help="go on with new ones")
    which = events.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="also that pods and volumes are made")
    which.add_argument("--warnings", action="store_true", help="warnings alone")


def _moving(add: Add) -> None:
    roll = _command(
        add, "roll", "restart every server, one at a time, the leader last",
        "kubectl zk roll small", "kubectl zk roll small --no-wait",
    )  # fmt: skip
    _followed(roll, "30m")
    stop = _command(
        add, "stop", "run no server for a while; the data stays", "kubectl zk stop small"
    )
    _followed(stop, "5m")
    wake = _command(add, "wake", "let the servers run again", "kubectl zk wake small")
    _followed(wake, "10m")


def _copying(add: Add) -> None:
    backup = _command(
        add, "backup", "make a backup now",
        "kubectl zk backup small",
        "kubectl zk backup small --from nightly",
        "kubectl zk backup small --s3 --bucket backups --endpoint https://s3.example.com "
        "--secret store",
    )  # fmt: skip
    _followed(backup, "6h")
    _made(backup, "to where this ZooKeeperBackup lies (default: the ensemble's newest)")
    restore = _command(
        add, "restore", "put a backup in the place of what an ensemble holds",
        "kubectl zk restore small",
        "kubectl zk restore small --from nightly --key default/nightly/schedule/backup-nightly-x7",
        "kubectl zk restore small --stage-only",
    )  # fmt: skip
    _followed(restore, "6h")
    _made(restore, "from this ZooKeeperBackup's record (default: the ensemble's newest)")
    _key(restore)
    restore.add_argument("-y", "--yes", action="store_true", help="do not ask")
    restore.add_argument(
        "--stage-only",
        action="store_true",
        help="bring it to every volume and prove it there, while clients are served",
    )
    verify = _command(
        add, "verify", "prove a backup in its store once more, or one that this machine reaches",
        "kubectl zk verify nightly",
        "kubectl zk verify nightly --key default/nightly/schedule/backup-nightly-x7",
        "kubectl zk verify --folder ./copy-of-a-backup",
    )  # fmt: skip
    verify.add_argument("name", nargs="?", metavar="BACKUP", help="the ZooKeeperBackup")
    _waiting(verify, "6h")
    add_verify_options(verify, is_required=False)


def _other(add: Add) -> None:
    shell = _command(
        add, "shell", "open ZooKeeper's own client in a server's pod",
        "kubectl zk shell small", "kubectl zk shell small leader",
        "kubectl zk shell small 0 -- get /zookeeper/config",
    )  # fmt: skip
    _name(shell)
    which = "a pod, its number, leader or follower (default: one that serves)"
    shell.add_argument("server", nargs="?", metavar="SERVER", help=which)
    shell.set_defaults(words=())
    completion = _command(
        add, "completion", "print what lets a shell complete `kubectl zk`",
        "source <(kubectl zk completion bash)",
    )  # fmt: skip
    completion.add_argument("shell", choices=SHELLS, metavar="bash|zsh|fish")


def _command(add: Add, name: str, purpose: str, *examples: str) -> argparse.ArgumentParser:
    shown = "\n".join(f"  {example}" for example in examples)
    return add(
        name,
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}.",
        epilog=f"examples:\n{shown}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_common()],
    )


def _common() -> argparse.ArgumentParser:
    """Return the options that may stand before or after the subcommand."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument(
        "-n", "--namespace", metavar="NAMESPACE", help="default: that of the context"
    )
    common.add_argument("--context", metavar="CONTEXT", help="of the kubeconfig")
    common.add_argument("--kubeconfig", metavar="FILE", help="default: $KUBECONFIG, ~/.kube/config")
    common.add_argument(
        "-o",
        "--output",
        choices=("text", "json"),
        metavar="text|json",
        help="json: for programs, as docs/kubectl-zk.md describes it",
    )
    return common


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the ZooKeeperCluster")


def _answered(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout",
        dest="patience",
        type=_duration,
        default=_duration(PATIENCE),
        metavar="TIME",
        help=f"how long to wait for each answer of the API server (default: {PATIENCE})",
    )


def _followed(parser: argparse.ArgumentParser, default: str) -> None:
    _name(parser)
    _waiting(parser, default)


def _waiting(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--timeout",
        type=_duration,
        default=_duration(default),
        metavar="TIME",
        help=f"how long to follow it, such as 90s or 10m (default: {default})",
    )
    parser.add_argument(
        "--no-wait", dest="wait", action="store_false", help="begin it, and do not follow"
    )


def _made(parser: argparse.ArgumentParser, source: str) -> None:
    parser.add_argument("--from", dest="source", metavar="BACKUP", help=source)
    parser.add_argument("--as", dest="called", metavar="NAME", help="what the new object is called")
    stores.add_options(parser)


def _key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--key",
        default=stores.LATEST,
        metavar="KEY",
        help="which backup: a key in status.record (default: the latest)",
    )


def _duration(text: str) -> timedelta:
    try:
        return duration(text)
    except (KeyError, ValueError, IndexError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write it like 90s or 10m") from None
