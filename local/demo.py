"""`python -m local demo`: everything at once, with visible progress, and left running.

It starts the platform, installs the product from this checkout, applies the sample cluster, shows
each server coming up, writes a znode, reads it from every server, backs it up and restores it. Run
again while it is up it does no harm and says what is there.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from pathlib import Path

import yaml

from local.demo_backup import back_up_and_restore
from local.demo_steps import DemoFailed, Say, read_object, read_znode, until, write_znode
from local.kube import Object
from local.node import pull
from local.node.errors import CannotStart as CannotFetch
from local.platform import start
from local.platform.handle import Platform
from local.platform.parts import CHECKOUT
from local.platform.state import State
from local.stores import place

SAMPLE = "config/samples/cluster-small.yaml"
OVERLAY = "config/overlays/local"
KNATIVE_KINDS = (
    "services.serving.knative.dev",
    "brokers.eventing.knative.dev",
    "triggers.eventing.knative.dev",
    "apiserversources.sources.knative.dev",
    "pingsources.sources.knative.dev",
)
FUNCTIONS_SECONDS = 60.0
SERVING_SECONDS = 180.0


def run(state: State, wishes: start.Wishes, say: Say) -> None:
    """Bring everything up; raises DemoFailed with what to look at."""
    _fetch_zookeeper(say)
    began = time.monotonic()
    is_running = start.running_record(state) is not None
    say("the platform is up already" if is_running else "starting the platform")
    start.up(state, wishes, lambda line: say(f"  {line}"))
    platform = Platform(state.folder)
    _install(platform, say)
    is_new = not platform.kubectl("get", "-f", str(CHECKOUT / SAMPLE), check=False).stdout
    say(f"applying {SAMPLE}")
    platform.kubectl("apply", "-f", str(CHECKOUT / SAMPLE))
    applied = time.monotonic()
    _give_keys(platform, state)
    cluster = _watch_servers(platform, say)
    say(f"  the ensemble serves {time.monotonic() - applied:.1f} s after it was applied")
    _show_data(platform, cluster, say, is_new=is_new)
    say(f"ready after {time.monotonic() - began:.1f} s\n\n{_how_to_go_on(state, cluster)}")


def _fetch_zookeeper(say: Say) -> None:
    """Fetch what the sample's servers run; a node would do it too, but nobody would see it."""
    version = yaml.safe_load((CHECKOUT / SAMPLE).read_text())["spec"]["version"]
    if pull.zookeeper_folder(version).exists():
        return
    say(f"fetching ZooKeeper {version} (once, a minute at most)")
    try:
        asyncio.run(pull.fetch(version))
    except CannotFetch as refused:
        raise DemoFailed(refused.message) from refused


def _install(platform: Platform, say: Say) -> None:
    say("installing the functions, their rights and their events")
    _wait_for_kinds(platform)
    manifests = platform.kubectl("kustomize", str(CHECKOUT / OVERLAY)).stdout
    options = ("--server-side", "--force-conflicts", "--field-manager=demo")
    platform.kubectl("apply", *options, "-f", "-", input=manifests)
    until(
        lambda: not _not_ready(platform),
        FUNCTIONS_SECONDS,
        lambda: (
            f"not ready after {FUNCTIONS_SECONDS:.0f} s: {', '.join(_not_ready(platform))}. Look "
            "at `kubectl get ksvc,pods,events -n zookeeper-functions`."
        ),
    )
    say("  every function is ready")


def _wait_for_kinds(platform: Platform) -> None:
    """Wait until the platform's Knative kinds are served; its parts bring them as they start."""
    kinds = [f"crd/{name}" for name in KNATIVE_KINDS]
    options = ("--for=condition=Established", f"--timeout={FUNCTIONS_SECONDS:.0f}s")
    until(
        lambda: platform.kubectl("wait", *kinds, *options, check=False).returncode == 0,
        FUNCTIONS_SECONDS,
        lambda: "Knative's kinds are not served: see `python -m local logs eventing`.",
    )


