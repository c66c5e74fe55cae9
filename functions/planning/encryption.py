"""How far a change of the servers' encryption may go now, and what is said of it.

Invariant: of all pods there are, and of those that the template makes, any two understand each
other. So the template moves by one phase at a time, counted from the pod furthest behind, and
forward only once every pod runs that phase and is ready; without pods it is as wanted at once. No
pod is made that could not start for want of a usable Secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest
from functions.api.tls import Tls
from functions.manifests import names
from functions.manifests.encryption import (
    PHASES,
    PLAIN,
    Encryption,
    Phase,
    client_port,
    encryption_of,
)
from functions.manifests.fingerprint import fingerprint
from functions.manifests.server_version import reloads_client_certificate
from functions.planning.certificates import UnusableSecret, read_certificate
from functions.planning.issuing import NOBODY, Issuing, trouble
from functions.planning.seen import SeenPod
from functions.planning.status import Wanted, seen_condition

SECURED = "Secured"
LACKS_NAMES = "CertificateLacksNames"
EXPIRES = "CertificateExpires"
CHANGING = "Changing"

# cert-manager renews at two thirds of a certificate's life: what comes this close was forgotten.
EXPIRES_SOON = timedelta(days=7)

_TOLD = {
    Phase.PLAIN: "without TLS",
    Phase.ACCEPT: "without TLS, and understand it",
    Phase.SPEAK: "by TLS, and understand others without",
    Phase.REQUIRE: "by TLS alone",
}


@dataclass(frozen=True, slots=True)
class SeenTls:
    """The Secrets that TLS needs, by name and as far as they exist, the pods, and cert-manager."""

    secrets: Mapping[str, Manifest]
    pods: tuple[SeenPod, ...]
    issuing: Issuing = NOBODY


NOTHING = SeenTls({}, ())


@dataclass(frozen=True, slots=True)
class Decided:
    """What the pods' template is to say, and the condition Secured (None: there is no TLS).

    `is_plaintext_closed` once clients have no other way in than TLS. With `refused` nothing may be
    made: the sentence says why.
    """

    encryption: Encryption
    condition: Wanted | None
    refused: str = ""
    is_plaintext_closed: bool = False

    @property
    def is_under_way(self) -> bool:
        """Whether servers may still be started with what is no longer asked for."""
        is_changing = self.condition is not None and self.condition.reason == CHANGING
        return bool(self.refused) or is_changing


def is_concerned(cluster: ZooKeeperCluster, stateful_set: Manifest | None) -> bool:
    """Whether TLS is wanted, or was and is not gone yet."""
    is_said = seen_condition(cluster, SECURED) is not None
    return cluster.spec.tls != Tls() or is_said or template_of(stateful_set) != PLAIN


def template_of(stateful_set: Manifest | None) -> Encryption:
    """Return what the pods' template says now."""
    if stateful_set is None:
        return PLAIN
    return encryption_of(stateful_set["spec"]["template"]["metadata"].get("annotations") or {})


def wanted_phase(cluster: ZooKeeperCluster) -> Phase:
    return Phase.PLAIN if cluster.spec.tls.quorum is None else Phase.REQUIRE


def secret_names(
    cluster: ZooKeeperCluster, stateful_set: Manifest | None, pods: Sequence[SeenPod]
) -> frozenset[str]:
    """Return the Secrets that are looked at."""
    tls = cluster.spec.tls
    asked = {part.secret_name for part in (tls.client, tls.quorum) if part is not None}
    in_use = {pod.encryption.quorum_secret for pod in pods}
    return frozenset({*asked, *in_use, template_of(stateful_set).quorum_secret} - {""})


def decide(
    cluster: ZooKeeperCluster, stateful_set: Manifest | None, seen: SeenTls, now: datetime
) -> Decided:
    """Return what the template is to say now; the same for every delivery that sees the same."""
    if not is_concerned(cluster, stateful_set):
        return Decided(PLAIN, None)
    phase = next_phase(cluster, stateful_set, seen.pods)
    before = template_of(stateful_set)
    secret = "" if phase is Phase.PLAIN else _quorum_secret(cluster, before, seen)
    try:
        warnings = _check(cluster, seen, now)
        if secret and cluster.spec.tls.quorum is None:
            read_certificate(secret, seen.secrets.get(secret), needs_authority=True)
    except UnusableSecret as error:
        told = f"{error} Until then everything stays as it is."
        return Decided(before, Wanted(SECURED, "False", error.reason, told), told)
    is_closed = closes_plaintext(cluster, seen.pods)
    certificate = _certificate(cluster, seen)
    encryption = Encryption(phase, secret, client_port(cluster), certificate, is_closed)
    condition = _condition(cluster, encryption, seen, warnings)
    return Decided(encryption, condition, is_plaintext_closed=is_closed)


def closes_plaintext(cluster: ZooKeeperCluster, pods: Sequence[SeenPod]) -> bool:
    """Whether servers take clients by TLS alone: once every server has a port for that.

    A renewed certificate or another port for TLS never opens it again.
    """
    client = cluster.spec.tls.client
    is_wanted = client is not None and not client.plaintext
    return is_wanted and all(pod.encryption.client_port for pod in pods)


def _quorum_secret(cluster: ZooKeeperCluster, template: Encryption, seen: SeenTls) -> str:
    """Return the Secret that is asked for, or that servers still speak TLS with without that."""
    if cluster.spec.tls.quorum is not None:
        return cluster.spec.tls.quorum.secret_name
    told = (template.quorum_secret, *(pod.encryption.quorum_secret for pod in seen.pods))
    return next((name for name in told if name), "")


