"""Somebody who copies the commands of a page, one after the other, into a shell."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from local.platform.handle import Platform
from local.platform.parts import python_path


@dataclass(frozen=True, slots=True)
class Reader:
    """A shell whose kubectl means one namespace of a platform."""

    platform: Platform
    namespace: str
    folder: Path
    seconds: float = 300

    def run(self, commands: Iterable[str]) -> str:
        """Run the commands up to the first that fails; return what they said."""
        lines = ["set -euo pipefail"]
        for command in commands:
            lines += [f"echo {shlex.quote(f'$ {command}')}", self._here(command)]
        told = self.folder / "told"
        with told.open("w") as output:
            code = subprocess.call(
                ["timeout", str(self.seconds), "bash", "-c", "\n".join(lines)],
                env=self._variables(),
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
        path = f"{self.platform.state / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {
            **os.environ,
            "KUBECONFIG": str(own),
            "PATH": path,
            "PYTHONPATH": python_path(),
            "OWN": str(self.folder),
            "NAMESPACE": self.namespace,
        }