def _not_ready(platform: Platform) -> list[str]:
    kinds = "ksvc,brokers,triggers,apiserversources,pingsources"
    found = read_object(platform, "get", kinds, "-n", "zookeeper-functions")["items"]
    return [f"{item['kind']} {item['metadata']['name']}" for item in found if not _is_ready(item)]


def _is_ready(item: Object) -> bool:
    conditions = item.get("status", {}).get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _give_keys(platform: Platform, state: State) -> None:
    """Make the Secret that the samples of backups and restores name, while the servers start."""
    keys = json.dumps(place.secret(state, "default"))
    platform.kubectl("apply", "-f", "-", input=keys)


def _watch_servers(platform: Platform, say: Say) -> Object:
    """Say each change of a server until all of them serve; returns the cluster."""
    said: dict[str, str] = {}

    def look() -> Object | None:
        cluster = read_object(platform, "get", "-f", str(CHECKOUT / SAMPLE))
        for server in cluster.get("status", {}).get("servers", ()):
            told = _server_line(server)
            if said.get(server["name"]) != told:
                said[server["name"]] = told
                say(f"  {server['name']}  {told}")
        return cluster if _all_serve(cluster) else None

    name = yaml.safe_load((CHECKOUT / SAMPLE).read_text())["metadata"]["name"]
    return until(
        look,
        SERVING_SECONDS,
        lambda: (
            f"{name} does not serve after {SERVING_SECONDS:.0f} s. Look at "
            f"`kubectl describe zkcluster {name}`."
        ),
    )


def _server_line(server: Object) -> str:
    if server["ready"] == "true":
        return f"{server['mode']}, ready"
    return str(server.get("message") or f"{server['mode']}, about to be ready")


def _all_serve(cluster: Object) -> bool:
    status, wanted = cluster.get("status", {}), cluster["spec"]["replicas"]
    conditions = {c["type"]: c["status"] for c in status.get("conditions", ())}
    is_ready = status.get("readyReplicas") == wanted
    return is_ready and all(
        conditions.get(kind) == "True"
        for kind in ("Available", "QuorumHealthy", "Reconciled", "Scaled", "Updated")
    )


def _show_data(platform: Platform, cluster: Object, say: Say, *, is_new: bool) -> None:
    """Write and read; back up and restore only what nobody else can have written to yet."""
    text = f"worth keeping {uuid.uuid4().hex[:8]}"
    write_znode(platform, cluster, text, say)
    read_znode(platform, cluster, text, say)
    if is_new:
        back_up_and_restore(platform, cluster, text, say)
    else:
        say("  (not backed up and restored again: that would drop what you wrote since)")


def _how_to_go_on(state: State, cluster: Object) -> str:
    name = cluster["metadata"]["name"]
    folder, samples = _relative(state.folder), SAMPLE.rpartition("/")[0]
    return (
        f"  export KUBECONFIG={folder}/kubeconfig PATH={folder}/bin:$PATH\n"
        "  kubectl get zkcluster                    # the ensemble\n"
        f"  kubectl zk status {name}                  # everything about it on one screen\n"
        f"  kubectl describe zkcluster {name}         # what happened to it\n"
        f"  kubectl delete pod {name}-0               # watch it come back\n"
        f"  kubectl logs -f {name}-0                  # a server's log\n"
        f"  kubectl zk shell {name}                   # a client\n"
        f"  kubectl apply -f {samples}/backup-once.yaml  # back it up\n"
        "  kubectl get pods -n zookeeper-functions  # the functions\n"
        "  make down                                # end everything\n"
        "docs/operations/backup.md tells the rest: lose everything, restore it, by a schedule."
    )


def _relative(folder: Path) -> str:
    try:
        return f"$PWD/{folder.relative_to(Path.cwd())}"
    except ValueError:
        return str(folder)
