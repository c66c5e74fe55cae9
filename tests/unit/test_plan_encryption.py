"""How far a change of the servers' encryption may go: phases, Secrets, and what is said of them."""

from __future__ import annotations

import base64
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.api.manifest import Manifest
from functions.manifests.encryption import PHASES, PLAIN, Encryption, Phase, encryption_of
from functions.planning.encryption import (
    NOTHING,
    Decided,
    SeenTls,
    decide,
    is_concerned,
    next_phase,
    secret_names,
)
from functions.planning.seen import SeenPod
from tests.certificates import authority, key_text, manifest
from tests.unit.planned import NOW, cluster, pod

DOMAIN = "zk.apps.svc.cluster.local"
CLIENTS = "zk-client.apps.svc.cluster.local"
AUTHORITY = authority()
LOCKED = AUTHORITY.key.private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open")
).decode()
GOOD = manifest("certs", "apps", AUTHORITY.secret(f"*.{DOMAIN}", CLIENTS))
PLAINLY, ENCRYPTED = cluster(), cluster(tls={"quorum": {"secretName": "certs"}})
QUORUM = {"tls": {"quorum": {"secretName": "certs"}}}
CLIENT = {"tls": {"client": {"secretName": "certs"}}}


def _set(phase: Phase, replicas: int = 3) -> Manifest:
    encryption = Encryption(phase, "certs" if phase is not Phase.PLAIN else "")
    template = {"metadata": {"annotations": encryption.annotations()}}
    return {"spec": {"replicas": replicas, "template": template}}


def _pod(number: int, phase: Phase, **more: Any) -> SeenPod:
    secret = "certs" if phase is not Phase.PLAIN else ""
    return pod(f"zk-{number}", encryption=Encryption(phase, secret), **more)


def _pods(*phases: Phase) -> tuple[SeenPod, ...]:
    return tuple(_pod(number, phase) for number, phase in enumerate(phases))


P, A, S, R = PHASES
LEAVING = (*_pods(A, A), _pod(2, A, is_deleting=True))
SICK = (*_pods(A, A), _pod(2, A, is_ready=False))


@pytest.mark.parametrize(
    ("spec", "template", "pods", "expected"),
    [
        pytest.param(QUORUM, P, _pods(P, P, P), A, id="the-first-step"),
        pytest.param(QUORUM, A, _pods(P, A, A), A, id="not-all-are-there"),
        pytest.param(QUORUM, A, _pods(A, A, A), S, id="all-are-there"),
        pytest.param(QUORUM, A, _pods(A, A), A, id="a-pod-is-missing"),
        pytest.param(QUORUM, A, SICK, A, id="a-pod-is-not-ready"),
        pytest.param(QUORUM, A, (_pod(3, P), *SICK), A, id="and-another-is-old"),
        pytest.param(QUORUM, A, LEAVING, A, id="a-pod-is-about-to-go"),
        pytest.param(QUORUM, S, _pods(S, S, A), S, id="the-last-one-is-old"),
        pytest.param(QUORUM, S, _pods(S, S, S), R, id="the-last-step"),
        pytest.param(QUORUM, R, _pods(R, R, R), R, id="done"),
        pytest.param(QUORUM, P, (), P, id="a-moment-without-pods"),
        pytest.param(QUORUM, P, _pods(A, A, A), A, id="the-template-was-re-created"),
        pytest.param({}, R, _pods(R, R, R), S, id="back"),
        pytest.param({}, S, _pods(S, R, R), S, id="back-waits-for-the-last"),
        pytest.param({}, A, _pods(A, A, S), A, id="back-again"),
        pytest.param({}, A, SICK, P, id="back-although-one-is-sick"),
        pytest.param({}, S, _pods(A, S, S), A, id="turned-back-in-the-middle"),
        pytest.param({}, P, _pods(P, P, P), P, id="back-and-done"),
    ],
)
def test_the_template_moves_to_what_all_pods_understand(
    spec: dict[str, Any], template: Phase, pods: tuple[SeenPod, ...], expected: Phase
) -> None:
    assert next_phase(cluster(**spec), _set(template), pods) is expected


@pytest.mark.parametrize("stateful_set", [None, _set(P, 0)], ids=["none", "stopped"])
def test_without_pods_servers_start_as_wanted_at_once(stateful_set: Manifest | None) -> None:
    assert next_phase(cluster(**QUORUM), stateful_set, ()) is R


