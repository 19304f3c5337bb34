import numpy as np
import pytest
from scipy import integrate, optimize, stats

from auralign.errors import ConfigError, DataError
from auralign.stats.pairs.online import (
    Glicko2Scores,
    draw_moments,
    elo_scores,
    glicko2_scores,
    trueskill_scores,
    win_moments,
)
from auralign.types import Comparisons


def comparisons(first, second, outcome, n_items, weight=None):
    n = len(first)
    return Comparisons(
        np.array(first), np.array(second), np.array(outcome, dtype=float),
        np.ones(n) if weight is None else np.array(weight, dtype=float),
        np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64),
        tuple(f"i{k}" for k in range(n_items)), ("r",),
    )  # fmt: skip


def random(seed, n=200, n_items=6):
    rng = np.random.default_rng(seed)
    first = rng.integers(0, n_items, n)
    second = (first + rng.integers(1, n_items, n)) % n_items
    return comparisons(first, second, rng.choice([0, 0.5, 1], n), n_items)


def test_elo_of_three_dishes_is_the_published_one():
    """Pizza beats burger, sushi beats burger, pizza ties with sushi; K = 30 from 1000."""
    found = elo_scores(comparisons([0, 2, 0], [1, 1, 2], [1, 1, 0.5], 3), k=30)
    np.testing.assert_allclose(found.score, [1014.972058, 970.647200, 1014.380742], atol=1e-6)


def test_elo_moves_points_and_makes_none():
    assert elo_scores(random(0), k=20).score.sum() == pytest.approx(6000)


def test_elo_depends_on_the_order_of_comparisons():
    forward = elo_scores(comparisons([0] * 10, [1] * 10, [1] * 5 + [0] * 5, 2), k=32)
    backward = elo_scores(comparisons([0] * 10, [1] * 10, [0] * 5 + [1] * 5, 2), k=32)
    assert forward.score[0] < 1000 < backward.score[0]


def test_elo_survives_a_gap_beyond_floating_point():
    found = elo_scores(comparisons([0, 0], [1, 1], [1, 0], 2), k=1e6)
    assert np.isfinite(found.score).all()


def glickman():
    return Glicko2Scores(
        items=("i0", "i1", "i2", "i3"),
        score=np.array([1500.0, 1400, 1550, 1700]),
        deviation=np.array([200.0, 30, 100, 300]),
        volatility=np.full(4, 0.06),
        n=0,
    )


def test_the_worked_example_of_glickman():
    """1500 / 200 / 0.06 beats 1400 / 30, loses to 1550 / 100 and 1700 / 300; tau = 0.5."""
    data = comparisons([0, 2, 0], [1, 0, 3], [1, 1, 0], 4)
    found = glicko2_scores(data, start=glickman(), tau=0.5)
    # The paper rounds to 1464.06, 151.52 and 0.05999.
    assert found.score[0] == pytest.approx(1464.0507, abs=1e-4)
    assert found.deviation[0] == pytest.approx(151.5165, abs=1e-4)
    assert found.volatility[0] == pytest.approx(0.0599960, abs=1e-7)


def test_who_does_not_play_becomes_less_certain():
    found = glicko2_scores(comparisons([0], [1], [1], 4), start=glickman())
    scale = 400 / np.log(10)
    assert found.score[3] == 1700
    assert found.deviation[3] == pytest.approx(scale * np.hypot(300 / scale, 0.06))


