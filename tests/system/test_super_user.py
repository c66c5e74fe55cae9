"""A new password for the super user of an ensemble that serves, as docs/security.md has it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.pages import ROOT, commands
from tests.system.clusters import Cluster, now
from tests.system.reader import Reader
from tests.system.writing import continuous_writes

pytestmark = [pytest.mark.system, pytest.mark.soak]

REFUSED = "ReconfigRefused"
PAGE, HEADING = ROOT / "docs/security.md", "A new password for the super user"


def passwords(cluster: Cluster) -> list[str]:
    data = cluster.get("secret", "zk-super-user")["data"]
    former = base64.b64decode(data.get("formerPasswords", "W10=")).decode()
    return [base64.b64decode(data["password"]).decode(), *json.loads(former)]


def test_a_rotation_loses_no_write_and_members_can_be_added_all_the_while(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.apply(replicas=3)
    cluster.until_settled()
    (old,), before = passwords(cluster), cluster.uids()
    with continuous_writes(cluster, tmp_path, "rotation of the super user's password") as writes:
        cluster.patch({"superUser": {"rotatedAt": "2026-01-31T12:00:00Z"}})
        cluster.until(lambda: len(passwords(cluster)) == 2, "both passwords")
        cluster.until(lambda: not before <= cluster.uids(), "the first pod to be replaced", 90)
        # From here on some servers know the one password, and some the other.
        cluster.patch({"replicas": 4})
        cluster.until_settled(180)
        count = writes.count()
        cluster.until(lambda: writes.count() > count + 50, "the clients to go on")
    assert not before & cluster.uids()
    cluster.until(lambda: len(passwords(cluster)) == 1, "one alone")
    assert passwords(cluster) != [old]
    assert REFUSED not in cluster.events()
    assert cluster.events()["PasswordRotated"]
    _is_accepted(cluster)


def test_a_password_written_by_hand_is_refused_and_the_page_mends_it(
    cluster: Cluster, tmp_path: Path
) -> None:
    """The servers know the digest that is beside it, so nobody can show them what they want."""
    cluster.apply(replicas=3)
    cluster.until_settled(180)
    before = cluster.uids()
    with continuous_writes(cluster, tmp_path, "a password that the servers do not know") as writes:
        mine = json.dumps({"stringData": {"password": "mine"}})
        cluster.kubectl("patch", "secret", "zk-super-user", "-p", mine)
        # Nobody watches Secrets: without a change of the cluster this is seen within ten minutes.
        cluster.kubectl("annotate", "zkcluster", "zk", "look=again")
        cluster.until(lambda: not before & cluster.uids(), "they are restarted for nothing", 180)
        cluster.until_settled(180)
        cluster.patch({"replicas": 4})
        _is_told(cluster)
        count = writes.count()
        cluster.until(lambda: writes.count() > count + 50, "the clients to go on")
        Reader(cluster.platform, cluster.namespace, tmp_path, seconds=700).output(
            *(line.replace("small", cluster.name) for line in commands(PAGE, HEADING))
        )
        cluster.until_settled(180)
    assert len(cluster.servers()) == 4
    assert cluster.events()[REFUSED].count("refuse to change") <= 2, "once for each spec"
    told = (ROOT / "docs/conditions.md").read_text()
    assert f"| False | `{REFUSED}` |" in told
    assert f"| `{REFUSED}` | Warning |" in told
    assert "security.md#a-new-password-for-the-super-user" in told
    cluster.until(lambda: len(passwords(cluster)) == 1, "one alone")
    _is_accepted(cluster)


def _is_told(cluster: Cluster) -> None:
    """Wait until the refusal is told, in the condition and as an Event; nothing was changed."""
    cluster.until(lambda: cluster.condition("Scaled").get("reason") == REFUSED, "the refusal", 120)
    message = str(cluster.condition("Scaled")["message"])
    assert "does not accept the super user's password" in message
    assert cluster.events()[REFUSED] == message
    assert [server["role"] for server in cluster.status()["members"]] == ["participant"] * 3


def _is_accepted(cluster: Cluster) -> None:
    """Every server runs with the one password there is: members go, and come, as ever."""
    since, uids = now(), cluster.uids()
    cluster.patch({"replicas": 3})
    cluster.until_settled(90)
    assert cluster.uids() < uids, "nothing is rolled any more"
    written = [c for c in cluster.calls(since, "reconcile-cluster") if c.resource == "secrets"]
    assert not [c for c in written if c.is_write]
