"""Make the platform's own network and mounts; called once, inside the new namespaces."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

from local.platform import addresses

COMMAND_SECONDS = 10
RESOLV_CONF = Path("/etc/resolv.conf")


def set_up(folder: Path) -> None:
    """Bring up the bridge, forward between pods, and hide the host's run-time files."""
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", addresses.BRIDGE, "type", "bridge")
    address = f"{addresses.GATEWAY}/{addresses.PREFIX_LENGTH}"
    _run("ip", "address", "add", address, "dev", addresses.BRIDGE)
    _run("ip", "link", "set", addresses.BRIDGE, "up")
    # A Service's address is replaced only after a route for it was found.
    _run("ip", "route", "add", addresses.SERVICE_NETWORK, "dev", addresses.BRIDGE)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    _forward_between_pods()
    _give_up_soon_on_addresses_that_nobody_has()
    # Anybody inside may open the low ports, as in a container.
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")
    _hide_run_folder()
    _use_own_resolver(folder)


def _forward_between_pods() -> None:
    """What one pod sends to another goes through here, though both are on the same bridge."""
    for interface in ("all", addresses.BRIDGE):
        # Else each pod would be told to send to the other one directly.
        Path(f"/proc/sys/net/ipv4/conf/{interface}/send_redirects").write_text("0")
    # Where the machine has it, each packet would be filtered on the bridge as well.
    for name in ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables"):
        with suppress(OSError):
            Path(f"/proc/sys/net/bridge/{name}").write_text("0")


def _give_up_soon_on_addresses_that_nobody_has() -> None:
    """Whoever calls a pod that is gone is told so at once, not after the 3 s that Linux looks."""
    of_bridge = Path(f"/proc/sys/net/ipv4/neigh/{addresses.BRIDGE}")
    (of_bridge / "mcast_solicit").write_text("2")
    (of_bridge / "retrans_time_ms").write_text("100")


def _hide_run_folder() -> None:
    """`ip netns` keeps its names under /run, which an ordinary user may not write."""
    _run("mount", "-t", "tmpfs", "-o", "mode=0755", "run", "/run")
    Path("/run/netns").mkdir()
    Path("/run/lock").mkdir(mode=0o1777)


def _use_own_resolver(folder: Path) -> None:
    """Point name look-ups at the platform's DNS; the file may be a link into /run."""
    wanted = folder / "inside" / "resolv.conf"
    wanted.write_text(
        f"nameserver {addresses.GATEWAY}\n"
        f"search svc.{addresses.CLUSTER_DOMAIN} {addresses.CLUSTER_DOMAIN}\n"
        "options timeout:1\n"
    )
    target = RESOLV_CONF.resolve()
    if target.is_relative_to("/run"):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    if target.exists():
        _run("mount", "--bind", str(wanted), str(target))


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=COMMAND_SECONDS)
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise OSError(f"`{' '.join(command)}` failed: {said}") from error
