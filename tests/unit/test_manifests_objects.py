"""The objects a cluster owns, whole, for specs that bring out every choice of the builders."""

from __future__ import annotations

from typing import Any

import pytest

from functions.adapters.agent import AGENT_PORT as ASKED_PORT
from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import (
    CLUSTER,
    CONFIG_MAP,
    JOB,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    Kind,
    Ref,
)
from functions.api.manifest import Manifest, ref_of
from functions.api.ports import AGENT_PORT
from functions.manifests.access import super_user_secret
from functions.manifests.claims import claims
from functions.manifests.config_map import config_hash
from functions.manifests.digests import super_user_digest
from functions.manifests.encryption import Encryption, Phase
from functions.manifests.heap import heap_mib
from functions.manifests.installation import Installation
from functions.manifests.login import Credentials, Login, login_of
from functions.manifests.names import ordinal_of
from functions.manifests.owned import clusters_of, is_part_of, owned_objects, owned_refs
from functions.manifests.server_config import server_line, zoo_cfg
from tests.expected import TESTS, as_yaml, check_text

INSTALLATION = Installation("functions:1", "http://broker.example/events")
KNOWN = Credentials("hash-of-the-secret")

SPECS: dict[str, dict[str, Any]] = {
    "default": {},
    "ephemeral": {"storage": {"ephemeral": True}},
    "log-volume": {
        "replicas": 1,
        "storage": {
            "size": "20Gi",
            "storageClassName": "fast",
            "accessModes": ["ReadWriteOncePod"],
            "annotations": {"backup": "yes"},
            "log": {"size": "5Gi", "storageClassName": "faster"},
        },
    },
    "everything": {
        "image": "registry.example/zookeeper:3.8.5",
        "imagePullPolicy": "Always",
        "imagePullSecrets": [{"name": "pull"}],
        "helperImage": "registry.example/helper:1",
        "labels": {"team": "x", "instance": "mine"},
        "replicas": 5,
        "clusterDomain": "k8s.example",
        "config": {
            "clientPort": 12181,
            "followerPort": 12888,
            "leaderElectionPort": 13888,
            "dataDir": "/zk",
            "configDir": "/zk/etc",
            "rawConfigDir": "/raw",
            "staticConfig": "server.cfg",
            "dynamicConfig": "members.cfg",
            "quorumListenOnAllIPs": True,
            "additionalConfig": {"fsync.warningthresholdms": "50"},
        },
        "resources": {"limits": {"memory": "2Gi", "cpu": "1"}, "requests": {"memory": "2Gi"}},
        "heap": "1Gi",
        "env": [{"name": "TZ", "value": "UTC"}],
        "jvmFlags": ["-XX:+UseG1GC"],
        "logLevel": "DEBUG",
        "pod": {
            "labels": {"tier": "data"},
            "annotations": {"mesh": "off"},
            "antiAffinity": "hard",
            "affinity": {"nodeAffinity": {"a": "b"}},
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "zk", "operator": "Exists"}],
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "zone",
                    "whenUnsatisfiable": "ScheduleAnyway",
                }
            ],
            "priorityClassName": "high",
            "securityContext": {"fsGroup": 2000},
        },
        "clientService": {"type": "NodePort", "annotations": {"lb": "internal"}},
        "adminServer": {"enabled": True},
        "restartedAt": "2026-01-31T12:00:00Z",
    },
    "own-affinity": {
        "pod": {"affinity": {"podAntiAffinity": {"mine": True}}},
        "metrics": {"enabled": False},
    },
    "no-affinity": {"pod": {"antiAffinity": "none"}, "replicas": 1, "resources": {}},
}


# With TLS the phase of a change matters too, and whether the version reads a new certificate.
ENCRYPTED: dict[str, tuple[dict[str, Any], Encryption]] = {
    "tls": (
        {"tls": {"client": {"secretName": "clients"}, "quorum": {"secretName": "servers"}}},
        Encryption(Phase.REQUIRE, "servers", 2281, is_plaintext_closed=True),
    ),
    "tls-on-its-way": (
        {
            "version": "3.8.4",
            "tls": {
                "client": {"secretName": "clients", "port": 3281, "clientAuth": "need"},
                "quorum": {"secretName": "servers", "verifyHostnames": False},
            },
        },
        Encryption(Phase.ACCEPT, "servers", 3281, "fingerprint"),
    ),
    "tls-going": ({"replicas": 1}, Encryption(Phase.SPEAK, "servers")),
}


