from pathlib import Path

import pytest

from auralign.errors import ConfigError
from auralign.losses import OBJECTIVES
from auralign.losses.explain import explain, listing, page

PAGE = Path(__file__).parents[2] / "docs" / "objectives.md"


def test_the_page_of_the_docs_is_what_the_docstrings_say():
    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_page_has_every_objective_once_in_a_table_and_once_in_full():
    text = page()
    for name in OBJECTIVES:
        assert text.count(f"| [`{name}`](#{name}) |") == 1
        assert text.count(f"\n### {name}\n") == 1


def test_every_row_of_the_page_has_five_cells():
    rows = [line for line in page().splitlines() if line.startswith("| [`")]
    assert len(rows) == len(OBJECTIVES)
    assert {row.replace("\\|", "").count("|") for row in rows} == {6}


def test_the_listing_says_what_each_objective_needs_and_takes():
    rows = {row["name"]: row for row in listing()}
    assert rows.keys() == OBJECTIVES.keys()
    rdpo = rows["rdpo"]
    assert (rdpo["data"], rdpo["family"], rdpo["papers"]) == ("pairs", "pairwise", ["2403.00409"])
    assert rdpo["options"] == {"beta": 0.1, "label_smoothing": 0.1}
    assert rdpo["needs"] == ["log-probabilities under a reference"]


def test_an_explanation_has_signature_needs_formula_and_source():
    text = explain("rdpo")
    assert text.startswith("rdpo(beta=0.1, label_smoothing=0.1)\n")
    assert "Takes pairs. Needs: log-probabilities under a reference." in text
    assert "[-(1 - e) ls(beta D) + e ls(-beta D)] / (1 - 2 e)" in text
    assert "2403.00409" in text


def test_an_unknown_objective_is_answered_with_the_near_one():
    with pytest.raises(ConfigError, match=r"got 'rdppo' \(did you mean 'rdpo'\?\)"):
        explain("rdppo")