def test_within_a_period_the_order_does_not_matter_and_across_periods_it_does():
    data = random(1)
    order = np.random.default_rng(2).permutation(200)
    other = comparisons(data.first[order], data.second[order], data.outcome[order], 6)
    a, b = glicko2_scores(data), glicko2_scores(other)
    np.testing.assert_allclose(a.score, b.score, atol=1e-8)
    apart = glicko2_scores(data, period=np.arange(200) // 50)
    assert np.abs(apart.score - a.score).max() > 1


def test_periods_are_what_one_call_after_another_gives():
    data, half = random(3), slice(0, 100)
    rest = slice(100, 200)
    parts = [comparisons(data.first[s], data.second[s], data.outcome[s], 6) for s in (half, rest)]
    steps = glicko2_scores(parts[1], start=glicko2_scores(parts[0]))
    at_once = glicko2_scores(data, period=np.repeat([1, 2], 100))
    np.testing.assert_allclose(at_once.score, steps.score)
    np.testing.assert_allclose(at_once.volatility, steps.volatility)


@pytest.mark.parametrize(("outcome", "raised"), [([1] * 5, True), ([0] * 5, False)])
def test_an_upset_raises_volatility_to_the_root_of_glickmans_equation(outcome, raised):
    favourite = Glicko2Scores(
        ("i0", "i1"), np.array([1700.0, 1300]), np.full(2, 60.0), np.full(2, 0.06), 0
    )
    data = comparisons([1] * 5, [0] * 5, outcome, 2)
    found = glicko2_scores(data, start=favourite, tau=1.2)
    assert (found.volatility[0] > 0.06) == raised
    scale = 400 / np.log(10)
    phi, gap = 60 / scale, 400 / scale
    g = 1 / np.sqrt(1 + 3 * phi**2 / np.pi**2)
    e = 1 / (1 + np.exp(-g * gap))
    v = 1 / (5 * g**2 * e * (1 - e))
    delta = v * g * sum(1 - won - e for won in outcome)

    def equation(x):
        spread = phi**2 + v + np.exp(x)
        return np.exp(x) * (delta**2 - spread) / (2 * spread**2) - (x - np.log(0.06**2)) / 1.2**2

    root = optimize.brentq(equation, -20, 10, xtol=1e-12)
    assert found.volatility[0] == pytest.approx(np.exp(root / 2), rel=1e-8)


def test_the_first_game_of_trueskill():
    """With the published defaults 29.396 / 7.171 against 20.604 / 7.171, drawn 25 / 6.458."""
    won = trueskill_scores(comparisons([0], [1], [1], 2))
    np.testing.assert_allclose(won.score, [29.396, 20.604], atol=5e-4)
    np.testing.assert_allclose(won.deviation, 7.171, atol=5e-4)
    drawn = trueskill_scores(comparisons([0], [1], [0.5], 2))
    np.testing.assert_allclose(drawn.score, 25, atol=1e-12)
    np.testing.assert_allclose(drawn.deviation, 6.458, atol=5e-4)
    np.testing.assert_allclose(won.cautious, won.score - 3 * won.deviation)


def test_the_quality_of_a_match_between_two_new_items():
    fresh = trueskill_scores(comparisons([2], [3], [1], 4))
    assert fresh.quality(0, 1) == pytest.approx(0.447214, abs=1e-6)
    assert fresh.quality(2, 3) < fresh.quality(0, 1)


def test_the_side_does_not_matter():
    a = trueskill_scores(comparisons([0, 1], [1, 2], [1, 0], 3))
    b = trueskill_scores(comparisons([1, 2], [0, 1], [0, 1], 3))
    np.testing.assert_allclose(a.score, b.score)


@pytest.mark.parametrize("x", [-30.0, -3.0, 0.0, 1.5, 8.0])
def test_moments_after_a_win_are_those_of_a_truncated_normal(x):
    """Of z > -x with z standard normal: the mean is v and the variance is 1 - w."""
    v, w = win_moments(x)
    reference = stats.truncnorm(-x, np.inf)
    assert v == pytest.approx(reference.mean(), rel=1e-6)
    if abs(x) < 5:
        assert 1 - w == pytest.approx(reference.var(), abs=1e-8)


@pytest.mark.parametrize(
    ("gap", "half"), [(0.0, 0.5), (0.3, 0.1), (-1.2, 0.4), (2.0, 1.5), (5.0, 0.2)]
)
def test_moments_after_a_draw_are_those_of_a_truncated_normal(gap, half):
    """Of gap + z in [-half, half]: the mean moves by v, the variance is 1 - w."""

    def moment(power):
        return integrate.quad(
            lambda z: z**power * stats.norm.pdf(z), -half - gap, half - gap, epsabs=1e-14
        )[0]

    mass, mean = moment(0), moment(1) / moment(0)
    v, w = draw_moments(gap, half)
    assert v == pytest.approx(mean, rel=1e-6, abs=1e-12)
    assert 1 - w == pytest.approx(moment(2) / mass - mean**2, rel=1e-4, abs=1e-8)


def test_moments_stay_finite_for_enormous_gaps():
    values = np.array(
        [*win_moments(-1e4), *win_moments(1e4), *draw_moments(1e3, 0.1), *draw_moments(-1e3, 0.1)]
    )
    assert np.isfinite(values).all()
    assert draw_moments(1e3, 0.1)[0] == pytest.approx(-(1e3 - 0.1), rel=1e-3)


def test_scores_of_many_games_order_the_items_as_they_win():
    rng = np.random.default_rng(5)
    first, second = rng.integers(0, 5, (2, 3000))
    keep = first != second
    first, second = first[keep], second[keep]
    outcome = (rng.uniform(size=len(first)) < 1 / (1 + np.exp((first - second) * 0.8))).astype(
        float
    )
    data = comparisons(first, second, outcome, 5)
    period = np.arange(len(first)) // 300
    found = (elo_scores(data, k=16), glicko2_scores(data, period=period), trueskill_scores(data))
    for scores in found:
        assert np.argsort(-scores.score).tolist() == [0, 1, 2, 3, 4]
        assert scores.n == len(first)


def test_weight_zero_is_left_out_and_other_weights_are_refused():
    data = comparisons([0, 0], [1, 1], [1, 0], 2, weight=[1, 0])
    assert elo_scores(data, k=32).score[0] > 1000
    for method in (lambda c: elo_scores(c, k=32), glicko2_scores, trueskill_scores):
        with pytest.raises(DataError, match="weights must be 0 or 1, got 2"):
            method(comparisons([0], [1], [1], 2, weight=[2]))


def test_wrong_settings_are_refused():
    data = comparisons([0], [1], [0.5], 2)
    with pytest.raises(ConfigError, match="k must be"):
        elo_scores(data, k=0)
    with pytest.raises(ConfigError, match="tau must be"):
        glicko2_scores(data, tau=-1)
    with pytest.raises(DataError, match="one period for each of 1"):
        glicko2_scores(data, period=[1, 2])
    with pytest.raises(DataError, match="same items"):
        glicko2_scores(data, start=glickman())
    with pytest.raises(ConfigError, match="draw_probability in"):
        trueskill_scores(data, draw_probability=1)
    with pytest.raises(DataError, match="there are ties"):
        trueskill_scores(data, draw_probability=0)