def _understand(one: Phase, other: Phase) -> bool:
    return abs(PHASES.index(one) - PHASES.index(other)) <= 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 2), st.booleans()), max_size=40),
    st.sampled_from(PHASES),
)
def test_no_two_servers_ever_fail_to_understand_each_other(
    moves: list[tuple[bool, int, bool]], start: Phase
) -> None:
    """Whatever the owner wants meanwhile and whichever pod is replaced or sick next."""
    template, pods = start, list(_pods(start, start, start))
    for wants_tls, number, is_ready in moves:
        of = ENCRYPTED if wants_tls else PLAINLY
        template = next_phase(of, _set(template), tuple(pods))
        pods[number] = _pod(number, template, is_ready=is_ready)
        phases = {template, *(it.encryption.phase for it in pods)}
        assert all(_understand(*pair) for pair in itertools.product(phases, repeat=2))


@pytest.mark.parametrize(("wants_tls", "end"), [(True, R), (False, P)], ids=["there", "back"])
@pytest.mark.parametrize("start", PHASES)
def test_a_change_arrives(start: Phase, wants_tls: bool, end: Phase) -> None:
    template, pods = start, list(_pods(start, start, start))
    for number in itertools.islice(itertools.cycle(range(3)), 12):
        of = ENCRYPTED if wants_tls else PLAINLY
        template = next_phase(of, _set(template), tuple(pods))
        pods[number] = _pod(number, template)
    assert {template, *(it.encryption.phase for it in pods)} == {end}


def _decide(
    spec: dict[str, Any],
    *pods: SeenPod,
    secret: Manifest | None = GOOD,
    template: Phase | None = None,
    now: datetime = NOW,
) -> Decided:
    found = None if template is None else _set(template)
    secrets = {} if secret is None else {"certs": secret}
    return decide(cluster(**spec), found, SeenTls(secrets, pods), now)


def _said(decided: Decided) -> tuple[str, str]:
    assert decided.condition is not None
    return decided.condition.status, decided.condition.reason


def test_a_cluster_without_tls_says_nothing_of_it() -> None:
    assert decide(cluster(), None, NOTHING, NOW) == Decided(PLAIN, None)
    assert not is_concerned(cluster(), _set(P))
    assert secret_names(cluster(), None, ()) == frozenset()


def test_a_new_cluster_speaks_tls_from_the_start() -> None:
    both = {"tls": {**QUORUM["tls"], **CLIENT["tls"]}}
    decided = _decide(both)
    assert decided.encryption == Encryption(R, "certs", 2281, is_plaintext_closed=True)
    assert _said(decided) == ("True", "AsWanted")
    assert decided.condition is not None
    assert decided.condition.message == (
        "Among themselves the servers speak by TLS alone. "
        "Clients reach them by TLS at port 2281 alone."
    )


SECURE = Encryption(client_port=2281)
ENCRYPTED_PODS = tuple(pod(f"zk-{number}", encryption=SECURE) for number in range(3))


@pytest.mark.parametrize(
    ("client", "pods", "is_closed"),
    [
        pytest.param({}, ENCRYPTED_PODS, True, id="every-server-has-tls"),
        pytest.param({}, (), True, id="a-new-cluster"),
        pytest.param({}, (*ENCRYPTED_PODS[:2], pod("zk-2")), False, id="one-has-not"),
        pytest.param({"port": 3281}, ENCRYPTED_PODS, True, id="another-port-opens-nothing"),
        pytest.param({"plaintext": True}, ENCRYPTED_PODS, False, id="clients-are-moving"),
    ],
)
def test_clients_lose_the_port_without_tls_once_every_server_has_one_with(
    client: dict[str, Any], pods: tuple[SeenPod, ...], is_closed: bool
) -> None:
    decided = _decide({"tls": {"client": {"secretName": "certs", **client}}}, *pods)
    assert decided.is_plaintext_closed is decided.encryption.is_plaintext_closed is is_closed


def test_a_port_without_tls_that_stays_open_is_said() -> None:
    decided = _decide({"tls": {"client": {"secretName": "certs", "plaintext": True}}})
    assert decided.condition is not None
    assert "at port 2281, and without TLS at 2181." in decided.condition.message


CLOSED = replace(SECURE, is_plaintext_closed=True)


