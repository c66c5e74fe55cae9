"""Keeps Brokers and Triggers: their status, and the routes the ingress follows."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping
from typing import Any

from local.eventing.conditions import (
    OIDC_OFF,
    Condition,
    false,
    is_ready,
    status_of,
    true,
    unknown,
    with_ready,
)
from local.eventing.defaulting import defaulted
from local.eventing.delivery import effective_delivery, retries_of
from local.eventing.destinations import Unresolved, resolve
from local.eventing.dispatch import Subscription
from local.eventing.filters import BadFilter, trigger_filter
from local.eventing.ingress import Route
from local.eventing.kinds import ASYNC, BROKER_CLASS, DEFAULT_BROKER_CLASS
from local.eventing.writing import guarded, write_status
from local.kube import KubeClient

log = logging.getLogger(__name__)

Object = dict[str, Any]
Key = tuple[str, str]

NO_DEAD_LETTERS = ("DeadLetterSinkNotConfigured", "No dead letter sink is configured.")


class BrokerControl:
    """Reconciles all Brokers and Triggers and returns the routes that follow from them."""

    def __init__(self, client: KubeClient, ingress_url: str) -> None:
        self._client = client
        self._ingress_url = ingress_url
        self._subscriptions: dict[Key, Subscription] = {}

    async def reconcile(
        self, brokers: Mapping[Key, Object], triggers: Mapping[Key, Object]
    ) -> dict[Key, Route]:
        """Bring every status up to date; Brokers of another class are not ours."""
        ours = {key: defaulted(item) for key, item in brokers.items() if _is_ours(item)}
        for key, item in ours.items():
            await guarded(f"Broker {key}", self._broker(key, brokers[key], item))
        for gone in set(self._subscriptions) - set(triggers):
            del self._subscriptions[gone]
        for key, trigger in triggers.items():
            broker = _broker_of(key, trigger)
            work = self._trigger(trigger, brokers.get(broker), ours.get(broker))
            await guarded(f"Trigger {key}", self._keep(key, work))
        found: dict[Key, list[Subscription]] = {key: [] for key in ours}
        for key, subscription in sorted(self._subscriptions.items()):
            if _broker_of(key, triggers[key]) in ours:
                found[_broker_of(key, triggers[key])].append(subscription)
        return {key: Route(_waits(item), tuple(found[key])) for key, item in ours.items()}

    async def _keep(self, key: Key, work: Awaitable[Subscription | None]) -> None:
        """Remember a Trigger's subscription; an API server that is away changes nothing in it."""
        subscription = await work
        if subscription is None:
            self._subscriptions.pop(key, None)
        else:
            self._subscriptions[key] = subscription

    def _url(self, key: Key) -> str:
        return f"{self._ingress_url}/{key[0]}/{key[1]}"

    async def _broker(self, key: Key, stored: Object, item: Object) -> None:
        namespace, name = key
        sink = (item["spec"].get("delivery") or {}).get("deadLetterSink")
        dead_letter, condition = await self._dead_letter(sink, namespace)
        conditions = with_ready(
            [
                true("Addressable"),
                _as_info(condition),
                true(
                    "EventPoliciesReady",
                    "OIDCDisabled",
                    'Feature "authentication-oidc" must be enabled to support Authorization',
                ),
                true("FilterReady"),
                true("IngressReady"),
                true("TriggerChannelReady"),
            ]
        )
        rest = {
            "address": {"name": "http", "url": self._url(key)},
            "annotations": {
                "knative.dev/channelAPIVersion": "messaging.knative.dev/v1",
                "knative.dev/channelAddress": (
                    f"http://{name}-kne-trigger-kn-channel.{namespace}.svc.cluster.local"
                ),
                "knative.dev/channelKind": "InMemoryChannel",
                "knative.dev/channelName": f"{name}-kne-trigger",
            },
            "deadLetterSinkUri": dead_letter,
        }
        await write_status(self._client, stored, status_of(stored, conditions, rest))

    async def _trigger(
        self, stored: Object, broker: Object | None, ours: Object | None
    ) -> Subscription | None:
        """Write the Trigger's status; return its subscription when events may flow."""
        if broker is not None and ours is None:
            return None
        item = defaulted(stored)
        namespace = item["metadata"]["namespace"]
        if ours is None:
            missing = f'broker.eventing.knative.dev "{item["spec"].get("broker")}" not found'
            gone = with_ready([false("BrokerReady", "BrokerDoesNotExist", missing)])
            await write_status(self._client, stored, status_of(stored, gone, {}))
            return None
        delivery = effective_delivery(ours["spec"].get("delivery"), item["spec"].get("delivery"))
        dead_letter, sink = await self._dead_letter(delivery.get("deadLetterSink"), namespace)
        subscriber, resolved = await self._subscriber(item["spec"]["subscriber"], namespace)
        subscription, subscribed = self._subscription(item, delivery, subscriber, dead_letter)
        conditions = with_ready([*_trigger_conditions(), sink, resolved, subscribed])
        rest = {"subscriberUri": subscriber or None, "deadLetterSinkUri": dead_letter}
        await write_status(self._client, stored, status_of(stored, conditions, rest))
        return subscription if is_ready(conditions) else None

    def _subscription(
        self, item: Object, delivery: Mapping[str, Any], subscriber: str, dead_letter: str | None
    ) -> tuple[Subscription | None, Condition]:
        if not subscriber:
            return None, unknown("SubscriptionReady")
        namespace, spec = item["metadata"]["namespace"], item["spec"]
        try:
            subscription = Subscription(
                namespace=namespace,
                name=item["metadata"]["name"],
                matches=trigger_filter(spec),
                subscriber=subscriber,
                reply=self._url((namespace, spec["broker"])),
                retries=retries_of(delivery),
                dead_letter=dead_letter,
                structured=delivery.get("format") == "json",
            )
        except (BadFilter, ValueError) as error:
            return None, false("SubscriptionReady", "NotSubscribed", str(error))
        return subscription, true("SubscriptionReady")

    async def _subscriber(self, destination: Object, namespace: str) -> tuple[str, Condition]:
        try:
            return await resolve(self._client, destination, namespace), true("SubscriberResolved")
        except Unresolved as error:
            reason = "Unable to get the Subscriber's URI"
            return "", false("SubscriberResolved", reason, str(error))

    async def _dead_letter(
        self, destination: Object | None, namespace: str
    ) -> tuple[str | None, Condition]:
        kind = "DeadLetterSinkResolved"
        if not destination:
            return None, true(kind, *NO_DEAD_LETTERS)
        try:
            return await resolve(self._client, destination, namespace), true(kind)
        except Unresolved as error:
            return None, false(kind, "Unable to get the dead letter sink's URI", str(error))


def _broker_of(key: Key, trigger: Object) -> Key:
    return key[0], trigger["spec"].get("broker", "")


def _is_ours(broker: Object) -> bool:
    annotations = broker["metadata"].get("annotations") or {}
    return bool(annotations.get(BROKER_CLASS, DEFAULT_BROKER_CLASS) == DEFAULT_BROKER_CLASS)


def _waits(broker: Object) -> bool:
    return bool(broker["metadata"]["annotations"].get(ASYNC) != "true")


def _as_info(condition: Condition) -> Condition:
    """A Broker without dead letter sink says so with severity Info, a Trigger without one."""
    if condition.reason != NO_DEAD_LETTERS[0]:
        return condition
    return Condition(condition.type, "True", condition.reason, condition.message, "Info")


def _trigger_conditions() -> list[Condition]:
    return [true("BrokerReady"), true("DependencyReady"), true("OIDCIdentityCreated", OIDC_OFF)]