def next_phase(
    cluster: ZooKeeperCluster, stateful_set: Manifest | None, pods: tuple[SeenPod, ...]
) -> Phase:
    """Return the phase of the pods that are made from now on."""
    wanted = wanted_phase(cluster)
    replicas = stateful_set["spec"].get("replicas", 1) if stateful_set is not None else 0
    if not pods and not replicas:
        return wanted
    made = (template_of(stateful_set).phase,) if replicas else ()
    present = [PHASES.index(phase) for phase in (*made, *(pod.encryption.phase for pod in pods))]
    goal = PHASES.index(wanted)
    behind = max(present, key=lambda index: abs(index - goal))
    if goal < behind:
        return PHASES[behind - 1]
    is_mixed = len(set(present)) > 1
    is_well = len(pods) >= replicas and all(map(_is_well, pods))
    return PHASES[behind + (goal > behind and (is_mixed or is_well))]


def _is_well(pod: SeenPod) -> bool:
    return pod.is_ready and not pod.is_deleting


def _certificate(cluster: ZooKeeperCluster, seen: SeenTls) -> str:
    client = cluster.spec.tls.client
    if client is None or reloads_client_certificate(cluster):
        return ""
    return fingerprint(seen.secrets[client.secret_name]["data"])


def _check(cluster: ZooKeeperCluster, seen: SeenTls, now: datetime) -> list[tuple[str, str]]:
    """Return the warnings, reason and sentence each; raises UnusableSecret."""
    tls, found = cluster.spec.tls, _issued(cluster, seen)
    if tls.client is not None:
        wanted = (names.client_domain(cluster), *_servers(cluster))
        needs_authority = tls.client.client_auth != "none"
        name = tls.client.secret_name
        shown = read_certificate(name, seen.secrets.get(name), needs_authority=needs_authority)
        found += _expiry(name, shown.expires, now)
        if lacking := shown.lacks(wanted):
            found.append((LACKS_NAMES, _lacks(name, lacking)))
    if tls.quorum is not None:
        name = tls.quorum.secret_name
        shown = read_certificate(name, seen.secrets.get(name), needs_authority=True)
        found += _expiry(name, shown.expires, now)
        lacking = shown.lacks(_servers(cluster))
        if lacking and tls.quorum.verify_hostnames:
            raise UnusableSecret(_lacks(name, lacking))
    # One Secret may be for both.
    return list(dict.fromkeys(found))


def _issued(cluster: ZooKeeperCluster, seen: SeenTls) -> list[tuple[str, str]]:
    """Return what keeps cert-manager from Secrets that are there; raises UnusableSecret."""
    tls, found = cluster.spec.tls, []
    asked = {part.secret_name for part in (tls.client, tls.quorum) if part is not None}
    for name in sorted(asked):
        if (it := trouble(cluster, name, seen.issuing)) is None:
            continue
        if name not in seen.secrets:
            raise UnusableSecret(it.sentence, it.reason)
        found.append((it.reason, it.sentence))
    return found


def _servers(cluster: ZooKeeperCluster) -> list[str]:
    count = cluster.spec.replicas + cluster.spec.observers
    return [names.pod_domain(cluster, ordinal) for ordinal in range(count)]


def _lacks(name: str, lacking: list[str]) -> str:
    more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
    star = f"*.{lacking[-1].partition('.')[2]}"
    return (
        f"The certificate in the Secret {name} does not name {lacking[0]}{more}: have it made for "
        f"each of these, or for {star}."
    )


def _expiry(name: str, expires: datetime, now: datetime) -> list[tuple[str, str]]:
    if expires - now > EXPIRES_SOON:
        return []
    word = "expired" if expires <= now else "expires"
    told = f"The certificate in the Secret {name} {word} at {expires:%Y-%m-%dT%H:%M:%SZ}: renew it."
    return [(EXPIRES, told)]


def _condition(
    cluster: ZooKeeperCluster,
    encryption: Encryption,
    seen: SeenTls,
    warnings: list[tuple[str, str]],
) -> Wanted | None:
    if told := _under_way(cluster, encryption, seen):
        return Wanted(SECURED, "False", CHANGING, told)
    if cluster.spec.tls == Tls():
        return None
    if warnings:
        return Wanted(SECURED, "False", warnings[0][0], " ".join(told for _, told in warnings))
    return Wanted(SECURED, "True", "AsWanted", _achieved(cluster))


def _under_way(cluster: ZooKeeperCluster, encryption: Encryption, seen: SeenTls) -> str:
    """Return what the servers are being rolled for, and who is behind; nothing: they are there."""
    behind = [pod for pod in seen.pods if pod.encryption != encryption]
    wanted = wanted_phase(cluster)
    waiting = f"; waits for {', '.join(pod.name for pod in behind)}" if behind else ""
    phases = {encryption.phase, *(pod.encryption.phase for pod in behind)}
    if phases != {wanted}:
        return (
            f"The servers are being rolled to speak among themselves {_TOLD[encryption.phase]}"
            f"{waiting}. In the end they speak {_TOLD[wanted]}."
        )
    if not behind:
        return ""
    clients = "by TLS alone" if encryption.is_plaintext_closed else "as spec.tls says"
    return f"The servers are being rolled to take clients {clients}{waiting}."


def _achieved(cluster: ZooKeeperCluster) -> str:
    client = cluster.spec.tls.client
    quorum = f"Among themselves the servers speak {_TOLD[wanted_phase(cluster)]}."
    if client is None:
        return quorum
    return f"{quorum} Clients reach them by TLS at port {client.port}{_plaintext(cluster)}."


def _plaintext(cluster: ZooKeeperCluster) -> str:
    if closes_plaintext(cluster, ()):
        return " alone"
    return f", and without TLS at {cluster.spec.config.client_port}"
