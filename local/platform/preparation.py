"""Fill a fresh state folder: keys, tokens, kubeconfigs, audit policy, kubectl and its plugin."""

from __future__ import annotations

import json
from pathlib import Path

from local.control_plane import access, keys
from local.control_plane.binaries import Binaries
from local.platform import addresses
from local.platform.plugin import write_plugin
from local.platform.state import State
from local.stores import place


def prepare(state: State, programs: Binaries, api_port: int) -> None:
    """Write everything the parts read at their start."""
    for folder in (state.folder, state.logs, state.keys, state.folder / "bin"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys.make_keys(state.keys, addresses.API_SERVER_NAMES, addresses.API_SERVER_ADDRESSES)
    tokens = access.new_tokens()
    _write_secret(state.keys / "tokens.csv", access.token_file(tokens))
    authority = state.keys / "ca.crt"
    for part, token in tokens.items():
        text = access.kubeconfig(addresses.API_SERVER, authority, access.USERS[part], token)
        _write_secret(state.kubeconfig_of(part), text)
    host = access.kubeconfig(f"https://127.0.0.1:{api_port}", authority, "admin", tokens["admin"])
    _write_secret(state.kubeconfig, host)
    policy = state.folder / "inside" / "audit-policy.json"
    policy.write_text(json.dumps(access.AUDIT_POLICY, indent=2))
    place.write_credentials(state, place.new_credentials())
    for store in place.STORES:
        (place.folder(state, store) / place.BUCKET).mkdir(parents=True)
    kubectl = state.folder / "bin" / "kubectl"
    kubectl.unlink(missing_ok=True)
    kubectl.symlink_to(programs["kubectl"])
    write_plugin(state.folder / "bin")


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