def _cluster(**spec: Any) -> ZooKeeperCluster:
    metadata = {"name": "zk", "namespace": "apps", "uid": "uid-of-zk"}
    return ZooKeeperCluster.parse({"metadata": metadata, "spec": spec})


def _objects(**spec: Any) -> dict[str, Manifest]:
    made = owned_objects(_cluster(**spec), INSTALLATION, KNOWN)
    return {f"{item['kind']}/{item['metadata']['name']}": item for item in made}


@pytest.mark.parametrize("name", SPECS)
def test_the_objects_of_a_spec_are_what_was_read_and_approved(name: str) -> None:
    """Guards against C13, J2, J7, J8 and G19: fixed paths, ports, domains; no volumes; no types."""
    made = owned_objects(_cluster(**SPECS[name]), INSTALLATION, KNOWN)
    check_text(TESTS / "golden" / "manifests" / f"{name}.yaml", as_yaml(*made))


@pytest.mark.parametrize("name", ENCRYPTED)
def test_the_objects_of_a_cluster_with_tls_are_what_was_read_and_approved(name: str) -> None:
    spec, encryption = ENCRYPTED[name]
    made = owned_objects(_cluster(**spec), INSTALLATION, KNOWN, encryption)
    check_text(TESTS / "golden" / "manifests" / f"{name}.yaml", as_yaml(*made))


USERS = {"login": {"users": [{"secretName": "alice"}, {"secretName": "bob"}], "required": True}}


@pytest.mark.parametrize(
    ("name", "login"),
    [
        pytest.param("login", Login("hash-of-the-users"), id="known"),
        pytest.param("login-required", Login("hash-of-the-users", is_required=True), id="required"),
    ],
)
def test_the_objects_of_a_cluster_with_users_are_what_was_read_and_approved(
    name: str, login: Login
) -> None:
    known = Credentials("hash-of-the-secret", login)
    made = owned_objects(_cluster(replicas=1, **USERS), INSTALLATION, known)
    check_text(TESTS / "golden" / "manifests" / f"{name}.yaml", as_yaml(*made))
    template = made[-1]["spec"]["template"]["metadata"]
    assert login_of(template["annotations"]) == login


def test_the_pods_of_a_cluster_without_users_say_and_mount_nothing_of_them() -> None:
    text = as_yaml(*owned_objects(_cluster(), INSTALLATION, KNOWN))
    assert not any(word in text for word in ("jaas", "user-secrets", "/login", "sasl"))


def test_restored_servers_with_tls_start_once_more_to_open_its_port() -> None:
    """Without TLS the member list opens them, and they must not be rolled."""
    annotation = "zookeeper.example.com/restored"
    metadata = {"name": "zk", "namespace": "apps", "uid": "uid-of-zk"}
    for spec, uid in (({}, None), ({"tls": {"client": {"secretName": "a"}}}, "uid-of-it")):
        given = {"metadata": metadata, "spec": spec, "status": {"restored": "uid-of-it"}}
        made = owned_objects(ZooKeeperCluster.parse(given), INSTALLATION, KNOWN)
        assert made[-1]["spec"]["template"]["metadata"]["annotations"].get(annotation) == uid


def test_every_owned_object_has_an_address_an_owner_and_its_labels() -> None:
    cluster = _cluster(labels={"team": "x"})
    made = owned_objects(cluster, INSTALLATION, KNOWN)
    secret = super_user_secret(cluster, "secret")
    assert {ref_of(item) for item in (*made, secret)} == set(owned_refs(cluster))
    for item in (*made, secret):
        metadata = item["metadata"]
        assert metadata["ownerReferences"][0]["uid"] == "uid-of-zk"
        assert metadata["labels"].items() >= {
            "operator": "zookeeper", "instance": "zk", "team": "x",
            "app.kubernetes.io/name": "zookeeper", "app.kubernetes.io/instance": "zk",
        }.items()  # fmt: skip


