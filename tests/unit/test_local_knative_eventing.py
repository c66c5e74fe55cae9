"""The real Knative Eventing in place of ours: what is read of a checkout, and how it is run."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from local.control_plane.binaries import COMMANDS
from local.go_build import NoBinaries
from local.knative_eventing import checkout
from local.knative_eventing.checkout import NoCheckout, fingerprint
from local.knative_eventing.manifests import catalogue, manifests
from local.node.images import Catalogue, parse_image_name
from local.platform.parts import HostSockets, KnativeEventing, parts
from local.platform.state import State

PROGRAMS = {name: Path("/programs") / name for name in COMMANDS}
SOCKETS = HostSockets(api=3, ingress=4, outside=5)

CONTROLLER = """
kind: Deployment
apiVersion: apps/v1
metadata: {name: eventing-controller, namespace: knative-eventing}
spec:
  template:
    spec:
      containers:
        - image: ko://knative.dev/eventing/cmd/controller
          readinessProbe: {periodSeconds: 1, httpGet: {port: 8443}}
          livenessProbe: {timeoutSeconds: 15, httpGet: {port: 8443}}
          env:
            - {name: APISERVER_RA_IMAGE, value: "ko://knative.dev/eventing/cmd/apiserver_receive_adapter"}
            - {name: AUTH_PROXY_IMAGE, value: "ko://knative.dev/eventing/cmd/auth_proxy"}
"""
JOB_SINK = CONTROLLER.replace("cmd/controller", "cmd/jobsink").replace("-controller", "-job-sink")
OTHERS = """
kind: ValidatingWebhookConfiguration
metadata: {name: validation.webhook.eventing.knative.dev}
---
---
kind: HorizontalPodAutoscaler
metadata: {name: eventing-webhook}
---
kind: ClusterRole
metadata: {name: knative-eventing-controller}
---
kind: ConfigMap
metadata: {name: config-features}
---
kind: CustomResourceDefinition
metadata: {name: brokers.eventing.knative.dev}
---
kind: Namespace
metadata: {name: knative-eventing}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout with a little of everything."""
    found = tmp_path / "eventing"
    for path, text in {
        "go.mod": "module knative.dev/eventing\n\ngo 1.25.0\n",
        "cmd/controller/main.go": "package main\n",
        "pkg/broker/ttl.go": "package broker\n",
        "config/core/deployments/controller.yaml": CONTROLLER,
        "config/core/deployments/job-sink.yaml": JOB_SINK,
        "config/core/others.yaml": OTHERS,
        "config/channels/kafka/kafka.yaml": OTHERS,
    }.items():
        (found / path).parent.mkdir(parents=True, exist_ok=True)
        (found / path).write_text(text)
    (found / "config/core/500-controller.yaml").symlink_to("deployments/controller.yaml")
    return found


def test_what_the_others_need_is_applied_first_and_webhooks_last(folder: Path) -> None:
    assert [each["kind"] for each in manifests(folder)] == [
        "Namespace",
        "CustomResourceDefinition",
        "ClusterRole",
        "ConfigMap",
        "Deployment",
        "ValidatingWebhookConfiguration",
    ]


def test_images_are_named_as_the_node_knows_them(folder: Path) -> None:
    (deployment,) = (each for each in manifests(folder) if each["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "knative-eventing/controller:devel"
    assert [variable["value"] for variable in container["env"]] == [
        "knative-eventing/apiserver_receive_adapter:devel",
        "knative-eventing/auth_proxy:devel",
    ]


def test_probes_wait_long_enough_for_a_busy_machine(folder: Path) -> None:
    (deployment,) = (each for each in manifests(folder) if each["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"]["timeoutSeconds"] == 10
    assert container["livenessProbe"]["timeoutSeconds"] == 15


@pytest.mark.parametrize("command", checkout.PROGRAMS)
def test_the_node_finds_every_program(command: str, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    (tmp_path / "images.yaml").write_text(yaml.safe_dump(catalogue(programs)))
    file = checkout.program_file(command)
    entry = Catalogue(tmp_path).entry(parse_image_name(f"knative-eventing/{file}:devel"))
    assert entry["mounts"] == {f"/ko-app/{file}": str(programs / file)}
    assert entry["entrypoint"] == [f"/ko-app/{file}"]


def test_a_changed_source_is_built_anew_and_other_files_do_not_matter(folder: Path) -> None:
    before = fingerprint(folder)
    (folder / "config/core/others.yaml").write_text("")
    assert fingerprint(folder) == before
    (folder / "pkg/broker/ttl.go").write_text("package broker // changed\n")
    assert fingerprint(folder) != before


def test_a_folder_that_is_something_else_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoCheckout, match="git clone"):
        checkout.check(tmp_path)
    (tmp_path / "go.mod").write_text("module knative.dev/serving\n")
    with pytest.raises(NoCheckout, match="no checkout of knative/eventing"):
        checkout.check(tmp_path)


def test_a_checkout_is_accepted(folder: Path) -> None:
    checkout.check(folder)


def test_programs_that_are_there_are_not_built_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOOKEEPER_FUNCTIONS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    there = tmp_path / "cache/knative-eventing" / fingerprint(folder)
    there.mkdir(parents=True)
    for command in checkout.PROGRAMS:
        program = there / checkout.program_file(command)
        program.touch(mode=0o755)
    assert checkout.ensure(folder, print) == there
    (there / "mtping").unlink()
    with pytest.raises(NoBinaries, match="Go is not installed"):
        checkout.ensure(folder, print)


def test_the_real_one_takes_the_place_of_ours(tmp_path: Path) -> None:
    real = KnativeEventing(Path("/checkout"), Path("/built"))
    assert KnativeEventing.parse(str(real)) == real
    assert KnativeEventing.parse("") is None
    state = State(tmp_path)
    ours = parts(state, PROGRAMS, SOCKETS, ())
    theirs = parts(state, PROGRAMS, SOCKETS, (), real)
    assert [part.name for part in theirs] == [part.name for part in ours]
    (eventing,) = (part for part in theirs if part.name == "eventing")
    assert eventing.command[1:] == [
        *("-m", "local.knative_eventing", f"--state={tmp_path}"),
        *("--checkout=/checkout", "--programs=/built"),
    ]
    assert eventing.answers_on is not None
