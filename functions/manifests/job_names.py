"""The names and labels of the Jobs made for a backup or a restore, of whatever name that has.

A Job's name becomes the value of a label and, with five letters more, the name of a pod; a
CronJob's gets the minute of each run as well. So what is too long, or has dots, is cut and told
apart by a hash. A name that looks as if it ended in such a hash or minute gets one too: so no two
objects ever have one name.
"""

from __future__ import annotations

import hashlib
import re

from functions.api.kinds import Kind
from functions.api.manifest import Manifest
from functions.api.resource import Resource
from functions.manifests.names import MANAGED

# What Kubernetes allows the name of a CronJob: 63 without the eleven of a minute.
LONGEST = 52
LONGEST_LABEL = 63
# On a Job: the generation of the object whose spec it follows.
GENERATION = "zookeeper.example.com/generation"
COMPONENT = "app.kubernetes.io/component"
_HASH = 10
_PLAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LOOKS_TOLD_APART = re.compile(rf".*-([0-9a-f]{{{_HASH}}}|[0-9]{{8,}})")


def job_name(verb: str, name: str, *more: str) -> str:
    """Return `<verb>-<name>`; `more` tells several of one object apart."""
    plain = f"{verb}-{name}"
    is_usable = len(plain) <= LONGEST and _PLAIN.fullmatch(name) is not None
    if is_usable and not more and _LOOKS_TOLD_APART.fullmatch(name) is None:
        return plain
    told_apart = hashlib.sha256("\n".join((verb, name, *more)).encode()).hexdigest()[:_HASH]
    kept = plain.replace(".", "-")[: LONGEST - _HASH - 1].rstrip("-")
    return f"{kept}-{told_apart}"


def label_value(name: str) -> str:
    """Return an object's name as the value of a label, which may have 63 characters at most."""
    if len(name) <= LONGEST_LABEL:
        return name
    told_apart = hashlib.sha256(name.encode()).hexdigest()[:_HASH]
    return f"{name[: LONGEST_LABEL - _HASH - 1].rstrip('-.')}-{told_apart}"


def operator(kind: Kind) -> str:
    """Return the seed system's label for what belongs to an object: zookeeper-backup."""
    return f"zookeeper-{kind.name.removeprefix('ZooKeeper').lower()}"


def selector(of: Resource) -> dict[str, str]:
    """Return the labels by which the Jobs, CronJobs and pods of an object are found."""
    return {"operator": operator(of.kind), "instance": label_value(of.metadata.name)}


def labels(of: Resource, program: str) -> dict[str, str]:
    """Return the labels of a Job's pod. Pods are not marked as managed by us: the Job is watched,
    and an event for each pod as well would wake every function of the clusters for nothing."""
    return {
        "app.kubernetes.io/name": operator(of.kind),
        "app.kubernetes.io/instance": label_value(of.metadata.name),
        COMPONENT: program.replace("_", "-"),
        **selector(of),
    }


def owned_metadata(of: Resource, name: str, program: str) -> Manifest:
    """Return the metadata of a Job or a CronJob: it goes when the object goes."""
    return {
        "name": name,
        "namespace": of.metadata.namespace,
        "labels": watched(labels(of, program)),
        "ownerReferences": [
            {
                "apiVersion": of.kind.api_version,
                "kind": of.kind.name,
                "name": of.metadata.name,
                "uid": of.metadata.uid,
                "controller": True,
            }
        ],
    }


def watched(given: dict[str, str]) -> dict[str, str]:
    """Return the labels with the one that lets changes of the object become events."""
    return {**given, **MANAGED}
