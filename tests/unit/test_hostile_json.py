"""What is nested too deeply is left out of a list, and refused where it stands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.adapters.kubernetes.nesting import MOST_DEPTH, loads
from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import InvalidSpec
from functions.api.resource import MOST_DEPTH as MOST_OF_A_SPEC


def _deep(levels: int, opening: str = '{"a":', closing: str = "}") -> str:
    return opening * levels + "1" + closing * levels


def _manifest(spec: str) -> str:
    return '{"metadata": {"name": "zk", "namespace": "apps"}, "spec": %s}' % spec  # noqa: UP031


@pytest.mark.parametrize("levels", [1100, 9000])
@pytest.mark.parametrize(
    ("opening", "closing"), [('{"a":', "}"), ("[", "]"), ('{"]}":[', "]}")], ids=str
)
def test_a_list_keeps_all_that_is_beside_what_is_too_deep(
    levels: int, opening: str, closing: str
) -> None:
    affinity = _deep(levels, opening, closing)
    text = '{"items": [{"before": "]}\\""}, {"deep": %s, "beside": [{}, 2]}, 3]}' % affinity  # noqa: UP031
    before, found, after = loads(text.encode())["items"]
    assert (before, found["beside"], after) == ({"before": ']}"'}, [{}, 2], 3)
    assert found["deep"] is not None


def test_what_is_not_too_deep_is_read_as_it_is() -> None:
    text = _deep(MOST_DEPTH)
    assert loads(text.encode()) == json.loads(text)


@pytest.mark.parametrize("end", [b"", b"]", b'"', b"}" * 3000])
def test_what_is_deep_and_no_json_is_none(end: bytes) -> None:
    with pytest.raises(ValueError, match=r"column|Extra data"):
        loads(b"[" * 2000 + end)


@pytest.mark.parametrize("levels", [MOST_OF_A_SPEC, 500, 900, 1100, 9000])
def test_a_spec_that_is_too_deep_is_refused_with_a_sentence(levels: int) -> None:
    spec = '{"replicas": 1, "pod": {"affinity": %s}}' % _deep(levels)  # noqa: UP031
    manifest: dict[str, Any] = loads(_manifest(spec).encode())
    with pytest.raises(InvalidSpec, match="nested more than 64 levels deep"):
        ZooKeeperCluster.parse(manifest)


def test_as_deep_as_kubernetes_goes_is_fine() -> None:
    spec = '{"replicas": 1, "pod": {"affinity": %s}}' % _deep(30)  # noqa: UP031
    assert ZooKeeperCluster.parse(json.loads(_manifest(spec))).spec.replicas == 1


def test_as_many_labels_and_annotations_as_somebody_likes_are_read() -> None:
    many = {f"k{number}": "v" for number in range(500)}
    manifest = {"metadata": {"name": "zk", "labels": many, "annotations": many}, "spec": {}}
    assert ZooKeeperCluster.parse(manifest).metadata.annotations == many
