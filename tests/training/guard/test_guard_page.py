"""The tables of docs/guard.md are made from the rule book."""

from pathlib import Path

import pytest

from auralign.training.guard import RULES
from auralign.training.guard.explain import GROUPS, rule_tables, signature_table

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs" / "guard.md"


@pytest.mark.parametrize("make", [rule_tables, signature_table])
def test_the_page_has_the_table_that_the_rules_make(make):
    assert make() in PAGE.read_text(encoding="utf-8")


def test_every_rule_is_in_one_group():
    assert [rule for rules in GROUPS.values() for rule in rules] == list(RULES)
