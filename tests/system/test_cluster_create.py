"""From one `kubectl apply` to an ensemble that serves, as the seed system documents it and more."""

from __future__ import annotations

import pytest

from local.platform.handle import Platform
from tests.system.clusters import Cluster, condition, is_true

pytestmark = pytest.mark.system

# As people wrote it for the seed system, nothing left out and nothing added.
SEED = """
apiVersion: zookeeper.example.com/v1alpha1
kind: ZooKeeperCluster
metadata:
  name: zookeeper-sample
spec:
  image: zookeeper:3.7.0
  helperImage: go2sheep/zk-helper:10cc9d8
  replicas: 3
  clusterDomain: cluster.local
  clearPersistence: false
  config:
    clientPort: 2181
    followerPort: 2888
    leaderElectionPort: 3888
    dataDir: /data
    rawConfigDir: /conf
    configDir: /data/conf
    staticConfig: zoo.cfg
    dynamicConfig: zoo.cfg.dynamic
"""
VERSIONS = ("3.6.4", "3.8.4", "3.9.5")


@pytest.fixture(scope="module")
def seed(product: Platform, shared_namespace: str) -> Cluster:
    """The seed system's sample, serving."""
    cluster = Cluster(product, shared_namespace, "zookeeper-sample")
    cluster.kubectl("apply", "-f", "-", input=SEED)
    available = ("wait", "zkcluster", cluster.name, "--for=condition=Available")
    cluster.kubectl(*available, "--timeout=60s")
    cluster.until_settled()
    return cluster


@pytest.fixture(scope="module")
def singles(product: Platform, shared_namespace: str) -> dict[str, Cluster]:
    """One single server of every other version, all started at once."""
    clusters = {v: Cluster(product, shared_namespace, f"v{v.replace('.', '')}") for v in VERSIONS}
    for version, cluster in clusters.items():
        cluster.apply(version=version)
    return clusters


@pytest.fixture(scope="module")
def unobtainable(product: Platform, shared_namespace: str, singles: object) -> Cluster:
    """A cluster of a version that does not exist; looking for it takes as long as the others."""
    assert singles
    cluster = Cluster(product, shared_namespace, "unobtainable")
    cluster.apply(version="3.99.0")
    return cluster


@pytest.mark.anywhere
def test_a_manifest_of_the_seed_system_reaches_the_status_documented_there(seed: Cluster) -> None:
    status = seed.status()
    assert (status["replicas"], status["readyReplicas"]) == (3, 3)
    assert status["service"] == f"{seed.name}.{seed.namespace}.svc.cluster.local"
    shown = [(s["name"], s["myId"], s["ready"], s["message"]) for s in status["servers"]]
    assert shown == [(f"{seed.name}-{n}", str(n + 1), "true", "") for n in range(3)]
    modes = sorted(server["mode"] for server in status["servers"])
    assert modes == ["follower", "follower", "leader"]


@pytest.mark.anywhere
def test_status_has_what_the_seed_system_never_wrote(seed: Cluster) -> None:
    status = seed.status()
    leading = [s["name"] for s in status["servers"] if s["mode"] == "leader"]
    assert [status["leader"]] == leading
    assert status["version"] == "3.7.0"
    assert status["endpoints"]["client"] == seed.service
    assert status["bootstrap"]["state"] == "completed"
    assert [m["id"] for m in status["members"]] == [1, 2, 3]
    assert all(is_true(status, c) for c in ("Available", "QuorumHealthy", "Reconciled", "Scaled"))
    assert condition(status, "QuorumHealthy")["message"] == "All 3 voters serve."


@pytest.mark.anywhere
def test_the_version_of_the_image_really_runs(seed: Cluster) -> None:
    ask = "exec 3<>/dev/tcp/127.0.0.1/2181; echo srvr >&3; cat <&3"
    for pod in seed.pods():
        assert (
            "Zookeeper version: 3.7.0-" in seed.kubectl("exec", pod, "--", "bash", "-c", ask).stdout
        )


@pytest.mark.anywhere
def test_what_is_written_through_the_client_service_is_on_every_server(seed: Cluster) -> None:
    seed.write("/greeting", "hello")
    assert len(seed.hosts()) == 3
    assert seed.read("/greeting") == {"hello"}


