import numpy as np
import pytest

from auralign.errors import DataError
from auralign.stats.hypotheses import group_win_rates, inequality


def rng():
    return np.random.default_rng(5)


def study(shares, generator, listeners=12, prompts=8):
    """Votes of groups whose listeners prefer the first system with these probabilities."""
    rows = [
        (float(generator.random() < share), f"{group}{k}", f"p{p}", group)
        for group, share in shares.items()
        for k in range(listeners)
        for p in range(prompts)
    ]
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def test_the_worst_group_comes_first_and_the_gap_is_found():
    votes, listener, prompt, group = study({"old": 0.9, "young": 0.4}, np.random.default_rng(1))
    votes = votes.astype(float)
    result = group_win_rates(votes, listener, prompt, group, rng=rng(), n_resamples=400)
    assert list(result.groups) == ["young", "old"]
    rates = {g: votes[group == g].mean() for g in ("young", "old")}
    assert {g: e.value for g, e in result.groups.items()} == pytest.approx(rates)
    assert result.inequality.worst_group == "young"
    assert result.gap == pytest.approx(rates["old"] - rates["young"])
    assert result.gap_test.p_value == 1 / 401
    assert result.overall.value == pytest.approx(votes.mean())
    assert "Bonferroni over 2 groups" in result.groups["old"].method


def test_equal_groups_show_a_gap_that_shuffling_shows_too():
    p_values = []
    generator = np.random.default_rng(2)
    for _ in range(40):
        votes, listener, prompt, group = study({"a": 0.6, "b": 0.6, "c": 0.6}, generator, 6, 4)
        result = group_win_rates(
            votes.astype(float), listener, prompt, group, rng=generator, n_resamples=60
        )
        assert result.gap > 0
        p_values.append(result.gap_test.p_value)
    assert np.mean(np.array(p_values) <= 0.1) < 0.25
    # Uniform, but for equal gaps that count as large too.
    assert 0.4 < np.mean(p_values) < 0.75


def test_small_groups_are_named():
    votes, listener, prompt, group = study({"a": 0.6, "b": 0.6}, np.random.default_rng(3), 3)
    result = group_win_rates(
        votes.astype(float), listener, prompt, group, rng=rng(), n_resamples=50
    )
    assert result.warnings[0].startswith("group 'a' has 3 listeners")


def test_the_inequality_of_three_utilities():
    """Gini of 3, 5, 4: mean absolute difference 8/9 over twice the mean 4."""
    report = inequality({"a": 3.0, "b": 5.0, "c": 4.0})
    assert (report.mean, report.worst_group, report.worst) == (4, "a", 3)
    assert report.gini == pytest.approx(1 / 9)
    assert report.percentile_20 == pytest.approx(3.4)


def test_gini_by_its_definition():
    values = np.random.default_rng(4).gamma(1, size=9)
    pairs = np.abs(values[:, None] - values).mean()
    report = inequality({str(k): v for k, v in enumerate(values)})
    assert report.gini == pytest.approx(pairs / (2 * values.mean()))
    assert inequality({"a": 2.0, "b": 2.0}).gini == 0
    assert np.isnan(inequality({"a": 0.0}).gini)


def test_bad_input_is_named():
    with pytest.raises(DataError, match="at least 2 groups"):
        group_win_rates([1, 0], ["x", "y"], ["p", "q"], ["g", "g"], rng=rng())
    with pytest.raises(DataError, match="one prompt for each of 2 votes, got 1"):
        group_win_rates([1, 0], ["x", "y"], ["p"], ["g", "h"], rng=rng())
    with pytest.raises(DataError, match="listener 'x' is in the groups 'h' and 'g'"):
        group_win_rates([1, 0], ["x", "x"], ["p", "q"], ["g", "h"], rng=rng())
    with pytest.raises(DataError, match="finite and not negative"):
        inequality({"a": -1.0})
