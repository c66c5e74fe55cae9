"""Law: what the API server refuses by the CRD, `parse` refuses too, and the other way round.

The rules are written twice, as CEL and in Python; here both judge the same generated specs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import InvalidSpec
from functions.api.kinds import CLUSTER

pytestmark = pytest.mark.contract

Manifest = dict[str, Any]


def mostly(*usual: Any, alphabet: str) -> st.SearchStrategy[Any]:
    """Values people write, and texts made of the characters that matter for the rule."""
    return st.sampled_from(usual) | st.text(alphabet, max_size=10)


QUANTITY = mostly(
    "10Gi", "512Mi", "0", "1.5G", ".5", "5.", "1e3", 7, 0, -1, alphabet="015.eEmGMi+- "
)
PATH = mostly("/data", "/data/", "/data/conf", "/conf", "/", "/a//b", alphabet="/ab.- _")
FILE = mostly("zoo.cfg", "zoo.cfg.dynamic", alphabet="ab/. _-\n")
TAG = st.text("v3.5679-@:a/", max_size=9)
KEY = mostly("skipACL", "server.1", "tickTime", "jute.maxbuffer", "admin.x", alphabet="ab.= \n4_-")
TIME = mostly("2026-01-31T12:00:00Z", "2026-01-31T12:00:00+01:00", "2026-01-31", alphabet="0-:TZ")
FLAG = mostly("-Xmx1g", "-Dzookeeper.skipACL=yes", alphabet="-X[]{}^$ \n\"'\\`~é")
LABELS = st.dictionaries(mostly("a.b/c", "app", alphabet="aA./-_ é"), st.text("aA-.é", max_size=3))
VARIABLE = mostly("A", "B", "SUPER_DIGEST", alphabet="AB")
AMOUNTS = st.dictionaries(st.sampled_from(["cpu", "memory"]), QUANTITY)

CONFIG = st.fixed_dictionaries(
    {},
    optional={
        "dataDir": PATH,
        "configDir": PATH,
        "rawConfigDir": PATH,
        "staticConfig": FILE,
        "dynamicConfig": FILE,
        "clientPort": st.sampled_from([0, 2181, 2888, 7000, 65536]),
        "minSessionTimeout": st.sampled_from([0, 4000, 40001]),
        "additionalConfig": st.dictionaries(KEY, st.text("a\n=", max_size=3), max_size=2),
    },
)
SPEC = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.sampled_from([0, 1, 3, 254, 255]),
        "observers": st.sampled_from([-1, 0, 1, 253, 254]),
        "image": TAG.map(lambda tag: f"zookeeper:{tag}"),
        "version": mostly("3.9.5", "3.5.9", "3.6.0", "4.0.0", alphabet="3456.v-"),
        "clusterDomain": mostly("cluster.local", alphabet="aA.-1"),
        "config": CONFIG,
        "heap": QUANTITY,
        "resources": st.fixed_dictionaries({}, optional={"requests": AMOUNTS, "limits": AMOUNTS}),
        "storage": st.fixed_dictionaries(
            {}, optional={"size": QUANTITY, "ephemeral": st.booleans(), "log": st.just({})}
        ),
        "jvmFlags": st.lists(FLAG, max_size=2),
        "labels": LABELS,
        "env": st.lists(st.fixed_dictionaries({"name": VARIABLE}), max_size=3),
        "restartedAt": TIME,
        "adminServer": st.fixed_dictionaries({"enabled": st.booleans(), "port": st.just(7000)}),
    },
)


def parses(manifest: Manifest) -> str:
    """Return why `parse` refuses the manifest, empty when it does not."""
    try:
        ZooKeeperCluster.parse(manifest)
    except InvalidSpec as refused:
        return str(refused)
    return ""


@pytest.fixture(scope="session")
def http(api_server: Any) -> Iterator[urllib3.PoolManager]:
    """Connections to the API server, as its administrator."""
    with urllib3.PoolManager(
        ca_certs=str(api_server.ca),
        headers={"Authorization": f"Bearer {api_server.token}"},
        timeout=20.0,
        retries=False,
    ) as pool:
        yield pool


@given(spec=SPEC)
@settings(max_examples=400)
def test_the_api_server_and_the_models_agree_on_every_spec(
    api_server: Any, http: urllib3.PoolManager, spec: Manifest
) -> None:
    manifest = {
        "apiVersion": CLUSTER.api_version,
        "kind": CLUSTER.name,
        "metadata": {"name": "zk", "namespace": "default"},
        "spec": spec,
    }
    answer = http.request(
        "POST",
        f"{api_server.url}/apis/{CLUSTER.api_version}/namespaces/default/{CLUSTER.plural}"
        "?dryRun=All&fieldValidation=Strict",
        json=manifest,
    )
    assert bool(parses(manifest)) == (answer.status != 201), (parses(manifest), answer.json())
