"""The answer to a server's challenge, as RFC 2831 has it."""

from __future__ import annotations

from functions.adapters.digest_md5 import respond

# The example of section 4 of the RFC.
CHALLENGE = (
    b'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",'
    b"algorithm=md5-sess,charset=utf-8"
)
URI = "imap/elwood.innosoft.com"


def test_the_answer_is_that_of_the_standard() -> None:
    answer = respond(CHALLENGE, "chris", "secret", nonce="OA6MHXh6VqTrRk", uri=URI).decode()
    assert "response=d388dad90d4bbd760a152321f2143af7" in answer.split(",")
    assert {'username="chris"', 'realm="elwood.innosoft.com"', "qop=auth"} <= {*answer.split(",")}


def test_no_two_answers_are_alike() -> None:
    assert respond(CHALLENGE, "chris", "secret") != respond(CHALLENGE, "chris", "secret")
