"""Delivers one event to one Trigger's subscriber: tries, waits, replies and dead letters.

Real Knative does it in two programs, the channel's dispatcher and the broker's filter. What one
tells the other shows outside, so both are kept apart here: `_filter` answers as the filter does.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from local.eventing.delivery import Retries, is_retried, is_success
from local.eventing.events import TTL, BadEvent, Event, carries_event, read_event
from local.eventing.faults import Faults
from local.eventing.filters import Filter
from local.eventing.sender import NO_ANSWER, Answer, Sender

log = logging.getLogger(__name__)

ERROR_DATA_CHARACTERS = 1024
PASSED_EXACTLY = ("x-request-id", "retry-after")
PASSED_PREFIXES = ("knative-", "x-b3-")


@dataclass(frozen=True, slots=True)
class Subscription:
    """Everything the dispatcher needs to know of a Trigger."""

    namespace: str
    name: str
    matches: Filter
    subscriber: str
    reply: str
    retries: Retries = field(default_factory=Retries)
    dead_letter: str | None = None
    structured: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """What a dead letter tells about the failed request."""

    destination: str
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answer as the channel's dispatcher sees it."""

    status: int
    reply: Event | None = None
    failure: Failure | None = None


Attempt = Callable[[], Awaitable[Outcome]]


def passed_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return those headers of a sender that reach the subscriber."""
    return {
        name: value
        for name, value in headers.items()
        if name.lower() in PASSED_EXACTLY or name.lower().startswith(PASSED_PREFIXES)
    }


class Dispatcher:
    """Delivers events; knows nothing of Kubernetes."""

    def __init__(self, sender: Sender, faults: Faults) -> None:
        self._sender = sender
        self._faults = faults

    async def deliver(
        self, event: Event, subscription: Subscription, headers: Mapping[str, str]
    ) -> bool:
        """Bring the event to the subscriber or to the dead letter sink; False when neither."""
        if not subscription.matches(event.without(TTL)):
            return True
        copies = await self._faults.copies(event, subscription.namespace)
        return all([await self._deliver(event, subscription, headers) for _ in range(copies)])

    async def _deliver(
        self, event: Event, subscription: Subscription, headers: Mapping[str, str]
    ) -> bool:
        retries = subscription.retries
        outcome = await _tried(lambda: self._filter(event, subscription, headers), retries)
        if is_success(outcome.status) and outcome.reply is not None:
            reply = outcome.reply
            outcome = await _tried(lambda: self._reply(reply, subscription, headers), retries)
        if is_success(outcome.status):
            return True
        _tell(event, subscription, outcome)
        return await self._dead_letter(event, subscription, headers, outcome.failure)

    async def _filter(
        self, event: Event, subscription: Subscription, headers: Mapping[str, str]
    ) -> Outcome:
        answer = await self._sender.send(
            subscription.subscriber,
            event.without(TTL),
            headers={**headers, "Prefer": "reply", "Kn-Namespace": subscription.namespace},
            timeout=subscription.retries.timeout,
            structured=subscription.structured,
        )
        if not is_success(answer.status):
            _tell_try(event, subscription, answer)
        if answer.status == NO_ANSWER:
            return _unreachable(answer, subscription)
        if not is_success(answer.status):
            failure = Failure(subscription.subscriber, answer.status, answer.body)
            return Outcome(answer.status, failure=failure)
        return _answered(answer, event.attributes.get(TTL, ""))

    async def _reply(
        self, event: Event, subscription: Subscription, headers: Mapping[str, str]
    ) -> Outcome:
        answer = await self._sender.send(
            subscription.reply,
            event,
            headers={**headers, "Kn-Namespace": subscription.namespace},
            timeout=subscription.retries.timeout,
        )
        status = 500 if answer.status == NO_ANSWER else answer.status
        return Outcome(status, failure=Failure(subscription.reply, status, answer.body))

    async def _dead_letter(
        self,
        event: Event,
        subscription: Subscription,
        headers: Mapping[str, str],
        failure: Failure | None,
    ) -> bool:
        sink = subscription.dead_letter
        if sink is None:
            return False
        letter = event if failure is None else event.having(**_error_extensions(failure))

        async def attempt() -> Outcome:
            answer = await self._sender.send(
                sink,
                letter,
                headers={**headers, "Kn-Namespace": subscription.namespace},
                timeout=subscription.retries.timeout,
            )
            return Outcome(answer.status)

        return is_success((await _tried(attempt, subscription.retries)).status)


async def _tried(attempt: Attempt, retries: Retries) -> Outcome:
    outcome = await attempt()
    for retry in range(retries.count):
        if not is_retried(outcome.status):
            break
        await asyncio.sleep(retries.wait_before(retry))
        outcome = await attempt()
    return outcome


def _unreachable(answer: Answer, subscription: Subscription) -> Outcome:
    if answer.timed_out:
        # The dispatcher gave up on the filter, so nobody tells it what went wrong.
        return Outcome(500)
    return Outcome(500, failure=Failure(subscription.subscriber, 500, answer.body))


def _answered(answer: Answer, ttl: str) -> Outcome:
    """Judge a 2xx: empty is fine, an event is a reply, anything else counts as 502."""
    if not carries_event(answer.headers):
        return Outcome(502 if answer.body else answer.status)
    try:
        reply = read_event(answer.headers, answer.body)
    except BadEvent as error:
        log.warning("a subscriber answered a malformed event: %s", error)
        return Outcome(502)
    return Outcome(answer.status, reply=reply.having(**{TTL: ttl}) if ttl else reply)


def _error_extensions(failure: Failure) -> dict[str, str]:
    encoded = base64.b64encode(failure.body).decode()
    return {
        "knativeerrordest": failure.destination,
        "knativeerrorcode": str(failure.status),
        "knativeerrordata": encoded[:ERROR_DATA_CHARACTERS],
    }


def _tell_try(event: Event, subscription: Subscription, answer: Answer) -> None:
    log.info(
        "trigger %s/%s: event %s was answered %d: %s",
        subscription.namespace,
        subscription.name,
        event.attributes["id"],
        answer.status,
        answer.body[:ERROR_DATA_CHARACTERS].decode(errors="replace"),
    )


def _tell(event: Event, subscription: Subscription, outcome: Outcome) -> None:
    log.warning(
        "trigger %s/%s: event %s failed for good with %d; %s",
        subscription.namespace,
        subscription.name,
        event.attributes["id"],
        outcome.status,
        f"dead letter to {subscription.dead_letter}" if subscription.dead_letter else "it is lost",
    )
