"""ZooKeeper's key stores from a Secret's files, in every form that a key comes in."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import pytest

from functions.pods.agent import keep_stores
from functions.pods.pem import key_store, trust_store
from functions.pods.stores import Stores, make_stores, renew_stores, write_stores

# No key of these opens anything: they are made for each run.
ALGORITHMS = {
    "rsa": ("genrsa", "-traditional", "2048"),
    "rsa-pkcs8": ("genpkey", "-algorithm", "RSA"),
    "ec": ("ecparam", "-genkey", "-noout", "-name", "prime256v1"),
    "ec-with-parameters": ("ecparam", "-genkey", "-name", "secp384r1"),
    "ec-pkcs8": ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
}
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAECAw==\n-----END CERTIFICATE-----\n"
OTHER = CERTIFICATE.replace("AAECAw==", "BAUGBw==")


def _openssl(*words: str, given: str = "") -> str:
    return subprocess.run(
        ["openssl", *words], input=given, capture_output=True, text=True, check=True, timeout=30
    ).stdout


def _public(key: str) -> str:
    return _openssl("pkey", "-pubout", given=key)


@pytest.fixture(scope="module")
def key() -> str:
    return _openssl(*ALGORITHMS["ec"])


@pytest.mark.parametrize("form", ALGORITHMS)
def test_a_key_of_any_form_becomes_the_same_key_in_the_form_that_zookeeper_reads(form: str) -> None:
    key = _openssl(*ALGORITHMS[form])
    made = key_store(CERTIFICATE, key)
    assert made.count("PRIVATE KEY") == 2
    assert made.startswith("-----BEGIN PRIVATE KEY-----\n")
    assert made.endswith(CERTIFICATE)
    assert _public(made) == _public(key)


@pytest.mark.parametrize(
    ("chain", "key", "said"),
    [
        pytest.param(CERTIFICATE, "", "no private key", id="no-key"),
        pytest.param("", "PRIVATE KEY", "no certificate", id="no-certificate"),
        pytest.param(CERTIFICATE, "ENCRYPTED PRIVATE KEY", "unencrypted", id="encrypted"),
        pytest.param(CERTIFICATE, "DSA PRIVATE KEY", "RSA or EC", id="another-algorithm"),
        pytest.param(CERTIFICATE, "EC PRIVATE KEY", "of which curve", id="no-curve"),
    ],
)
def test_what_zookeeper_could_not_use_is_refused_with_what_is_wrong(
    chain: str, key: str, said: str
) -> None:
    block = f"-----BEGIN {key}-----\nMAMCAQA=\n-----END {key}-----\n" if key else ""
    with pytest.raises(ValueError, match=said):
        key_store(chain, block)


@pytest.mark.parametrize("body", ["MA==", "MIID"], ids=["no-length", "too-short"])
def test_a_key_that_is_cut_off_is_refused(body: str) -> None:
    block = f"-----BEGIN EC PRIVATE KEY-----\n{body}\n-----END EC PRIVATE KEY-----\n"
    with pytest.raises(ValueError, match="cut off"):
        key_store(CERTIFICATE, block)


def test_a_trust_store_is_every_certificate_and_nothing_else() -> None:
    assert trust_store(f"Subject: a\n{CERTIFICATE}# b\n{OTHER}") == CERTIFICATE + OTHER
    with pytest.raises(ValueError, match=r"ca\.crt holds no certificate"):
        trust_store("nothing")


def _put(folder: Path, version: str, **files: str) -> None:
    """Write a Secret's volume as kubelet does: a folder per version, and a link to the newest."""
    (folder / version).mkdir(parents=True)
    for name, text in files.items():
        (folder / version / name.replace("_", ".")).write_text(text)
    (folder / "..tmp").symlink_to(version)
    (folder / "..tmp").rename(folder / "..data")


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(tmp_path / "secrets", tmp_path / "stores", ("client",))


def test_the_stores_follow_the_secret_and_are_left_alone_when_it_stays(
    stores: Stores, key: str
) -> None:
    secret, made = stores.secrets / "client", stores.stores / "client"
    _put(secret, "1", tls_crt=CERTIFICATE, tls_key=key, ca_crt=OTHER)
    assert write_stores(stores) == ("client",)
    assert (made / "keystore.pem").read_text() == key_store(CERTIFICATE, key)
    assert (made / "truststore.pem").read_text() == OTHER
    before = (made / "keystore.pem").stat().st_ino
    assert write_stores(stores) == ()
    _put(secret, "2", tls_crt=OTHER, tls_key=key, ca_crt=OTHER)
    assert write_stores(stores) == ("client",)
    # Another file took its place: that is what a server notices.
    assert (made / "keystore.pem").stat().st_ino != before
    assert {path.name for path in made.iterdir()} == {"keystore.pem", "truststore.pem"}


def test_nobody_else_may_read_a_key(stores: Stores, key: str) -> None:
    _put(stores.secrets / "client", "1", tls_crt=CERTIFICATE, tls_key=key)
    write_stores(stores)
    assert (stores.stores / "client/keystore.pem").stat().st_mode & 0o777 == 0o600
    assert not (stores.stores / "client/truststore.pem").exists()


def test_the_agent_keeps_the_old_stores_while_a_secret_is_not_usable(
    stores: Stores, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    secret, made = stores.secrets / "client", stores.stores / "client/keystore.pem"
    _put(secret, "1", tls_crt=CERTIFICATE, tls_key=key)
    renew_stores(stores, [None])
    good = made.read_text()
    _put(secret, "2", tls_crt=CERTIFICATE, tls_key="no key")
    renew_stores(stores, [None, None])
    assert made.read_text() == good
    _put(secret, "3", tls_crt=OTHER, tls_key=key)
    renew_stores(stores, [None, None])
    assert made.read_text() == key_store(OTHER, key)
    assert [record.getMessage() for record in caplog.records] == [
        "wrote the key stores for client",
        "the key stores stay as they are: tls.key holds no private key in PEM",
        "wrote the key stores for client",
    ]


def test_an_agent_renews_stores_only_where_there_is_tls() -> None:
    assert keep_stores({}) == ()
    assert len(keep_stores({"TLS_PARTS": "quorum", "TLS_SECRETS": "/a", "TLS_STORES": "/b"})) == 1


def test_a_server_is_not_started_with_a_secret_that_is_not_usable(
    stores: Stores, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    named = {
        "TLS_PARTS": "client",
        "TLS_SECRETS": str(stores.secrets),
        "TLS_STORES": str(stores.stores),
    }
    _put(stores.secrets / "client", "1", tls_crt="", tls_key=key)
    assert not make_stores(named)
    assert "tls.crt holds no certificate" in caplog.text
    _put(stores.secrets / "client", "2", tls_crt=CERTIFICATE, tls_key=key)
    assert make_stores(named)
    assert (stores.stores / "client/keystore.pem").is_file()
    assert make_stores({})
