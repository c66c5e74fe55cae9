"""From a Job's environment to a store: what is taken, what is missing, what is never told."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.adapters.stores.connect import connect, place_of
from functions.adapters.stores.errors import InvalidStore

S3 = {
    "STORE": "s3",
    "ENDPOINT": "https://s3.example.com:9000",
    "REGION": "",
    "BUCKET": "backups",
    "PATH_STYLE": "",
    "CA_FILE": "",
    "ACCESS_KEY": "the-access-key",
    "SECRET_KEY": "the-secret-key",
}
OSS = {**S3, "STORE": "oss", "ENDPOINT": "oss-cn-hangzhou.aliyuncs.com"}
AWS = {**S3, "ENDPOINT": "", "REGION": "eu-central-1", "ACCESS_KEY": "", "SECRET_KEY": ""}


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        pytest.param(S3, "bucket backups at https://s3.example.com:9000", id="s3"),
        pytest.param(
            OSS, "bucket backups at https://oss-cn-hangzhou.aliyuncs.com", id="https-by-default"
        ),
        pytest.param(AWS, "bucket backups at AWS S3 in eu-central-1", id="amazon"),
        pytest.param({**AWS, "REGION": ""}, "bucket backups at AWS S3 in us-east-1", id="us"),
        pytest.param(
            {**S3, "ENDPOINT": "http://minio/"}, "bucket backups at http://minio", id="slash"
        ),
    ],
)
def test_a_store_is_named_by_its_bucket_and_where_it_is(environ: dict[str, str], name: str) -> None:
    assert str(place_of(environ)) == name


@pytest.mark.parametrize(
    ("environ", "is_path"),
    [
        pytest.param(S3, True, id="own-s3"),
        pytest.param(AWS, False, id="amazon"),
        pytest.param(OSS, False, id="oss"),
        pytest.param({**S3, "PATH_STYLE": "false"}, False, id="said-false"),
        pytest.param({**OSS, "PATH_STYLE": "true"}, True, id="said-true"),
    ],
)
def test_a_store_of_ones_own_has_the_bucket_in_the_path(
    environ: dict[str, str], is_path: bool
) -> None:
    assert place_of(environ).path_style is is_path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"STORE": ""}, "STORE is ''", id="no-store"),
        pytest.param({"STORE": "gcs"}, "`s3` or `oss`", id="other-store"),
        pytest.param({"BUCKET": ""}, "BUCKET", id="no-bucket"),
        pytest.param({"BUCKET": "a/b"}, "BUCKET 'a/b'", id="bucket-with-slash"),
        pytest.param({"ENDPOINT": "https://host/path"}, "ENDPOINT", id="endpoint-with-path"),
        pytest.param({"ENDPOINT": "ftp://host"}, "ENDPOINT", id="other-scheme"),
        pytest.param({"ENDPOINT": "user:word@host"}, "ENDPOINT", id="credentials-in-endpoint"),
        pytest.param({"STORE": "oss", "ENDPOINT": ""}, "OSS needs one", id="oss-endpoint"),
        pytest.param({"PATH_STYLE": "yes"}, "PATH_STYLE", id="path-style"),
        pytest.param({"CREATE_BUCKET": "1"}, "CREATE_BUCKET", id="create-bucket"),
        pytest.param({"ACCESS_KEY": ""}, "ACCESS_KEY is empty", id="no-access-key"),
        pytest.param({"SECRET_KEY": " \n"}, "SECRET_KEY is empty", id="no-secret-key"),
        pytest.param(
            {"STORE": "oss", "ACCESS_KEY": "", "SECRET_KEY": ""}, "give Secrets", id="oss-no-keys"
        ),
        pytest.param({"CA_FILE": "/no/ca.pem"}, "`caSecret`", id="no-ca-file"),
    ],
)
def test_settings_that_cannot_be_followed_are_told(changes: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidStore, match=words) as raised:
        connect(S3 | changes)
    assert raised.value.is_final
    assert "the-secret-key" not in str(raised.value)


def test_the_new_line_of_a_secret_made_from_a_file_is_no_part_of_a_key() -> None:
    place = place_of({**S3, "ACCESS_KEY": "key\n", "SECRET_KEY": "secret\n"})
    assert (place.access_key, place.secret_key) == ("key", "secret")


def test_no_text_of_a_place_has_its_credentials() -> None:
    place = place_of(S3)
    texts = [str(place), repr(place), place.object("key")]
    texts.append(place.quote("refused: the-secret-key of the-access-key"))
    assert not [text for text in texts if "the-secret-key" in text or "the-access-key" in text]


@pytest.mark.parametrize("environ", [S3, AWS, OSS], ids=["s3", "amazon", "oss"])
def test_connecting_asks_nothing_of_the_store(environ: dict[str, str], tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("")
    assert connect({**environ, "CA_FILE": str(authority)}).name == str(place_of(environ))
