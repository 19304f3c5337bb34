"""Gold, trap and repeat trials: what passes, what does not, and what cannot be read."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from auralign.errors import ConfigError, DataError
from auralign.stats.proportions import clopper_pearson
from auralign.stats.raters.checks import check_pass_rates, without_checks
from auralign.types import Judgement

Make = Callable[..., Judgement]


def gold(judgement: Judgement, expected: str, kind: str = "gold") -> Judgement:
    return replace(judgement, context={"check": kind, "expected": expected})


def repeat(judgement: Judgement) -> Judgement:
    return replace(judgement, context={"check": "repeat"})


def test_a_gold_pair_passes_with_the_expected_clip_on_either_side(pair: Make) -> None:
    judgements = [
        gold(pair("good", "bad", "A"), "good"),
        gold(pair("bad", "good", "B"), "good"),
        gold(pair("good", "bad", "B"), "good"),
        gold(pair("good", "bad", "SKIP"), "good"),
        gold(pair("x", "x2", "TIE_GOOD"), "tie"),
        gold(pair("x", "x2", "A"), "tie", "trap"),
    ]
    rates = check_pass_rates(judgements, "overall")["ann"]
    exact = clopper_pearson(3, 5)
    assert (rates["gold"].value, rates["gold"].n) == (0.6, 5)
    assert (rates["gold"].low, rates["gold"].high) == (exact.low, exact.high)
    assert (rates["trap"].value, rates["trap"].n) == (0.0, 1)


def test_a_gold_rating_passes_at_its_value_or_in_its_range(rating: Make) -> None:
    judgements = [
        gold(rating("x", 5.0), "4..5"),
        gold(rating("x", 3.0), "4..5"),
        gold(rating("x", 2.0), "2", "trap"),
    ]
    rates = check_pass_rates(judgements, "overall")["ann"]
    assert rates["gold"].value == 0.5
    assert rates["trap"].value == 1.0


def test_a_repeat_passes_with_the_same_choice_whichever_clip_comes_first(pair: Make) -> None:
    judgements = [
        pair("x", "y", "A"),
        pair("u", "v", "TIE_BAD"),
        repeat(pair("y", "x", "B")),
        repeat(pair("y", "x", "A")),
        repeat(pair("u", "v", "TIE")),
        repeat(pair("never", "heard", "A")),
        repeat(pair("x", "y", "A", rater="bob")),
    ]
    rates = check_pass_rates(judgements, "overall")
    assert (rates["ann"]["repeat"].value, rates["ann"]["repeat"].n) == (2 / 3, 3)
    assert "1 without an earlier answer, left out" in rates["ann"]["repeat"].method
    assert "bob" not in rates


def test_a_repeated_rating_passes_within_the_tolerance(rating: Make) -> None:
    judgements = [rating("x", 3.0), repeat(rating("x", 4.0)), repeat(rating("x", 4.5))]
    assert check_pass_rates(judgements, "overall")["ann"]["repeat"].value == 0.5
    wide = check_pass_rates(judgements, "overall", rating_tolerance=2)
    assert wide["ann"]["repeat"].value == 1.0


def test_other_dimensions_and_ordinary_trials_give_no_rate(pair: Make) -> None:
    other = gold(pair("x", "y", "A", dimension="noise"), "x")
    assert check_pass_rates([pair("x", "y", "A"), other], "overall") == {}
    assert without_checks([pair("x", "y", "A"), other]) == [pair("x", "y", "A")]


def test_marks_that_cannot_be_read_are_refused(pair: Make, rating: Make) -> None:
    with pytest.raises(DataError, match="did you mean 'gold'"):
        check_pass_rates([gold(pair("x", "y", "A"), "x", "golden")], "overall")
    with pytest.raises(DataError, match="'z' is neither of its clips nor 'tie'"):
        check_pass_rates([gold(pair("x", "y", "A"), "z")], "overall")
    with pytest.raises(DataError, match=r"context\['expected'\] is missing"):
        check_pass_rates([replace(pair("x", "y", "A"), context={"check": "gold"})], "overall")
    for wrong in ("high", "5..4", "1..2..3"):
        with pytest.raises(DataError, match="no value such as '4'"):
            check_pass_rates([gold(rating("x", 3.0), wrong)], "overall")
    with pytest.raises(ConfigError, match="rating_tolerance must be 0 or more"):
        check_pass_rates([], "overall", rating_tolerance=-1)
