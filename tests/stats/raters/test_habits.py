"""Speed, sides and runs: counted by hand, and p-values by enumerating all tosses."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from auralign.errors import ConfigError, DataError
from auralign.stats.proportions import clopper_pearson
from auralign.stats.raters.habits import answer_times, run_p_value, scale_use, side_use
from auralign.types import Judgement

Make = Callable[..., Judgement]


def test_answers_below_the_threshold_are_counted_and_untimed_ones_left_out(pair: Make) -> None:
    seconds = [0.5, 1.0, 2.0, 9.0, None]
    judgements = [replace(pair("x", "y", "A"), time_to_answer_s=s) for s in seconds]
    times = answer_times(judgements, too_fast_s=1.0)["ann"]
    assert (times.n, times.median_s, times.too_fast.value) == (4, 1.5, 0.25)
    assert times.too_fast.high == clopper_pearson(1, 4).high
    with pytest.raises(DataError, match="no judgement has a time"):
        answer_times(judgements[-1:], too_fast_s=1.0)
    with pytest.raises(DataError, match="0 or more, got -1"):
        answer_times([replace(judgements[0], time_to_answer_s=-1.0)], too_fast_s=1.0)
    with pytest.raises(ConfigError, match="too_fast_s must be"):
        answer_times(judgements, too_fast_s=0)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_the_probability_of_a_run_is_that_of_counting_all_tosses(n: int) -> None:
    longest = [
        max(len(list(g)) for _, g in itertools.groupby(tosses))
        for tosses in itertools.product((0, 1), repeat=n)
    ]
    for run in range(1, n + 1):
        assert run_p_value(run, n) == pytest.approx(sum(x >= run for x in longest) / 2**n)


def test_sides_and_runs_of_decisive_answers_in_order(pair: Make) -> None:
    outcomes = ["A", "A", "TIE", "A", "A", "B", "SKIP", "A"]
    use = side_use([pair("x", "y", outcome) for outcome in outcomes], "overall")["ann"]
    assert (use.n, use.longest_run) == (6, 4)
    assert use.share_first.value == pytest.approx(5 / 6)
    assert use.p_side == pytest.approx(2 * (1 + 6) / 64)
    assert use.p_run == pytest.approx(run_p_value(4, 6))


def test_swapping_all_sides_mirrors_the_share_and_keeps_the_p_values(pair: Make) -> None:
    judgements = [pair("x", "y", outcome) for outcome in "AABAAAB"]
    one = side_use(judgements, "overall")["ann"]
    other = side_use([j.swap() for j in judgements], "overall")["ann"]
    assert one.share_first.value == pytest.approx(1 - other.share_first.value)
    assert (one.p_side, one.p_run) == pytest.approx((other.p_side, other.p_run))


def test_ratings_that_never_change_show_in_spread_share_and_run(rating: Make) -> None:
    judgements = [rating(f"c{k}", value) for k, value in enumerate([3, 3, 3, 5])]
    judgements.append(rating("c0", 4, rater="bob"))
    use = scale_use(judgements, "overall")
    assert (use["ann"].commonest_share, use["ann"].longest_run) == (0.75, 3)
    assert use["ann"].standard_deviation == pytest.approx(1.0)
    assert use["bob"].standard_deviation != use["bob"].standard_deviation  # NaN with one rating