@pytest.mark.anywhere
def test_zkcli_works_in_the_pod(seed: Cluster) -> None:
    seed.write("/for-zkcli", "seen")
    pod = f"{seed.name}-0"
    said = seed.kubectl(
        "exec", pod, "-c", "zookeeper", "--", "zkCli.sh", "get", "/for-zkcli"
    ).stdout
    assert "\nseen\n" in said


@pytest.mark.anywhere
def test_the_first_steps_are_told_as_events(seed: Cluster) -> None:
    told = seed.events()
    assert told["CreationStarted"] == "The ensemble is created with 3 servers."
    assert told["Created"] == "The ensemble of 3 servers has its first quorum."
    assert "go2sheep/zk-helper:10cc9d8 is replaced" in told["HelperImageReplaced"]
    assert told["LeaderElected"].endswith("leads the ensemble.")
    assert {"QuorumFormed", "AllServersServe"} <= set(told)


@pytest.mark.anywhere
def test_get_shows_the_columns_a_person_wants(seed: Cluster) -> None:
    heading, row = seed.kubectl("get", "zkcluster", seed.name).stdout.splitlines()
    named = ["NAME", "REPLICAS", "READY", "LEADER", "VERSION", "AVAILABLE", "OPERATION", "AGE"]
    assert heading.split() == named
    assert row.split()[:6] == [seed.name, "3", "3", seed.status()["leader"], "3.7.0", "True"]
    wide = seed.kubectl("get", "zkcluster", seed.name, "-o", "wide").stdout.splitlines()
    assert wide[0].split() == [*named, "SCALED", "UPDATED", "ENDPOINT"]
    assert wide[1].endswith(seed.service)


@pytest.mark.anywhere
def test_describe_tells_conditions_in_sentences_and_events(seed: Cluster) -> None:
    said = seed.kubectl("describe", "zkcluster", seed.name).stdout
    for sentence in (
        "3 of 3 voters serve, 2 are needed.",
        "Every owned object is as wanted.",
        "The ensemble has 3 servers, as wanted.",
    ):
        assert sentence in said
    assert "zookeeper-functions  The ensemble is created with 3 servers." in said


@pytest.mark.anywhere
def test_explain_describes_every_field_of_the_configuration(seed: Cluster) -> None:
    said = seed.kubectl("explain", "zkcluster.spec.config").stdout
    assert "clientPort\t<integer>\n    The port clients connect to." in said
    assert "<no description>" not in seed.kubectl("explain", "zkcluster", "--recursive").stdout


@pytest.mark.anywhere
def test_the_servers_log_to_kubectl_logs(seed: Cluster) -> None:
    said = seed.kubectl("logs", f"{seed.name}-0", "-c", "zookeeper").stdout
    assert "zookeeper.version=3.7.0" in said
    prepared = seed.kubectl("logs", f"{seed.name}-0", "-c", "prepare").stdout
    assert "may vote with its empty disk, among [1, 2, 3]" in prepared


@pytest.mark.soak
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.usefixtures("unobtainable")
def test_every_other_version_runs_as_a_single_server(
    singles: dict[str, Cluster], version: str
) -> None:
    cluster = singles[version]
    assert cluster.until_settled()["version"] == version
    cluster.write("/alone", version)
    assert cluster.read("/alone") == {version}


@pytest.mark.soak
def test_a_version_that_cannot_be_had_is_said_in_pod_and_status(unobtainable: Cluster) -> None:
    server = unobtainable.until(
        lambda: next((s for s in unobtainable.servers().values() if "Image" in s["message"]), {}),
        "the server's message names the image",
    )
    assert server["mode"] == "unknown"
    assert "3.99.0" in server["message"]
    waiting = [
        container["state"]["waiting"]["reason"]
        for pod in unobtainable.pods().values()
        for container in pod["status"]["containerStatuses"]
        if container["name"] == "zookeeper"
    ]
    assert set(waiting) <= {"ErrImagePull", "ImagePullBackOff"}
    available = unobtainable.condition("Available")
    assert (available["status"], available["reason"]) == ("False", "NoQuorum")
    assert "3.99.0" in available["message"]


def test_a_server_older_than_what_is_supported_is_refused_with_a_sentence(cluster: Cluster) -> None:
    with pytest.raises(AssertionError, match=r"3\.6"):
        cluster.apply(version="3.4.14")