@pytest.mark.parametrize(
    ("spec", "before", "told"),
    [
        pytest.param(CLIENT, SECURE, "by TLS alone; waits for zk-1.", id="to-be-closed"),
        pytest.param({}, CLOSED, "as spec.tls says; waits for zk-1.", id="to-be-opened"),
    ],
)
def test_servers_that_take_clients_otherwise_are_waited_for(
    spec: dict[str, Any], before: Encryption, told: str
) -> None:
    after = CLOSED if spec else PLAIN
    pods = [pod(f"zk-{number}", encryption=it) for number, it in enumerate((after, before, after))]
    said = {"conditions": [{"type": "Secured", "status": "True", "reason": "AsWanted"}]}
    decided = decide(cluster(said, **spec), None, SeenTls({"certs": GOOD}, tuple(pods)), NOW)
    assert decided.encryption == after
    assert _said(decided) == ("False", "Changing")
    assert decided.condition is not None
    assert decided.condition.message == f"The servers are being rolled to take clients {told}"


def test_a_change_names_the_pods_it_waits_for_and_where_it_ends() -> None:
    decided = _decide(QUORUM, *_pods(P, A, A), template=A)
    assert decided.encryption == Encryption(A, "certs")
    assert _said(decided) == ("False", "Changing")
    assert decided.condition is not None
    assert "waits for zk-0" in decided.condition.message
    assert "In the end they speak by TLS alone" in decided.condition.message


def test_the_secret_stays_in_the_template_until_the_last_server_is_plain() -> None:
    assert _decide({}, *_pods(R, R, R), template=R).encryption == Encryption(S, "certs")
    assert _without_a_set(*_pods(A, A, S)).encryption == Encryption(A, "certs")
    ending = _without_a_set(*_pods(A, P, P))
    assert ending.encryption == PLAIN
    assert _said(ending) == ("False", "Changing")
    assert _without_a_set(*_pods(P, P, P)) == Decided(PLAIN, None)
    assert _decide({}, template=R).encryption == Encryption(S, "certs"), "no pod is there now"


def test_a_template_without_annotations_is_one_without_tls() -> None:
    bare: Manifest = {"spec": {"template": {"metadata": {}}}}
    assert next_phase(cluster(), bare, ()) is P
    assert next_phase(cluster(**QUORUM), bare, ()) is P, "it makes one pod"


def test_a_template_that_makes_no_pods_does_not_count() -> None:
    leaving = (_pod(0, P, is_ready=False),)
    assert next_phase(cluster(**QUORUM), _set(R, 0), leaving) is P


def _without_a_set(*pods: SeenPod) -> Decided:
    """Somebody deleted the StatefulSet and left the pods."""
    said = {"conditions": [{"type": "Secured", "status": "False", "reason": "Changing"}]}
    return decide(cluster(said), None, SeenTls({"certs": GOOD}, pods), NOW)


def test_the_secrets_of_both_and_of_what_is_in_force_are_looked_at() -> None:
    both = {"tls": {"client": {"secretName": "a"}, "quorum": {"secretName": "b"}}}
    assert secret_names(cluster(**both), _set(A), ()) == {"a", "b", "certs"}
    assert secret_names(cluster(), None, _pods(P, A)) == {"certs"}


def test_a_pod_that_could_not_start_for_want_of_the_former_secret_is_not_made() -> None:
    """TLS is not asked for any more, but until the last step back each server needs the Secret."""
    decided = _decide({}, *_pods(R, R, R), template=R, secret=None)
    assert "The Secret certs is not there" in decided.refused
    assert _said(decided) == ("False", "CertificateUnusable")
    assert decided.encryption == Encryption(R, "certs")
    alone = _decide({}, *_pods(R, R, R), template=R, secret=_with(**{"ca.crt": "-"}))
    assert "has no ca.crt" in alone.refused
    last = _decide({}, *_pods(A, A, A), template=A, secret=None)
    assert (last.refused, last.encryption) == ("", PLAIN)


