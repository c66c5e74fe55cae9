"""`python -m local.kustomize FOLDER`: print what a kustomization comes to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from local.control_plane.binaries import find

SECONDS = 60


def main(arguments: Sequence[str]) -> int:
    """Return kubectl's own exit code, or 1 where there is no kubectl."""
    kubectl = find("kubectl")
    if kubectl is None:
        sys.stderr.write("kubectl is not built yet: `make setup` builds it.\n")
        return 1
    command = [str(kubectl), "kustomize", *arguments]
    return subprocess.run(command, timeout=SECONDS, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
