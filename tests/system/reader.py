"""Somebody who copies the commands of a page, one after the other, into a shell."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.platform.handle import Platform
from local.platform.parts import python_path
from tests import pages


@dataclass(frozen=True, slots=True)
class Reader:
    """A shell whose kubectl means one namespace of a platform; `path` has further programs."""

    platform: Platform
    namespace: str
    folder: Path
    seconds: float = 300
    path: tuple[Path, ...] = ()

    def output(self, *commands: str) -> str:
        """Run the commands up to the first that fails; return what they printed, and only that."""
        here = [self._here(command) for command in commands]
        return pages.run(*here, variables=self._variables(), seconds=self.seconds)

    def run(self, commands: Iterable[str]) -> str:
        """Run the commands up to the first that fails; return all that they said.

        They may leave something running in the background, so nobody waits for the end of a pipe.
        """
        lines = ["set -euo pipefail"]
        for command in commands:
            lines += [f"echo {shlex.quote(f'$ {command}')}", self._here(command)]
        told = self.folder / "told"
        with told.open("w") as output:
            code = subprocess.call(
                ["timeout", str(self.seconds), "bash", "-c", "\n".join(lines)],
                env={**os.environ, **self._variables()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        said = told.read_text()
        assert code == 0, said
        return said

    def _here(self, command: str) -> str:
        """Return the command for this platform: the pages mean the demo, in the folder .local."""
        state = f"--state={self.platform.state}"
        ours = re.sub(r"-m local ([a-z-]+)", rf"-m local \1 {state}", command)
        ours = re.sub(
            rf"(-m local fault {re.escape(state)} [a-z-]+)", rf"\1 -n {self.namespace}", ours
        )
        ours = re.sub(r"(?:\.venv/bin/)?python -m", f"{sys.executable} -m", ours)
        return ours.replace(".local/", f"{self.platform.state}/")

    def _variables(self) -> dict[str, str]:
        config = json.loads(self.platform.kubeconfig.read_text())
        config["contexts"][0]["context"]["namespace"] = self.namespace
        own = self.folder / "kubeconfig"
        own.write_text(json.dumps(config))
        folders = (self.platform.state / "bin", Path(sys.executable).parent, *self.path)
        return {
            "KUBECONFIG": str(own),
            "PATH": ":".join([*map(str, folders), os.environ["PATH"]]),
            "PYTHONPATH": python_path(),
            "OWN": str(self.folder),
            "NAMESPACE": self.namespace,
        }


@contextmanager
def forwarded(platform: Platform, namespace: str, pod: str, port: int) -> Iterator[int]:
    """Run `kubectl port-forward` meanwhile; the port that it opened on this machine."""
    command = [
        *(str(platform.state / "bin" / "kubectl"), f"--kubeconfig={platform.kubeconfig}"),
        *(f"--namespace={namespace}", "port-forward", f"pod/{pod}"),
        *(f":{port}", "--address=127.0.0.1"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forwarding:
        try:
            assert forwarding.stdout is not None
            said = forwarding.stdout.readline()
            yield int(said.split("127.0.0.1:")[1].split()[0])
        finally:
            forwarding.kill()