def _with(**files: str) -> Manifest:
    content = {**AUTHORITY.secret(f"*.{DOMAIN}", CLIENTS), **files}
    return manifest("certs", "apps", {key: text for key, text in content.items() if text != "-"})


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        pytest.param(None, "is not there", id="missing"),
        pytest.param(_with(**{"tls.key": "-"}), "has no tls.key", id="no-key"),
        pytest.param(_with(**{"tls.crt": " \n"}), "has no tls.crt", id="empty"),
        pytest.param(_with(**{"ca.crt": "-"}), "has no ca.crt", id="no-authority"),
        pytest.param(_with(**{"ca.crt": "x"}), "ca.crt of the Secret certs is no", id="ca-no-pem"),
        pytest.param(_with(**{"tls.crt": "x"}), "is no certificate in PEM", id="no-pem"),
        pytest.param(_with(**{"tls.key": "x"}), "without a password", id="key-no-pem"),
        pytest.param(_with(**{"tls.key": LOCKED}), "without a password", id="key-with-one"),
        pytest.param(
            _with(**{"tls.key": key_text(AUTHORITY.key)}), "is not the key of", id="another-key"
        ),
        pytest.param({**GOOD, "data": {"tls.crt": "*"}}, "is not base64", id="not-base64"),
        pytest.param(
            manifest("certs", "apps", AUTHORITY.secret(CLIENTS)),
            f"does not name zk-0.{DOMAIN} and 2 more",
            id="no-server",
        ),
        pytest.param(manifest("certs", "apps", AUTHORITY.secret()), "does not name", id="no-names"),
    ],
)
def test_nothing_is_made_while_a_secret_is_not_usable(secret: Manifest | None, said: str) -> None:
    decided = _decide(QUORUM, *_pods(P, P, P), secret=secret, template=P)
    assert said in decided.refused
    assert decided.encryption == PLAIN
    assert _said(decided) == ("False", "CertificateUnusable")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("06082a8648ce3d030107", "06082a8648ce3d030106", id="a-curve-nobody-knows"),
        pytest.param("0603551d11", "0603551d25", id="an-extension-twice"),
        pytest.param("8209612e", "a309612e", id="a-kind-of-name-nobody-knows"),
        pytest.param("8209612e", "8203612e", id="a-name-that-ends-early"),
        pytest.param("a003020102", "a003020107", id="a-version-nobody-knows"),
    ],
)
def test_a_certificate_with_a_strange_part_is_said_to_be_unusable(old: str, new: str) -> None:
    content = AUTHORITY.secret("a.example")
    whole = x509.load_pem_x509_certificate(content["tls.crt"].encode())
    der = whole.public_bytes(Encoding.DER)
    assert der.count(bytes.fromhex(old)) == 1
    strange = base64.encodebytes(der.replace(bytes.fromhex(old), bytes.fromhex(new))).decode()
    text = f"-----BEGIN CERTIFICATE-----\n{strange}-----END CERTIFICATE-----\n"
    assert (
        "tls.crt of the Secret certs" in _decide(QUORUM, secret=_with(**{"tls.crt": text})).refused
    )


def test_of_a_chain_the_first_certificate_is_the_servers() -> None:
    content = AUTHORITY.secret(f"*.{DOMAIN}", CLIENTS)
    chain = manifest("certs", "apps", {**content, "tls.crt": content["tls.crt"] + AUTHORITY.text})
    assert _said(_decide(CLIENT, secret=chain)) == ("True", "AsWanted")


def test_names_are_the_same_in_capitals() -> None:
    secret = manifest("certs", "apps", AUTHORITY.secret(f"*.{DOMAIN}".upper(), CLIENTS.title()))
    assert _said(_decide(CLIENT, secret=secret)) == ("True", "AsWanted")


def test_only_rsa_and_ec_keys_are_taken() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import NoEncryption

    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    assert (
        "neither an RSA nor an EC key" in _decide(QUORUM, secret=_with(**{"tls.key": text})).refused
    )


def test_names_need_not_be_there_where_nobody_looks_at_them() -> None:
    nameless = manifest("certs", "apps", AUTHORITY.secret())
    unverified = {"tls": {"quorum": {"secretName": "certs", "verifyHostnames": False}}}
    assert not _decide(unverified, secret=nameless).refused


def test_what_clients_will_stumble_over_is_said_and_done_all_the_same() -> None:
    decided = _decide(CLIENT, secret=manifest("certs", "apps", AUTHORITY.secret(f"*.{DOMAIN}")))
    assert not decided.refused
    assert _said(decided) == ("False", "CertificateLacksNames")
    assert decided.condition is not None
    assert f"does not name {CLIENTS}:" in decided.condition.message


@pytest.mark.parametrize(
    ("left", "word"),
    [(timedelta(days=7), "expires"), (timedelta(0), "expired"), (timedelta(days=-1), "expired")],
    ids=["soon", "now", "long-ago"],
)
@pytest.mark.parametrize("spec", [CLIENT, QUORUM], ids=["client", "quorum"])
def test_a_certificate_that_nobody_renews_is_said_in_time(
    spec: dict[str, Any], left: timedelta, word: str
) -> None:
    ends = datetime(2026, 6, 1, tzinfo=UTC)
    secret = manifest("certs", "apps", AUTHORITY.secret(f"*.{DOMAIN}", CLIENTS, expires=ends))
    decided = _decide(spec, secret=secret, now=ends - left)
    assert _said(decided) == ("False", "CertificateExpires")
    assert decided.condition is not None
    assert f"{word} at 2026-06-01T00:00:00Z" in decided.condition.message
    before = _decide(spec, secret=secret, now=ends - timedelta(days=8))
    assert _said(before) == ("True", "AsWanted")


