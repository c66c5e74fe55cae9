"""Sending CloudEvents to a Knative Broker's ingress."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

import urllib3

from functions.api.errors import Unavailable


class Broker:
    """One broker, by the address of its ingress."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url = url
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False)

    def send(self, attributes: Mapping[str, str], data: Mapping[str, Any]) -> None:
        """POST one event in binary mode; raises Unavailable when the broker did not take it."""
        if not self._url:
            raise Unavailable("There is no broker to send to: set K_SINK to the broker's address.")
        headers = {f"ce-{name}": value for name, value in attributes.items()}
        headers |= {
            "ce-specversion": "1.0",
            "ce-id": str(uuid.uuid4()),
            "Content-Type": "application/json",
        }
        # As an HTTP header too: where Knative traces, it goes on from there.
        headers |= {k: v for k, v in attributes.items() if k == "traceparent"}
        try:
            answer = self._pool.request(
                "POST", self._url, body=json.dumps(data).encode(), headers=headers
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"The broker {self._url} cannot be reached: {error}") from error
        if answer.status >= 300:
            raise Unavailable(f"The broker {self._url} answers {answer.status}.")
