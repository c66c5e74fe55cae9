"""Trigger filters and CESQL: which events pass."""

from __future__ import annotations

from typing import Any

import pytest

from local.eventing import cesql
from local.eventing.events import Event
from local.eventing.filters import BadFilter, trigger_filter

EVENT = Event(
    {
        "specversion": "1.0",
        "id": "1",
        "source": "https://10.244.0.1:6443",
        "type": "dev.knative.apiserver.ref.add",
        "kind": "Pod",
        "name": "zk-0",
        "sequence": "42",
        "flag": "true",
        "empty": "",
    },
    content_type="application/json",
)


def passes(spec: dict[str, Any]) -> bool:
    return trigger_filter(spec)(EVENT)


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        pytest.param([], True, id="nothing-passes-all"),
        pytest.param([{}], True, id="an-empty-entry-passes-all"),
        pytest.param([{"exact": {"kind": "Pod", "name": "zk-0"}}], True, id="exact"),
        pytest.param([{"exact": {"kind": "Pod", "name": "zk-1"}}], False, id="every-pair-counts"),
        pytest.param([{"exact": {"absent": ""}}], False, id="an-absent-attribute-never-matches"),
        pytest.param([{"exact": {"empty": ""}}], True, id="an-empty-value-is-a-value"),
        pytest.param([{"prefix": {"type": "dev.knative"}}], True, id="prefix"),
        pytest.param([{"suffix": {"type": ".add"}}], True, id="suffix"),
        pytest.param([{"suffix": {"type": ".delete"}}], False, id="suffix-differs"),
        pytest.param([{"exact": {"kind": "Pod"}}, {"exact": {"name": "x"}}], False, id="and"),
        pytest.param(
            [{"any": [{"exact": {"kind": "x"}}, {"exact": {"kind": "Pod"}}]}], True, id="any"
        ),
        pytest.param(
            [{"all": [{"exact": {"kind": "Pod"}}, {"exact": {"name": "x"}}]}], False, id="all"
        ),
        pytest.param([{"not": {"exact": {"kind": "Pod"}}}], False, id="not"),
        pytest.param([{"cesql": "kind = 'Pod' AND name LIKE 'zk-%'"}], True, id="cesql"),
        pytest.param([{"cesql": "absent = 'x'"}], False, id="a-failing-expression-is-no-match"),
        pytest.param([{"exact": {"datacontenttype": "application/json"}}], True, id="datatype"),
    ],
)
def test_filters(filters: list[dict[str, Any]], wanted: bool) -> None:
    assert passes({"filters": filters}) is wanted


@pytest.mark.parametrize(
    ("attributes", "wanted"),
    [
        ({"kind": "Pod"}, True),
        ({"kind": "Service"}, False),
        ({"kind": ""}, True),
        ({"empty": ""}, False),
        ({"absent": ""}, False),
    ],
)
def test_the_old_filter_takes_an_empty_value_as_any_value(
    attributes: dict[str, str], wanted: bool
) -> None:
    assert passes({"filter": {"attributes": attributes}}) is wanted


def test_filters_win_over_the_old_filter() -> None:
    assert passes(
        {"filters": [{"exact": {"kind": "Pod"}}], "filter": {"attributes": {"kind": "x"}}}
    )


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(BadFilter, match="unknown filter dialect regex"):
        passes({"filters": [{"regex": {"type": "x"}}]})


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("TRUE", True),
        ("kind = 'Pod' OR absent = 'x'", True),
        ("NOT flag", False),
        ("NOT (kind = 'Service')", True),
        ("kind != 'Pod' XOR TRUE", True),
        ("TRUE OR TRUE AND FALSE", True),
        ("FALSE AND TRUE OR TRUE", False),  # the three are equal and associate right
        ("sequence > 41 AND sequence < 43", True),
        ("sequence = 42", True),
        ("2 + 3 * 4 = 14", True),
        ("(2 + 3) * 4 = 20", True),
        ("-7 / 2 = -3 AND -7 % 2 = -1", True),
        ("kind IN ('Service', 'Pod')", True),
        ("kind NOT IN ('Service', 'Pod')", False),
        ("name LIKE 'zk-_'", True),
        ("name NOT LIKE '%-1'", True),
        ("EXISTS name AND NOT EXISTS absent", True),
        ("LENGTH(name) = 4", True),
        ("CONCAT(kind, '/', name) = 'Pod/zk-0'", True),
        ("CONCAT_WS('.', 'a', 'b') = 'a.b'", True),
        ("UPPER(LEFT(name, 2)) = 'ZK'", True),
        ("SUBSTRING(name, 4) = '0' AND RIGHT(name, 1) = '0'", True),
        ("IS_INT(sequence) AND NOT IS_INT(name) AND IS_BOOL(flag)", True),
        ("INT(sequence) = ABS(-42)", True),
        ("'it\\'s' = \"it's\"", True),
    ],
)
def test_a_cesql_expression_has_its_value(expression: str, wanted: bool) -> None:
    assert cesql.as_bool(cesql.parse(expression)(EVENT)) is wanted


@pytest.mark.parametrize(
    "expression", ["kind = = 'Pod'", "kind =", "(kind", "NOPE(kind)", "LENGTH()", "a LIKE b", "1 2"]
)
def test_what_is_no_cesql_is_refused(expression: str) -> None:
    with pytest.raises(cesql.SyntaxError):
        cesql.parse(expression)


@pytest.mark.parametrize(
    "expression", ["1 / 0 = 1", "INT('x') = 1", "2147483647 + 1 = 0", "absent"]
)
def test_an_expression_without_a_value_fails(expression: str) -> None:
    with pytest.raises(cesql.EvaluationError):
        cesql.parse(expression)(EVENT)
