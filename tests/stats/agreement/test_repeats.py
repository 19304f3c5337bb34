import numpy as np
import pytest

from auralign.errors import DataError
from auralign.stats.agreement import rating_repeats, repeat_consistency


def test_repeats_in_either_order_are_counted_apart(pair):
    judgements = [
        pair("a", "b", "A", rater="ann"),
        pair("a", "b", "A", rater="ann"),
        pair("c", "d", "A", rater="ann"),
        pair("d", "c", "A", rater="ann"),
        pair("a", "b", "TIE_GOOD", rater="bob"),
        pair("b", "a", "TIE", rater="bob"),
        pair("a", "c", "A", rater="bob"),
    ]
    repeats = repeat_consistency(judgements, "overall")
    assert repeats.overall.value == pytest.approx(2 / 3)
    assert (repeats.same_order.value, repeats.same_order.n) == (1, 1)
    # Ann chose the side, not the clip; Bob tied twice.
    assert (repeats.swapped_order.value, repeats.swapped_order.n) == (0.5, 2)
    assert {rater: e.value for rater, e in repeats.by_rater.items()} == {"ann": 0.5, "bob": 1}


def test_of_three_answers_all_pairs_count(pair):
    judgements = [pair("a", "b", answer) for answer in "AAB"]
    repeats = repeat_consistency(judgements, "overall")
    assert (repeats.overall.value, repeats.overall.n) == (1 / 3, 3)
    assert repeats.swapped_order is None
    assert "over stimuli" in repeats.overall.method


def test_another_rater_prompt_or_skip_is_no_repeat(pair):
    judgements = [
        pair("a", "b", "A"),
        pair("a", "b", "A", rater="bob"),
        pair("a", "b", "A", prompt="p2"),
        pair("a", "b", "SKIP"),
    ]
    with pytest.raises(DataError, match="no rater answered the same pair on 'overall' twice"):
        repeat_consistency(judgements, "overall")


def test_a_rater_who_guesses_is_consistent_in_half_of_the_repeats(pair):
    generator = np.random.default_rng(1)
    judgements = [
        pair("a", "b", generator.choice(["A", "B"]), rater=f"r{r}", prompt=f"p{p}")
        for r in range(20)
        for p in range(20)
        for _ in range(2)
    ]
    overall = repeat_consistency(judgements, "overall").overall
    assert overall.low < 0.5 < overall.high
    assert overall.n_clusters == 20


def test_repeated_ratings_give_the_spread_within_raters(rating):
    judgements = [
        rating("a", 1, "ann"),
        rating("a", 3, "ann"),
        rating("b", 4, "ann"),
        rating("b", 4, "ann"),
        rating("a", 5, "bob"),
        rating("a", 4, "bob"),
        rating("c", 2, "bob"),
    ]
    repeats = rating_repeats(judgements, "overall")
    # Differences 2, 0 of Ann and 1 of Bob.
    assert repeats.mean_absolute_difference.value == pytest.approx((1 + 1) / 2)
    assert repeats.mean_absolute_difference.n == 3
    assert repeats.within_sd == pytest.approx(np.sqrt((2 + 0 + 0.5) / 3))
    assert repeats.repeatability == pytest.approx(1.959964 * np.sqrt(2) * repeats.within_sd)
    assert repeats.within_sd_by_rater == pytest.approx({"ann": 1, "bob": np.sqrt(0.5)})


def test_the_within_sd_is_that_of_the_simulated_ratings(rating):
    generator = np.random.default_rng(2)
    judgements = [
        rating(f"c{c}", generator.normal(3, 0.7), f"r{r}")
        for r in range(10)
        for c in range(30)
        for _ in range(2)
    ]
    assert rating_repeats(judgements, "overall").within_sd == pytest.approx(0.7, rel=0.1)


def test_no_repeated_rating_is_refused(rating):
    with pytest.raises(DataError, match="no rater rated the same clip on 'overall' twice"):
        rating_repeats([rating("a", 1), rating("a", 1, "bob"), rating("b", 1)], "overall")


def test_one_rater_gives_no_interval(rating):
    difference = rating_repeats([rating("a", 1), rating("a", 2)], "overall")
    assert difference.mean_absolute_difference.value == 1
    assert "no interval" in difference.mean_absolute_difference.method
