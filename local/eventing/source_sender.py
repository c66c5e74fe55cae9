"""How a source sends: five quick tries, then the event is lost. There is no dead letter here."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from local.eventing.delivery import is_success
from local.eventing.events import Event, timestamp
from local.eventing.sender import NO_ANSWER, Sender

log = logging.getLogger(__name__)

WAITS = (0.1, 0.2, 0.4, 0.8, 1.6)
# 500 is not among them: the sources of Knative give up at once then.
RETRIED = frozenset({NO_ANSWER, 404, 413, 425, 429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class SourceSender:
    """The sending side of one source: its sink, its namespace and its static extensions."""

    sender: Sender
    sink: str
    namespace: str
    overrides: Mapping[str, str] = field(default_factory=dict)

    async def send(self, event: Event) -> bool:
        """Send until it is taken or given up; tell whether it was taken."""
        complete = event.having(
            specversion="1.0", id=str(uuid.uuid4()), time=timestamp(), **self.overrides
        )
        status = await self._post(complete)
        for wait in WAITS:
            if status not in RETRIED:
                break
            await asyncio.sleep(wait)
            status = await self._post(complete)
        if is_success(status):
            return True
        log.error(
            "event %s about %s is lost: %s answered %d",
            complete.attributes["type"],
            complete.attributes.get("subject", complete.attributes["source"]),
            self.sink,
            status,
        )
        return False

    async def _post(self, event: Event) -> int:
        answer = await self.sender.send(self.sink, event, headers={"Kn-Namespace": self.namespace})
        return answer.status
