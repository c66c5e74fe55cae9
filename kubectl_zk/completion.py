"""Completion: of kubectl itself (`kubectl_complete-zk`), and scripts for `kubectl-zk` alone.

kubectl from 1.26 on asks the program `kubectl_complete-zk` for what may come next, as words one a
line and a last line with a directive; the scripts ask the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TextIO

from functions.api.errors import FunctionError
from kubectl_zk.arguments import SHELLS, Parser, parser
from kubectl_zk.problem import DONE, Problem

# Do not offer files when nothing fits: cobra's ShellCompDirectiveNoFileComp.
NO_FILES = ":4"
ROLES = ("leader", "follower")

BASH = """\
# Completion for kubectl-zk. `kubectl zk` itself completes by `kubectl completion bash`.
_kubectl_zk() {
    local IFS=$'\\n'
    COMPREPLY=($(compgen -W "$(kubectl_complete-zk "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null \\
        | grep -v '^:')" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _kubectl_zk kubectl-zk
"""
ZSH = """\
#compdef kubectl-zk
# Completion for kubectl-zk. `kubectl zk` itself completes by `kubectl completion zsh`.
_kubectl_zk() {
    local -a found
    found=(${(f)"$(kubectl_complete-zk "${(@)words[2,CURRENT]}" 2>/dev/null | grep -v '^:')"})
    compadd -a found
}
compdef _kubectl_zk kubectl-zk
"""
FISH = """\
# Completion for kubectl-zk. `kubectl zk` itself completes by `kubectl completion fish`.
function __kubectl_zk
    set -l typed (commandline -opc) (commandline -ct)
    kubectl_complete-zk $typed[2..-1] 2>/dev/null | string match -v ':*'
end
complete -c kubectl-zk -f -a '(__kubectl_zk)'
"""
SCRIPTS = dict(zip(SHELLS, (BASH, ZSH, FISH), strict=True))


def script(shell: str, out: TextIO) -> int:
    out.write(SCRIPTS[shell])
    return DONE


def answer(typed: Sequence[str], out: TextIO) -> int:
    """Write what may come next; whatever goes wrong, nothing is offered and nothing is said."""
    for word in candidates(typed):
        out.write(f"{word}\n")
    out.write(f"{NO_FILES}\n")
    return DONE


def candidates(typed: Sequence[str]) -> list[str]:
    """Return what the last of the words typed so far may become."""
    *before, last = typed or [""]
    commands = _commands()
    command = next((word for word in before if word in commands), None)
    if command is None:
        found: Iterator[str] = iter(sorted(commands))
    elif last.startswith("-"):
        found = _options(commands[command])
    elif command == "completion":
        found = iter(SHELLS)
    else:
        found = _names(command, before)
    return [word for word in found if word.startswith(last)]


def _commands() -> dict[str, argparse.ArgumentParser]:
    action = next(it for it in parser()._actions if isinstance(it, argparse._SubParsersAction))
    return dict(action.choices)


def _options(command: argparse.ArgumentParser) -> Iterator[str]:
    for action in command._actions:
        yield from (it for it in action.option_strings if it.startswith("--"))


def _names(command: str, before: Sequence[str]) -> Iterator[str]:
    """Yield the names that the API server knows; nothing when it does not say."""
    try:
        yield from _known(command, before)
    except (FunctionError, Problem):
        return


def _known(command: str, before: Sequence[str]) -> Iterator[str]:
    from functions.api.kinds import BACKUP, CLUSTER
    from kubectl_zk import finding
    from kubectl_zk.access import connect

    asked = _context(before)
    session = connect(asked)
    given = list(before[before.index(command) + 1 :])
    if given and given[-1] in ("-n", "--namespace", "--context", "--kubeconfig", "-o", "--output"):
        return
    wants_backup = command == "verify" or (given and given[-1] == "--from")
    if command == "shell" and asked.words:
        servers = finding.cluster(session, asked.words[0]).status.servers
        yield from (*ROLES, *(server.name for server in servers))
        return
    kind = BACKUP if wants_backup else CLUSTER
    for found in session.kube.list(kind, session.namespace):
        yield found["metadata"]["name"]


def _context(before: Sequence[str]) -> argparse.Namespace:
    """Return the options about the cluster among the words, and what is no option as `words`."""
    options = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    for names in (("-n", "--namespace"), ("--context",), ("--kubeconfig",), ("-o", "--output")):
        options.add_argument(*names)
    asked, rest = options.parse_known_args([word for word in before if word != "--from"])
    asked.words = [word for word in rest[1:] if not word.startswith("-")]
    return asked