def test_a_users_labels_never_get_into_a_selector_nor_replace_ours() -> None:
    """Guards against G22: labels of the user in an immutable selector."""
    objects = _objects(labels={"team": "x", "instance": "mine"}, pod={"labels": {"operator": "no"}})
    wanted = {"operator": "zookeeper", "instance": "zk"}
    stateful_set = objects["StatefulSet/zk"]["spec"]
    assert stateful_set["selector"] == {"matchLabels": wanted}
    assert objects["Service/zk"]["spec"]["selector"] == wanted
    assert stateful_set["template"]["metadata"]["labels"].items() >= wanted.items()


def test_the_same_spec_makes_the_same_objects_and_the_replicas_are_not_in_them() -> None:
    assert _objects() == _objects()
    assert "replicas" not in _objects(replicas=5)["StatefulSet/zk"]["spec"]


def test_the_transaction_log_is_never_on_a_volume_that_goes_with_the_pod() -> None:
    """Guards against G1 and J2: a transaction log on an emptyDir, or no volume at all."""
    pod = _objects(storage={"log": {"size": "1Gi"}})["StatefulSet/zk"]["spec"]
    names = {claim["metadata"]["name"] for claim in pod["volumeClaimTemplates"]}
    assert names == {"data", "datalog"}
    mounts = pod["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {mount["name"] for mount in mounts} - {"config"} == names
    assert all("emptyDir" not in volume for volume in pod["template"]["spec"]["volumes"])


def test_the_governing_service_is_headless_and_names_servers_that_are_not_ready() -> None:
    """Guards against G19: a governing Service that is not headless."""
    objects = _objects()
    governing = objects[f"Service/{objects['StatefulSet/zk']['spec']['serviceName']}"]["spec"]
    assert governing["clusterIP"] == "None"
    assert governing["publishNotReadyAddresses"] is True


def test_only_one_service_shows_the_metrics() -> None:
    """Guards against G18: two Services whose every pod is scraped twice."""
    ports = {
        name: [port["name"] for port in item["spec"]["ports"]]
        for name, item in _objects().items()
        if name.startswith("Service/")
    }
    assert [name for name, named in ports.items() if "metrics" in named] == ["Service/zk"]


def test_only_the_client_port_is_open_to_clients() -> None:
    """Guards against G20: membership that anyone can change who reaches a port of a Service."""
    ports = _objects(adminServer={"enabled": True})["Service/zk-client"]["spec"]["ports"]
    assert ports == [{"name": "client", "port": 2181, "protocol": "TCP"}]


def test_the_probes_ask_this_server_and_change_nothing() -> None:
    """Guards against C9, C10 and C11: readiness by ruok, or one that changes the membership."""
    server = _objects()["StatefulSet/zk"]["spec"]["template"]["spec"]["containers"][0]
    commands = {
        name: server[f"{name}Probe"]["exec"]["command"][2]
        for name in ("readiness", "liveness", "startup")
    }
    assert "printf srvr" in commands["readiness"]
    assert 'grep -q "^Mode: "' in commands["readiness"]
    assert "printf ruok" in commands["liveness"]
    assert all("reconfig" not in command for command in commands.values())


def test_a_pod_stops_by_the_signal_alone() -> None:
    """Guards against C8 and C23: hooks that burn the grace period or fail for good."""
    pod = _objects()["StatefulSet/zk"]["spec"]["template"]["spec"]
    assert all("lifecycle" not in container for container in pod["containers"])
    assert [container["name"] for container in pod["containers"]] == ["zookeeper", "agent"]


def test_the_agent_can_change_nothing_and_has_no_say_in_readiness() -> None:
    pod = _objects(storage={"log": {"size": "1Gi"}})["StatefulSet/zk"]["spec"]["template"]
    agent = pod["spec"]["containers"][1]
    assert agent["name"] == "agent"
    assert not [key for key in agent if key.endswith("Probe")]
    assert {m["name"]: m["readOnly"] for m in agent["volumeMounts"]} == {
        "data": True, "datalog": True, "config": True,
    }  # fmt: skip
    assert pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] == "zookeeper"


