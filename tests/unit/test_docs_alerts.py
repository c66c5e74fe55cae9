"""docs/operations/monitoring.md says of every alert what to do, and names every metric of ours."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from functions.manifests.alert_rules import PAGE, server_alerts
from tests.unit.planned import cluster

ROOT = Path(__file__).parents[2]


def test_every_alert_has_its_section_and_its_runbook_leads_there() -> None:
    installed = yaml.safe_load((ROOT / "config/monitoring/rules.yaml").read_text())
    rules = [rule for group in installed["spec"]["groups"] for rule in group["rules"]]
    rules += server_alerts(cluster())
    page = (ROOT / PAGE).read_text()
    assert set(re.findall(r"^### (\w+)$", page, re.MULTILINE)) == {rule["alert"] for rule in rules}
    for rule in rules:
        assert rule["annotations"]["runbook"] == f"{PAGE}#{rule['alert'].lower()}"
        section = page.split(f"### {rule['alert']}\n")[1].split("\n###")[0]
        assert section.startswith("*Critical.*") == (rule["labels"]["severity"] == "critical")


def test_the_page_names_every_metric_of_the_agent_and_the_functions() -> None:
    modules = ("pods/server_metrics", "planning/standing", "adapters/counters", "runtime/metrics")
    sources = "".join((ROOT / "functions" / f"{name}.py").read_text() for name in modules)
    told = set(re.findall(r'"((?:zookeeper|process)_[a-z_]+)"', sources))
    page = (ROOT / PAGE).read_text()
    assert len(told) > 12
    assert {name for name in told if name not in page} == set()