@pytest.mark.parametrize(
    ("spec", "named", "lacking"),
    [
        pytest.param(CLIENT, (CLIENTS,), f"zk-0.{DOMAIN} and 2 more:", id="every-server"),
        pytest.param(CLIENT, (), f"{CLIENTS} and 3 more:", id="the-service-for-clients-too"),
        pytest.param(
            {**CLIENT, "observers": 1},
            (CLIENTS, *(f"zk-{number}.{DOMAIN}" for number in range(3))),
            f"zk-3.{DOMAIN}:",
            id="an-observer",
        ),
        pytest.param(
            CLIENT, (CLIENTS, f"zk-1.{DOMAIN}"), f"zk-0.{DOMAIN} and 1 more:", id="two-of-them"
        ),
    ],
)
def test_every_name_that_clients_use_is_looked_for(
    spec: dict[str, Any], named: tuple[str, ...], lacking: str
) -> None:
    condition = _decide(spec, secret=manifest("certs", "apps", AUTHORITY.secret(*named))).condition
    assert condition is not None
    assert condition.message == (
        f"The certificate in the Secret certs does not name {lacking} have it made for each of "
        f"these, or for *.{DOMAIN}."
    )


def test_of_two_warnings_the_reason_is_the_more_pressing_and_both_are_told() -> None:
    secret = manifest("certs", "apps", AUTHORITY.secret(expires=NOW + timedelta(days=1)))
    decided = _decide(CLIENT, secret=secret)
    assert _said(decided) == ("False", "CertificateExpires")
    assert decided.condition is not None
    assert "renew it. The certificate in the Secret certs does not" in decided.condition.message


def test_a_roll_that_waits_for_nobody_yet_names_nobody() -> None:
    waiting = _decide(QUORUM, *SICK, template=A).condition
    assert waiting is not None
    assert "and understand it. In the end" in waiting.message


def test_the_last_server_on_its_way_is_told_as_one_of_the_servers_own_tls() -> None:
    last = _decide(QUORUM, *_pods(S, R, R), template=R).condition
    assert last is not None
    assert "among themselves by TLS alone; waits for zk-0." in last.message


def test_a_secret_for_clients_and_servers_is_warned_of_once() -> None:
    both = {"tls": {**QUORUM["tls"], **CLIENT["tls"]}}
    ends = NOW + timedelta(days=1)
    secret = manifest("certs", "apps", AUTHORITY.secret(f"*.{DOMAIN}", CLIENTS, expires=ends))
    condition = _decide(both, secret=secret).condition
    assert condition is not None
    assert condition.message.count("renew it") == 1


def test_clients_need_no_authority_unless_they_show_certificates() -> None:
    alone = _with(**{"ca.crt": "-"})
    assert not _decide(CLIENT, secret=alone).refused
    asked = {"tls": {"client": {"secretName": "certs", "clientAuth": "need"}}}
    assert "has no ca.crt" in _decide(asked, secret=alone).refused


@pytest.mark.parametrize(
    ("version", "rolls"),
    [("3.6.4", True), ("3.7.0", True), ("3.7.2", False), ("3.8.4", True), ("3.8.5", False),
     ("3.9.5", False), ("3.10.0", False)],
)  # fmt: skip
def test_a_renewed_certificate_rolls_only_servers_that_cannot_reload_it(
    version: str, rolls: bool
) -> None:
    """Which version has client.certReload was looked up in each tag of ZooKeeper's source."""
    spec = {**CLIENT, "version": version}
    old, new = _decide(spec), _decide(spec, secret=_with())
    assert (old.encryption != new.encryption) is rolls


def test_annotations_say_what_is_in_force_and_are_read_back() -> None:
    whole = Encryption(S, "certs", 2281, "abc")
    assert encryption_of(whole.annotations()) == whole
    assert PLAIN.annotations() == {}
    assert encryption_of({"zookeeper.example.com/quorum-tls": "nonsense"}) == PLAIN
    assert replace(whole, phase=P).annotations() == {
        "zookeeper.example.com/client-tls-port": "2281",
        "zookeeper.example.com/client-certificate": "abc",
    }
