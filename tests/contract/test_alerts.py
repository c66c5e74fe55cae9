"""Every alert fires when it must and only then, by Prometheus' own checker; so is the dashboard."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.contract.alert_cases import CASES, Case
from tests.contract.monitoring import queries, rules
from tests.contract.prometheus_tool import run

# The first time promtool is built, which takes minutes.
pytestmark = [pytest.mark.contract, pytest.mark.soak]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}-{case.why}")
def test_an_alert_fires_when_it_must_and_only_then(tmp_path: Path, case: Case) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules()))
    firing = f'ALERTS{{alertname="{case.alert}",alertstate="firing"}}'
    asked = {
        "expr": f"count({firing}) or vector(0)",
        "eval_time": f"{case.minute}m",
        "exp_samples": [{"labels": "{}", "value": int(case.fires)}],
    }
    series = [{"series": name, "values": values} for name, values in case.series.items()]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [asked]}
    content = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    assert run(tmp_path, "test rules", content) == ""


def test_every_alert_has_cases_of_both_kinds() -> None:
    named = {rule["alert"] for group in rules()["groups"] for rule in group["rules"]}
    for fires in (True, False):
        assert {case.alert for case in CASES if case.fires == fires} == named


def test_every_rule_and_every_query_of_the_dashboard_can_be_read(tmp_path: Path) -> None:
    assert run(tmp_path, "check rules --lint=all --lint-fatal", rules()) == ""
    recorded = [{"record": f"q{n}", "expr": query} for n, query in enumerate(queries())]
    assert len(recorded) >= 30
    assert run(tmp_path, "check rules", {"groups": [{"name": "q", "rules": recorded}]}) == ""
    broken = {"groups": [{"name": "q", "rules": [{"record": "q", "expr": "sum(("}]}]}
    assert "parse error" in run(tmp_path, "check rules", broken)


def test_the_scrape_configuration_of_the_page_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations" / "monitoring.md").read_text()
    (config,) = re.findall(r"```yaml\n(scrape_configs:\n.+?)```", page, re.DOTALL)
    assert run(tmp_path, "check config --syntax-only", yaml.safe_load(config)) == ""
