"""The platform's own book-keeping: state folder, ports, access, the control plane's programs."""

from __future__ import annotations

import datetime
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography import x509

from local.control_plane import access, arguments
from local.control_plane.binaries import COMMANDS, KUBERNETES_VERSION, MODULE_FOLDER
from local.control_plane.keys import make_keys
from local.platform import addresses
from local.platform.parts import CHECKOUT, HostSockets, parts, upstream_proxy
from local.platform.start import CannotStart, open_port
from local.platform.state import NotOurs, Process, Record, State, children_of
from local.platform.stop import down

PROGRAMS = {name: Path("/programs") / name for name in COMMANDS}
SOCKETS = HostSockets(api=3, ingress=4, outside=5)


def test_a_process_is_known_by_number_and_start_time() -> None:
    myself = Process.of(os.getpid())
    assert myself.is_alive
    assert not Process(myself.pid, myself.started + 1).is_alive, "the number was used again"
    assert not Process.of(2**22 + 1).is_alive


def test_children_are_found() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        assert child.pid in children_of(os.getpid())
        child.kill()


def test_a_record_is_read_back_as_written(tmp_path: Path) -> None:
    state = State(tmp_path)
    assert state.record() is None
    record = Record(Process(1, 2), Process(3, 4), api_port=5, ingress_port=6)
    state.write_record(record)
    assert state.record() == record


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"init": {"pid": 1}}'])
def test_half_a_record_is_none(tmp_path: Path, text: str) -> None:
    state = State(tmp_path)
    state.record_file.write_text(text)
    assert state.record() is None


def test_a_wanted_port_that_is_taken_is_refused_and_a_preferred_one_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=f"port {port} on 127.0.0.1 cannot be used"):
            open_port(port, 1, "--api-port")
        with open_port(None, port, "--api-port") as other:
            assert other.getsockname()[1] != port


