"""What a machine must have before a platform can start, each with how to get it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping

from local.platform.outside import NAMESPACES

PROBE_SECONDS = 10
SYSTEM_FOLDERS = "/usr/sbin:/sbin"

# The program and the Debian package that brings it.
PROGRAMS: Mapping[str, str] = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
    "ip": "iproute2",
    "nft": "nftables",
    "bwrap": "bubblewrap",
    "java": "openjdk-17-jre-headless",
    "mvn": "maven",
}

# Everything a platform asks of the kernel, in one breath: namespaces, a bridge, nftables.
PROBE = (
    "ip link add cni0 type bridge && ip link add probe0 type veth peer name probe1"
    " && nft add table ip probe && mount -t tmpfs probe /run"
)


def missing() -> list[str]:
    """Return one sentence for each thing that is missing; empty when a platform can start."""
    path = f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}"
    absent = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    sentences = [
        f"`{name}` is not installed: install it with `apt-get install {PROGRAMS[name]}`."
        for name in absent
    ]
    if not sentences and (refusal := _namespaces_refusal(path)):
        sentences.append(refusal)
    return sentences


def _namespaces_refusal(path: str) -> str | None:
    command = ["unshare", *NAMESPACES, "--fork", "--mount-proc", "sh", "-c", PROBE]
    try:
        probe = subprocess.run(
            command,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"making namespaces took more than {PROBE_SECONDS} s: is the machine overloaded?"
    if probe.returncode == 0:
        return None
    return (
        f"this machine does not let you make user namespaces ({probe.stderr.strip()}): set "
        "user.max_user_namespaces above 0, kernel.unprivileged_userns_clone=1 on older Debian, "
        "kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu (all with sysctl -w, as root)."
    )
