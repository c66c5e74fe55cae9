"""The Jobs that work on an object store or on the volumes of a server: one program in one pod.

The pod has no ServiceAccount token and no rights, its root file system cannot be written, and its
last words are the program's result (`functions/pods/outcome.py`). Exit code 2 ends the Job at once,
a disruption (a drain) does not count as a try, anything else is tried twice more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import JOB
from functions.api.location import Location
from functions.api.manifest import Manifest
from functions.api.ports import PROGRESS_PORT
from functions.api.resource import Resource
from functions.manifests.claims import claim_templates
from functions.manifests.container import container_security, pod_security
from functions.manifests.installation import Installation
from functions.manifests.job_names import labels, owned_metadata
from functions.manifests.names import DATA_CLAIM, LOG_MOUNT, claim_name, identity, pod_name
from functions.manifests.pod_programs import is_seed_helper
from functions.manifests.store_environment import (
    store_environment,
    store_mounts,
    store_volumes,
    variable,
)

FINAL_EXIT_CODE = 2
TRIES_MORE = 2
# A program that is stopped removes what it wrote, and says why it ended, before it is killed.
GRACE_SECONDS = 60
# The program's own deadline comes first, so that it is the program that says what took so long.
DEADLINE_SLACK = timedelta(seconds=60)
SCRATCH = "scratch"
SCRATCH_FOLDER = "/scratch"


@dataclass(frozen=True, slots=True)
class Volumes:
    """The volumes of one server of a cluster, mounted where the server has them.

    `is_beside`: the server's pod runs, so the Job's pod must run on its node. A volume of one node
    at a time (ReadWriteOnce) can be mounted nowhere else.
    """

    cluster: ZooKeeperCluster
    ordinal: int
    is_read_only: bool
    is_beside: bool


@dataclass(frozen=True, slots=True)
class StoreProgram:
    """`functions.pods.<name>` with its own variables.

    `image` is what the spec asks for. `location` is the store, for a program that needs one, and
    `cluster` the one whose pull secrets, tolerations and user its pod shares, where there is one.
    """

    name: str
    image: str | None
    env: tuple[Manifest, ...]
    timeout: timedelta
    location: Location | None = None
    cluster: ZooKeeperCluster | None = None
    volumes: Volumes | None = None


def store_image(asked: str | None, installation: Installation) -> str:
    """Return the image of a program: the spec's own, or the functions' (for the seed's too)."""
    return installation.functions_image if not asked or is_seed_helper(asked) else asked


def store_job(
    of: Resource, name: str, program: StoreProgram, installation: Installation
) -> Manifest:
    """Return the Job that runs the program for a backup or a restore."""
    return {
        **identity(JOB),
        "metadata": owned_metadata(of, name, program.name),
        "spec": store_job_spec(of, program, installation),
    }


def store_job_spec(of: Resource, program: StoreProgram, installation: Installation) -> Manifest:
    """Return the spec of such a Job, for a CronJob's template as well."""
    deadline = program.timeout + DEADLINE_SLACK
    return {
        "backoffLimit": TRIES_MORE,
        "completions": 1,
        "parallelism": 1,
        "activeDeadlineSeconds": int(deadline.total_seconds()),
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "FailJob",
                    "onExitCodes": {
                        "containerName": container_name(program),
                        "operator": "In",
                        "values": [FINAL_EXIT_CODE],
                    },
                },
                {
                    "action": "Ignore",
                    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                },
            ]
        },
        "template": {
            "metadata": {"labels": labels(of, program.name)},
            "spec": _pod_spec(program, installation),
        },
    }


def container_name(program: StoreProgram) -> str:
    return program.name.replace("_", "-")


def _pod_spec(program: StoreProgram, installation: Installation) -> Manifest:
    stores = [] if program.location is None else store_volumes(program.location)
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": pod_security(program.cluster),
        "containers": [_container(program, installation)],
        "volumes": [
            *_claim_volumes(program.volumes),
            *stores,
            {"name": SCRATCH, "emptyDir": {}},
        ],
        **_placement(program),
    }


def _container(program: StoreProgram, installation: Installation) -> Manifest:
    stores = [] if program.location is None else store_environment(program.location)
    mounts = [] if program.location is None else store_mounts(program.location)
    return {
        "name": container_name(program),
        "image": store_image(program.image, installation),
        "command": ["python", "-m", f"functions.pods.{program.name}"],
        "env": [
            *stores,
            *program.env,
            {
                "name": "POD_NAME",
                "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}},
            },
            variable("TIMEOUT_SECONDS", str(int(program.timeout.total_seconds()))),
            variable("TMPDIR", SCRATCH_FOLDER),
        ],
        "ports": [
            {"name": "http-progress", "containerPort": PROGRESS_PORT, "protocol": "TCP"},
        ],
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": "1Gi"},
        },
        "securityContext": {**container_security(), "readOnlyRootFilesystem": True},
        "terminationMessagePolicy": "File",
        "volumeMounts": [
            *_claim_mounts(program.volumes),
            *mounts,
            {"name": SCRATCH, "mountPath": SCRATCH_FOLDER},
        ],
    }


def _claim_volumes(volumes: Volumes | None) -> list[Manifest]:
    if volumes is None:
        return []
    return [
        {
            "name": template,
            "persistentVolumeClaim": {
                "claimName": claim_name(volumes.cluster, volumes.ordinal, template)
            },
        }
        for template in _templates(volumes)
    ]


def _claim_mounts(volumes: Volumes | None) -> list[Manifest]:
    if volumes is None:
        return []
    data = volumes.cluster.spec.config.data_dir
    return [
        {
            "name": template,
            "mountPath": data if template == DATA_CLAIM else LOG_MOUNT,
            "readOnly": volumes.is_read_only,
        }
        for template in _templates(volumes)
    ]


def _templates(volumes: Volumes) -> list[str]:
    return [template["metadata"]["name"] for template in claim_templates(volumes.cluster)]


def _placement(program: StoreProgram) -> Manifest:
    """Return where the pod may run: beside the server, and where the cluster's own pods may."""
    cluster, volumes = program.cluster, program.volumes
    wanted: Manifest = {
        "affinity": _beside(volumes) if volumes is not None and volumes.is_beside else {},
    }
    if cluster is not None:
        pod = cluster.spec.pod
        wanted["tolerations"] = [
            t.model_dump(by_alias=True, exclude_none=True) for t in pod.tolerations
        ]
        wanted["imagePullSecrets"] = [
            secret.model_dump(by_alias=True) for secret in cluster.spec.image_pull_secrets
        ]
    return {key: value for key, value in wanted.items() if value}


def _beside(volumes: Volumes) -> Manifest:
    # The StatefulSet controller puts this label on each of its pods.
    server = {"statefulset.kubernetes.io/pod-name": pod_name(volumes.cluster, volumes.ordinal)}
    term = {
        "labelSelector": {"matchLabels": server},
        "topologyKey": "kubernetes.io/hostname",
    }
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