def test_the_agent_answers_where_it_is_asked() -> None:
    """The two constants are in layers that must not know each other's libraries."""
    assert AGENT_PORT == ASKED_PORT


@pytest.mark.parametrize(
    ("broker", "told"), [("http://broker", ["http://broker"]), ("", [])], ids=["set", "unset"]
)
def test_the_agent_is_told_of_the_broker_if_there_is_one(broker: str, told: list[str]) -> None:
    made = owned_objects(_cluster(), Installation("functions:1", broker), KNOWN)
    agent = made[-1]["spec"]["template"]["spec"]["containers"][1]
    assert [e["value"] for e in agent["env"] if e["name"] == "BROKER_URL"] == told


@pytest.mark.parametrize(
    ("spec", "mib"),
    [
        pytest.param({"heap": "400Mi"}, 400, id="the-specs-own"),
        pytest.param({"heap": "10Mi"}, 64, id="never-below-64"),
        pytest.param({"resources": {"limits": {"memory": "1536Mi"}}}, 1152, id="of-the-limit"),
        pytest.param({"resources": {"requests": {"memory": "500Mi"}}}, 375, id="of-the-request"),
        pytest.param({"resources": {"limits": {"memory": "1G"}}}, 715, id="decimal-units"),
        pytest.param({"resources": {}}, 512, id="nothing-said"),
        pytest.param({"resources": {"limits": {"memory": "64Mi"}}}, 64, id="a-tiny-limit"),
    ],
)
def test_the_heap_follows_the_memory(spec: dict[str, Any], mib: int) -> None:
    """Guards against G16: a heap of all memory, and none for 500Mi or 1536Mi."""
    assert heap_mib(_cluster(**spec)) == mib


def test_nothing_of_the_configuration_lets_an_empty_disk_vote_or_skips_rights() -> None:
    lines = zoo_cfg(_cluster()).splitlines()
    assert {"db.autocreate=false", "standaloneEnabled=false", "reconfigEnabled=true"} <= set(lines)
    assert not any("skipACL" in line for line in lines)
    assert "admin.enableServer=false" in lines


def test_ids_start_at_one() -> None:
    """Guards against J4: ids from 0 on."""
    lines = [server_line(_cluster(), ordinal) for ordinal in range(2)]
    assert [line.partition("=")[0] for line in lines] == ["server.1", "server.2"]
    assert lines[0].endswith(":2888:3888:participant;0.0.0.0:2181")


def test_another_file_is_another_hash_and_the_same_files_are_the_same() -> None:
    assert config_hash(_cluster()) == config_hash(_cluster(replicas=5))
    assert config_hash(_cluster()) != config_hash(_cluster(logLevel="DEBUG"))


def test_each_pod_follows_what_it_was_made_of() -> None:
    """Guards against C3 and G10: images and settings whose change is not noticed."""
    before = _objects()["StatefulSet/zk"]["spec"]["template"]
    for spec in (
        {"version": "3.9.4"},
        {"logLevel": "DEBUG"},
        {"restartedAt": "2026-01-31T12:00:00Z"},
    ):
        assert _objects(**spec)["StatefulSet/zk"]["spec"]["template"] != before
    helper = _objects(helperImage="other:1")["StatefulSet/zk"]["spec"]["template"]
    assert helper["spec"]["initContainers"][0]["image"] == "other:1"


def test_a_restart_that_is_asked_for_is_in_the_template() -> None:
    """Guards against C24: a misspelled annotation."""
    asked = _objects(restartedAt="2026-01-31T12:00:00Z")["StatefulSet/zk"]["spec"]["template"]
    annotations = asked["metadata"]["annotations"]
    assert annotations["zookeeper.example.com/restartedAt"] == "2026-01-31T12:00:00Z"


