"""The page about backups: every command of it, in its order, by somebody who copies them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local.platform.handle import Platform
from tests.pages import ROOT, commands
from tests.system.clusters import SMALL, Cluster
from tests.system.reader import Reader

pytestmark = pytest.mark.system

PAGE = ROOT / "docs/operations/backup.md"


# The demo backs up and restores in `make test`; the page, with two restores, takes longer.
@pytest.mark.soak
def test_the_page_backs_up_destroys_restores_and_checks(
    product: Platform, namespace: str, tmp_path: Path
) -> None:
    small = Cluster(product, namespace, "small")
    small.apply(replicas=3, probes=SMALL["probes"])
    small.until_settled(90)
    said = Reader(product, namespace, tmp_path).run(commands(PAGE))
    assert "PROVEN" in said
    assert re.search(r"^worth-keeping$", said, re.MULTILINE), "it was lost, and is there again"
    assert re.search(r"^once +once +.*completed", said, re.MULTILINE)
    assert re.search(rf"^{namespace}/once/once/backup-once-\w+$", said, re.MULTILINE)
