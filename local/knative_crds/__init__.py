"""The CustomResourceDefinitions of the Knative kinds that this project's YAML uses.

Written for the laptop: as loose as Knative's own schemas are, with the same status subresources
and columns. The rules beyond the schema are in local/eventing/admission*.py.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from local.kube import ApiError, KubeClient

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parent
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RETRY_SECONDS = 0.5


def definitions(part: str) -> list[dict[str, Any]]:
    """Return the definitions of one part: `eventing` or `serving`."""
    return list(yaml.safe_load_all((FOLDER / f"{part}.yaml").read_text()))


async def install(client: KubeClient, part: str) -> None:
    """Apply the definitions, however long the API server takes to come up."""
    for definition in definitions(part):
        path = f"{DEFINITIONS}/{definition['metadata']['name']}"
        while True:
            try:
                await client.apply(path, definition, manager=f"local-{part}")
                break
            except (ApiError, aiohttp.ClientError, TimeoutError) as error:
                log.info("cannot apply %s yet: %s", definition["metadata"]["name"], error)
                await asyncio.sleep(RETRY_SECONDS)