def test_down_removes_folders_a_pod_locked(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    state.claim()
    locked = state.folder / "volumes" / "locked"
    locked.mkdir(parents=True)
    (locked / "file").write_text("x")
    locked.chmod(0o500)
    assert down(state)
    assert not state.folder.exists()
    assert not down(state)


def test_a_folder_with_other_files_is_neither_used_nor_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    for command in (State(tmp_path).claim, lambda: down(State(tmp_path))):
        with pytest.raises(NotOurs, match="name an empty or new folder with --state"):
            command()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_users_own_images_outlive_the_platform(tmp_path: Path) -> None:
    images = tmp_path / "images.yaml"
    images.write_text("mine")
    State(tmp_path).claim()
    (tmp_path / "kubeconfig").write_text("{}")
    down(State(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["images.yaml"]
    State(tmp_path).claim()


def test_every_caller_has_its_own_token_and_name() -> None:
    tokens = access.new_tokens()
    lines = access.token_file(tokens).splitlines()
    assert len({line.split(",")[0] for line in lines}) == len(access.USERS)
    assert {line.split(",")[1] for line in lines} == set(access.USERS.values())


def test_a_kubeconfig_names_the_authority_by_path() -> None:
    config = json.loads(access.kubeconfig("https://s", Path("/ca.crt"), "local:node", "secret"))
    assert config["clusters"][0]["cluster"]["certificate-authority"] == "/ca.crt"
    assert config["users"][0]["user"]["token"] == "secret"


def test_the_api_servers_certificate_is_accepted_under_its_names(tmp_path: Path) -> None:
    make_keys(tmp_path, addresses.API_SERVER_NAMES, addresses.API_SERVER_ADDRESSES)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "api-server.crt", tmp_path / "api-server.key")
    client = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    for name in ("127.0.0.1", "10.96.0.1", "kubernetes.default.svc"):
        _shake_hands(server, client, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(server, client, "other.example.com")


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    ours, theirs = socket.socketpair()
    serving = threading.Thread(target=_serve_once, args=(server, theirs))
    serving.start()
    try:
        with client.wrap_socket(ours, server_hostname=name):
            pass
    finally:
        ours.close()
        serving.join(timeout=10)


def _serve_once(server: ssl.SSLContext, connection: socket.socket) -> None:
    try:
        with server.wrap_socket(connection, server_side=True):
            pass
    except OSError:
        connection.close()


def test_keys_are_the_owners_alone_and_last_a_year(tmp_path: Path) -> None:
    make_keys(tmp_path / "keys", ("localhost",), ("127.0.0.1",))
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "keys").glob("*.key")} == {0}
    found = x509.load_pem_x509_certificate((tmp_path / "keys" / "api-server.crt").read_bytes())
    now = datetime.datetime.now(datetime.UTC)
    assert found.not_valid_before_utc < now
    assert found.not_valid_after_utc > now + datetime.timedelta(days=300)


def test_the_control_plane_starts_in_order_and_parts_can_be_left_out(tmp_path: Path) -> None:
    names = [part.name for part in parts(State(tmp_path), PROGRAMS, SOCKETS, ())]
    assert names[:2] == ["etcd", "kube-apiserver"]
    without = parts(State(tmp_path), PROGRAMS, SOCKETS, ("node", "dns"))
    assert set(names) - {part.name for part in without} == {"node", "dns"}


def test_policies_can_be_left_to_be_objects_only(tmp_path: Path) -> None:
    def node(*without: str) -> list[str]:
        found = parts(State(tmp_path), PROGRAMS, SOCKETS, without)
        return next(list(part.command) for part in found if part.name == "node")

    assert node("policies") == [*node(), "--without-policies"]


def test_only_the_relay_gets_the_hosts_sockets(tmp_path: Path) -> None:
    found = parts(State(tmp_path), PROGRAMS, SOCKETS, ())
    assert {part.name: part.descriptors for part in found if part.descriptors} == {
        "relay": (3, 4, 5)
    }


def test_every_part_reads_a_kubeconfig_that_is_written(tmp_path: Path) -> None:
    state = State(tmp_path)
    written = {str(state.kubeconfig_of(user)) for user in access.USERS}
    for part in parts(state, PROGRAMS, SOCKETS, ()):
        for word in part.command:
            if word.startswith("--kubeconfig="):
                assert word.removeprefix("--kubeconfig=") in written


def test_the_api_server_enforces_rbac(tmp_path: Path) -> None:
    commands = arguments.command_lines(State(tmp_path), PROGRAMS)
    assert "--authorization-mode=RBAC" in commands["kube-apiserver"]


def test_the_hosts_proxy_is_found_in_either_spelling() -> None:
    assert upstream_proxy({"HTTPS_PROXY": "http://a"}) == "http://a"
    assert upstream_proxy({"http_proxy": "http://b", "https_proxy": ""}) == "http://b"
    assert upstream_proxy({}) == ""


def test_the_version_is_the_one_the_module_pins() -> None:
    assert f"k8s.io/kubernetes {KUBERNETES_VERSION}\n" in (MODULE_FOLDER / "go.mod").read_text()


def test_every_program_of_the_control_plane_is_pinned() -> None:
    tools = (MODULE_FOLDER / "tools.go").read_text()
    assert all(f'_ "{package}"' in tools for package in COMMANDS.values())


def test_building_without_go_says_what_to_install(tmp_path: Path) -> None:
    refused = _local(tmp_path, "build")
    assert refused.returncode == 1
    assert "install Go 1.26" in refused.stderr
    assert "KUBEBUILDER_ASSETS" in refused.stderr


def test_up_names_each_missing_program_and_its_package(tmp_path: Path) -> None:
    refused = _local(tmp_path, "up", f"--state={tmp_path / 'state'}")
    assert refused.returncode == 1
    assert "`bwrap` is not installed: install it with `apt-get install bubblewrap`." in (
        refused.stderr.splitlines()
    )
    assert not (tmp_path / "state").exists()


def _local(empty: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m local` with nothing in the search path and an empty cache."""
    return subprocess.run(
        [sys.executable, "-m", "local", *words],
        cwd=CHECKOUT,
        env={
            "PATH": str(empty),
            "ZOOKEEPER_FUNCTIONS_CACHE": str(empty / "cache"),
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
