"""The platform's object stores: reached from pods by name and from the host by port, with keys
that only this platform's Secret has."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.platform.handle import Platform, eventually
from local.platform.state import State
from local.stores import place
from local.stores.services import host_endpoints
from tests.system import rest

pytestmark = pytest.mark.system

ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=5)
# Runs in a pod: writes an object and reads it back, with the keys of its environment.
IN_A_POD = """
import os, sys
import boto3, oss2
from botocore.config import Config

keys, bucket = (os.environ["ACCESS_KEY"], os.environ["SECRET_KEY"]), "backups"
s3 = boto3.client("s3", endpoint_url=sys.argv[1], region_name="laptop", aws_access_key_id=keys[0],
                  aws_secret_access_key=keys[1], config=Config(s3={"addressing_style": "path"}))
s3.put_object(Bucket=bucket, Key="from/a/pod", Body=b"s3")
read = [s3.get_object(Bucket=bucket, Key="from/a/pod")["Body"].read()]
oss = oss2.Bucket(oss2.Auth(*keys), sys.argv[2], bucket)
oss.put_object("from/a/pod", b"oss")
read.append(oss.get_object("from/a/pod").read())
print(read)
"""


def client(endpoint: str, keys: place.Credentials) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=place.REGION,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        config=ONCE.merge(Config(s3={"addressing_style": "path"})),
    )


@pytest.fixture
def state(platform: Platform) -> State:
    return State(platform.state)


@pytest.fixture
def s3(state: State) -> Any:
    """A client on the host."""
    eventually(lambda: place.S3 in host_endpoints(state), what="the host's port")
    return client(host_endpoints(state)[place.S3], place.credentials(state))


def test_a_pod_reaches_both_stores_by_name(
    platform: Platform, namespace: str, state: State
) -> None:
    secret = platform.local("store-secret", "-n", namespace).stdout
    platform.kubectl("apply", "-f", "-", input=secret)
    env = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": place.SECRET, "key": key}}}
        for name, key in (("ACCESS_KEY", "accessKey"), ("SECRET_KEY", "secretKey"))
    ]
    stores = [place.endpoint(place.S3), place.endpoint(place.OSS)]
    command = ["python3", "-c", IN_A_POD, *stores]
    container = {"name": "c", "image": "zookeeper-functions:dev", "command": command, "env": env}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }
    platform.kubectl("-n", namespace, "apply", "-f", "-", input=json.dumps(pod))

    def has_ended() -> bool:
        status = rest.get(platform.kubeconfig, namespace, "pod", "p").get("status", {})
        return status.get("phase") in ("Succeeded", "Failed")

    eventually(has_ended, what="the pod's end")
    assert platform.kubectl("-n", namespace, "logs", "p").stdout == "[b's3', b'oss']\n"
    assert (place.folder(state, place.S3) / "backups/from/a/pod").read_text() == "s3"


def test_the_host_reaches_a_store_with_the_platforms_keys_only(state: State, s3: Any) -> None:
    s3.put_object(Bucket=place.BUCKET, Key="from/the/host", Body=b"x")
    keys = place.credentials(state)
    wrong = client(s3.meta.endpoint_url, place.Credentials(keys.access_key, "wrong"))
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        wrong.get_object(Bucket=place.BUCKET, Key="from/the/host")


def test_status_names_the_stores_and_no_process_shows_the_keys(
    platform: Platform, state: State, s3: Any
) -> None:
    said = platform.local("status").stdout
    assert f"store s3: {s3.meta.endpoint_url} on this machine" in said
    assert place.endpoint(place.OSS) in said
    shown = platform.run("bash", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '").stdout
    assert "serve s3" in shown
    keys = place.credentials(state)
    assert keys.secret_key not in shown
    assert keys.secret_key not in state.log_of(place.S3).read_text()


def test_a_stopped_store_refuses_and_comes_back_with_its_objects(
    platform: Platform, s3: Any
) -> None:
    s3.put_object(Bucket=place.BUCKET, Key="kept", Body=b"x")
    platform.local("fault", "stop-store")
    try:
        address = f"/dev/tcp/10.244.0.1/{place.PORTS[place.S3]}"
        refused = platform.run("bash", "-c", f"exec 3<>{address}", check=False)
        assert "Connection refused" in refused.stderr
        assert "stopped  the object stores" in platform.local("fault", "list").stdout
    finally:
        platform.local("fault", "clear")
    assert s3.get_object(Bucket=place.BUCKET, Key="kept")["Body"].read() == b"x"
