"""What an upgrade of the functions means for servers that run: nothing, as far as it can.

The pods' own programs come from the functions' image, so another image is another template, and a
roll of every ensemble there is. While nothing else in the template differs, the servers keep the
image they run; they take the new one along with the next change that replaces them anyway.
"""

from __future__ import annotations

from dataclasses import replace

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest
from functions.manifests.config_map import config_hash
from functions.manifests.encryption import Encryption
from functions.manifests.installation import Installation
from functions.manifests.login import Credentials
from functions.manifests.names import AGENT_CONTAINER
from functions.manifests.pod import pod_template
from functions.planning.drift import is_as_wanted


def for_running_servers(
    cluster: ZooKeeperCluster,
    installation: Installation,
    credentials: Credentials,
    encryption: Encryption,
    found: Manifest | None,
) -> Installation:
    """Return what the pods of `found`, the StatefulSet as it is, are to get from here."""
    if found is None:
        return installation
    running = found["spec"]["template"]
    kept = replace(installation, functions_image=_image(running) or installation.functions_image)
    settings = config_hash(cluster, encryption)
    wanted = pod_template(cluster, kept, credentials, settings, encryption)
    return kept if is_as_wanted(wanted, running) else installation


def _image(template: Manifest) -> str:
    """Return the image of the agent; an empty string where there is none (any more)."""
    containers = template["spec"].get("containers", ())
    return next((c.get("image", "") for c in containers if c["name"] == AGENT_CONTAINER), "")