def test_the_claims_of_a_server_are_named_as_the_stateful_set_names_them() -> None:
    made = claims(_cluster(storage={"log": {"size": "1Gi"}}), 2)
    assert [claim["metadata"]["name"] for claim in made] == ["data-zk-2", "datalog-zk-2"]
    assert all("ownerReferences" not in claim["metadata"] for claim in made)
    assert claims(_cluster(storage={"ephemeral": True}), 0) == []


def test_the_digest_is_what_zookeeper_computes() -> None:
    # From ZooKeeper's own documentation of DigestAuthenticationProvider: super:admin.
    assert super_user_digest("admin") == "super:xQJmxLMiHGwaqBvst5y6rkB6HQs="


@pytest.mark.parametrize(
    ("pod", "ordinal"),
    [
        ("zk-0", 0),
        ("zk-12", 12),
        ("zk-x", None),
        ("zk", None),
        ("zk-client-1", None),
        ("k-1", None),
    ],
)
def test_only_a_clusters_own_pods_have_an_ordinal(pod: str, ordinal: int | None) -> None:
    """Guards against C12: names that only begin alike."""
    assert ordinal_of(_cluster(), pod) == ordinal


@pytest.mark.parametrize(
    ("kind", "name", "is_part"),
    [
        (POD, "zk-0", True),
        (POD, "zk-client-0", False),
        (PERSISTENT_VOLUME_CLAIM, "data-zk-1", True),
        (PERSISTENT_VOLUME_CLAIM, "datalog-zk-1", True),
        (PERSISTENT_VOLUME_CLAIM, "zk-1", False),
        (CONFIG_MAP, "zk-config", True),
        (CONFIG_MAP, "other", False),
        (SECRET, "zk-super-user", True),
        (SERVICE, "zk-client", True),
        (STATEFUL_SET, "zk", True),
    ],
)
def test_an_event_about_an_object_leads_to_its_cluster(
    kind: Kind, name: str, is_part: bool
) -> None:
    assert is_part_of(_cluster(), Ref(kind, "apps", name)) == is_part
    assert not is_part_of(_cluster(), Ref(kind, "other", name)) or kind in (
        POD,
        PERSISTENT_VOLUME_CLAIM,
    )


@pytest.mark.parametrize(
    ("kind", "name", "clusters"),
    [
        pytest.param(CLUSTER, "a-b", ["a-b"], id="itself"),
        pytest.param(POD, "a-b-0", ["a-b"], id="pod"),
        pytest.param(POD, "a-0-1", ["a-0"], id="pod-of-a-name-with-a-number"),
        pytest.param(POD, "a", [], id="pod-of-nobody"),
        pytest.param(STATEFUL_SET, "a-b", ["a-b"], id="stateful-set"),
        # The client Service of one, or the headless Service of another.
        pytest.param(SERVICE, "a-client", ["a", "a-client"], id="service-of-two"),
        pytest.param(CONFIG_MAP, "a-b-config", ["a-b"], id="config-map"),
        pytest.param(CONFIG_MAP, "-config", [], id="config-map-without-a-name"),
        pytest.param(CONFIG_MAP, "a--config", [], id="no-name-ends-so"),
        pytest.param(PERSISTENT_VOLUME_CLAIM, "data-a-b-0", ["a-b"], id="claim"),
        pytest.param(PERSISTENT_VOLUME_CLAIM, "datalog-a-2", ["a"], id="claim-of-the-log"),
        pytest.param(PERSISTENT_VOLUME_CLAIM, "other-a-2", [], id="claim-of-somebody-else"),
        pytest.param(JOB, "a", [], id="a-kind-no-cluster-makes"),
    ],
)
def test_the_clusters_an_object_may_be_of_are_in_its_name(
    kind: Kind, name: str, clusters: list[str]
) -> None:
    found = clusters_of(Ref(kind, "apps", name))
    assert found == tuple(Ref(CLUSTER, "apps", cluster) for cluster in clusters)


def test_no_owned_object_is_missed_by_its_name() -> None:
    cluster = _cluster()
    itself = Ref(CLUSTER, cluster.metadata.namespace, cluster.metadata.name)
    assert all(itself in clusters_of(ref) for ref in owned_refs(cluster))
