"""Specs that pass the schema and mean harm: builders make what was meant, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import InvalidSpec
from functions.api.location import S3, Location
from functions.api.manifest import Manifest
from functions.manifests.heap import heap_mib
from functions.manifests.installation import Installation
from functions.manifests.login import Credentials
from functions.manifests.owned import owned_objects
from functions.manifests.server_config import zoo_cfg
from functions.manifests.store_environment import store_environment, variable
from local.node.environment import expand
from tests.unit.planned import cluster

OURS = Installation("functions:1", "http://broker.example/events")
QUICK = settings(max_examples=10, deadline=None)
LONG = settings(max_examples=2000, deadline=None)

# What shells, Java, YAML, the kubelet and our own readers take for more than text.
SHARP = (
    "\n", "\r", "\r\nskipACL=yes", "\\nskipACL=yes", "\\u000askipACL=yes", "\\", "$(SUPER_DIGEST)",
    "$$(SUPER_DIGEST)", "${HOME}", "`id`", "$(id)", "'", '"', ";", "|", "&", "*", "../..", "/", " ",
    "\t", "\x00", "\x0b", "\x1c", "\x85", "\u2028", "\u202e", "é", "😀", "#", "!", "=", ":",
    "server.1=evil:1:2;3", "version=1", "yes", "null", "~", "0", "{}", "{{", "%s", "<!--", "]]>",
    "x" * 300,
)  # fmt: skip
TEXT = st.lists(st.one_of(st.sampled_from(SHARP), st.text(max_size=5)), max_size=4).map("".join)
WORDS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,20}\Z")
MAP = st.dictionaries(TEXT, TEXT, max_size=2)
# What the schema lets through; that it refuses the rest is in tests/contract/refused_clusters.yaml.
LINES = TEXT.map(lambda text: re.sub(r"[\x00-\x08\x0a-\x1f\x7f\\]", "", text))
FLAGS = st.from_regex(r"\A-[!#%&(-Z^_a-~]{1,30}\Z")
SPECS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "config": st.fixed_dictionaries(
            {
                "additionalConfig": st.dictionaries(WORDS, LINES, max_size=3),
                "dataDir": st.sampled_from(("/data", "/etc", "/a-b/c.d/")),
                "staticConfig": st.one_of(st.just("server.1"), WORDS.map("z{}".format)),
                "dynamicConfig": WORDS.map("y{}".format),
            }
        ),
        "env": st.lists(
            st.fixed_dictionaries({"name": TEXT.map("X{}".format), "value": TEXT}), max_size=1
        ),
        "jvmFlags": st.lists(FLAGS, max_size=3),
        "labels": st.dictionaries(st.sampled_from(("a", "instance", "x.y/z")), st.just("b")),
        "pod": st.fixed_dictionaries(
            {
                "annotations": MAP,
                "nodeSelector": MAP,
                "affinity": MAP,
                "securityContext": MAP,
            }
        ),
        "clientService": st.fixed_dictionaries({"annotations": MAP}),
        "resources": st.fixed_dictionaries(
            {"limits": st.sampled_from(({}, {"memory": "1e99"}, {"memory": "1n"}, {"x y": "1"}))}
        ),
    }
)


@QUICK
@given(SPECS)
def test_no_spec_makes_more_than_was_meant(spec: dict[str, Any]) -> None:
    _is_as_meant(spec)


@pytest.mark.soak
@LONG
@given(SPECS)
def test_none_of_many_specs_makes_more_than_was_meant(spec: dict[str, Any]) -> None:
    _is_as_meant(spec)


def _is_as_meant(spec: dict[str, Any]) -> None:
    try:
        read = cluster(**spec)
    except InvalidSpec:
        assume(False)  # A key of zoo.cfg, or a flag, that is ours.
        raise
    made = owned_objects(read, OURS, Credentials("hash"))
    for found in made:
        assert json.loads(json.dumps(found)) == found
        assert found["metadata"]["namespace"] == "apps"
        assert re.fullmatch(r"zk(-[a-z-]+)?", found["metadata"]["name"])
        assert found["metadata"]["labels"]["instance"] == "zk"
    assert heap_mib(read) > 0
    _reads_the_settings_that_were_meant(read)
    _has_the_flags_that_were_meant(read, made[-1])


def _reads_the_settings_that_were_meant(read: ZooKeeperCluster) -> None:
    """Read as Java does, written as a server writes them, and read again: nothing is new."""
    plain = read.spec.config.model_copy(update={"additional_config": {}})
    without = read.model_copy(update={"spec": read.spec.model_copy(update={"config": plain})})
    ours, told = _properties(zoo_cfg(without)), _properties(zoo_cfg(read))
    again = _properties("".join(f"{key}={value}\n" for key, value in told.items()))
    assert told == again
    assert {key: told[key] for key in ours} == ours
    assert told.keys() - ours.keys() == set(read.spec.config.additional_config)


def _has_the_flags_that_were_meant(read: ZooKeeperCluster, stateful_set: Manifest) -> None:
    env = _env(stateful_set["spec"]["template"]["spec"]["containers"][0])
    flags = env["SERVER_JVMFLAGS"].split()
    count = len(read.spec.jvm_flags)
    assert tuple(flags[len(flags) - count :]) == read.spec.jvm_flags
    assert not re.search(r"['\"`\\]|\$(?!\(SUPER_DIGEST\))", env["SERVER_JVMFLAGS"])
    assert env["SERVER_JVMFLAGS"].count("SUPER_DIGEST") == 1


SECRETS = {"SUPER_DIGEST": "hidden", "SECRET_KEY": "hidden", "id": "hidden"}


@QUICK
@given(TEXT)
@example("$$(SECRET_KEY)")
@example("$$$(SECRET_KEY)")
def test_the_kubelet_puts_nothing_into_a_variable_that_is_only_text(text: str) -> None:
    assert expand(variable("A", text)["value"], SECRETS) == text


@QUICK
@given(TEXT)
@example("$$(SECRET_KEY)")
def test_a_programs_region_is_what_its_backup_says(text: str) -> None:
    region, keys = text[:64], {"name": "keys", "key": "id"}
    store = {"bucket": "b", "region": region, "accessKeySecret": keys, "secretKeySecret": keys}
    env = {entry["name"]: entry for entry in store_environment(Location(s3=S3(**store)))}
    assert expand(env["REGION"]["value"], SECRETS) == region


def _env(container: Manifest) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def _properties(text: str) -> dict[str, str]:
    """Read `key=value` lines as `java.util.Properties` does, as far as such lines can go."""
    found: dict[str, str] = {}
    for line in _logical_lines(text):
        key, _, value = line.partition("=")
        found[_unescaped(key.strip(" \t\f"))] = _unescaped(value.lstrip(" \t\f"))
    return found


def _logical_lines(text: str) -> Iterator[str]:
    held = ""
    for line in re.split(r"\r\n|\n|\r", text):
        held += line.lstrip(" \t\f") if held else line
        backslashes = len(held) - len(held.rstrip("\\"))
        if backslashes % 2:
            held = held[:-1]
            continue
        if held.strip(" \t\f") and held.lstrip(" \t\f")[0] not in "#!":
            yield held
        held = ""


def _unescaped(text: str) -> str:
    plain = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}

    def one(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if len(code) == 5 else plain.get(code, code)

    return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", one, text, flags=re.DOTALL)
