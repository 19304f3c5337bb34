from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.pairs.bradley_terry import fit_bradley_terry
from auralign.stats.rankings import Rankings, fit_plackett_luce, rankings_of
from auralign.stats.rankings.choices import Choices, choice_slopes
from auralign.stats.rankings.plackett_luce import Ladder, ladder_slopes, tied_choices
from auralign.types import Comparisons

# Finishing orders of 36 races, driver numbers 1 to 83 (Hunter 2004, Ann. Stat. 32:384, section 5);
# the four drivers who always finished last are left out.
NASCAR = [
    [int(driver) - 1 for driver in line.split()]
    for line in Path(__file__).with_name("nascar_2002.txt").read_text().splitlines()
]
CAMERON, JONES, PRUETT, MARTIN = 0, 57, 67, 50


def races(extra_last=()):
    """Places `[36, drivers]`; `extra_last` are races that a further driver finished last."""
    places = np.zeros((36, 83 + len(extra_last)), dtype=int)
    for race, order in enumerate(NASCAR):
        places[race, order] = np.arange(1, len(order) + 1)
    for driver, races_lost in enumerate(extra_last, 83):
        places[np.array(races_lost) - 1, driver] = 43
    return rankings_of(places, [f"driver {k + 1}" for k in range(places.shape[1])])


def simulated(seed=0, n_rankings=60, n_items=6, width=4, p_tie=0.0, n_raters=12, top=None):
    rng = np.random.default_rng(seed)
    log_worth = rng.normal(0, 1, n_items)
    candidates = np.array([rng.permutation(n_items)[:width] for _ in range(n_rankings)])
    percept = log_worth[candidates] + rng.gumbel(size=candidates.shape)
    candidates = np.take_along_axis(candidates, np.argsort(-percept, axis=1), axis=1)
    steps = rng.uniform(size=candidates.shape) >= p_tie
    steps[:, 0] = True
    place = np.cumsum(steps, axis=1)
    if top:
        place[:, top:] = 0
    return Rankings(
        candidates=candidates,
        place=place,
        weight=rng.uniform(0.5, 2, n_rankings),
        rater=np.arange(n_rankings) % n_raters,
        items=tuple(f"i{k}" for k in range(n_items)),
        raters=tuple(f"r{k}" for k in range(n_raters)),
    )


def reweighted(rankings, weight):
    r = rankings
    return Rankings(r.candidates, r.place, weight, r.rater, r.items, r.raters)


def comparisons(wins, ties=None):
    """Comparisons from tables of wins of row over column and of ties (upper triangle)."""
    ties = np.zeros_like(wins) if ties is None else np.triu(ties)
    first, second = (np.r_[a, b] for a, b in zip(np.nonzero(wins), np.nonzero(ties), strict=True))
    outcome = np.r_[np.ones((wins > 0).sum()), np.full((ties > 0).sum(), 0.5)]
    n = len(first)
    return Comparisons(
        first, second, outcome, np.r_[wins[wins > 0], ties[ties > 0]].astype(float),
        np.arange(n), np.zeros(n, dtype=np.int64), tuple("abcd"[: len(wins)]),
        tuple(f"r{k}" for k in range(n)),
    )  # fmt: skip


def rankings_of_pairs(c):
    return Rankings(
        candidates=np.c_[c.first, c.second],
        place=np.c_[np.ones(len(c.first), dtype=int), np.where(c.outcome == 0.5, 1, 2)],
        weight=c.weight,
        rater=c.rater,
        items=c.items,
        raters=c.raters,
    )


def test_worths_of_racing_drivers_are_those_of_hunter():
    """Published to two decimals with the first driver as reference; log-likelihood -4191.0973."""
    fit = fit_plackett_luce(races())
    relative = fit.log_worth - fit.log_worth[CAMERON]
    by_average_place = np.argsort([_average_place(k) for k in range(83)], kind="stable")
    np.testing.assert_allclose(
        relative[by_average_place[[0, 1, 2, 3, 4, -3, -2, -1]]],
        [4.15, 3.62, 2.08, 1.83, 2.06, 0.03, -0.31, -0.15],
        atol=0.005,
    )
    assert by_average_place[[0, 1, 2]].tolist() == [JONES, PRUETT, MARTIN]
    assert fit.log_likelihood == pytest.approx(-4191.0973, abs=1e-4)


def _average_place(driver):
    return np.mean([race.index(driver) + 1 for race in NASCAR if driver in race])


def test_a_ghost_item_makes_drivers_who_always_lost_finite():
    """Turner et al. 2020, section 3.3. Five races lack their last place: one of the four was last
    twice, in races 5 and 8, which is the only assignment that gives the published digits."""
    fit = fit_plackett_luce(races(extra_last=([5, 8], [11], [15], [31])), prior=0.5)
    relative = fit.log_worth - fit.log_worth[CAMERON]
    np.testing.assert_allclose(relative[[JONES, PRUETT, MARTIN]], [3.20, 2.77, 1.91], atol=0.005)
    np.testing.assert_allclose(relative[83:], [-2.17, -1.77, -1.74, -1.59], atol=0.005)
    assert fit.status == "regularised"
    with pytest.raises(NotConvergedError, match="'driver 84' never wins"):
        fit_plackett_luce(races(extra_last=([5, 8], [11], [15], [31])))


def test_ties_of_three_fruits_are_the_published_ones():
    """R PlackettLuce prints 0.2867987, -0.4636687 and log tie2 -1.0701129 with its ghost of 0.5."""
    places = [[1, 2, 0], [3, 1, 2], [2, 1, 1], [1, 2, 3], [2, 1, 1], [1, 0, 2]]
    fit = fit_plackett_luce(rankings_of(places, ["apple", "banana", "orange"]), prior=0.5)
    relative = fit.log_worth - fit.log_worth[0]
    np.testing.assert_allclose(relative[1:], [0.2867987, -0.4636687], atol=1e-7)
    assert np.log(fit.tie_parameters[2]) == pytest.approx(-1.0701129, abs=1e-7)


def test_rankings_of_two_are_bradley_terry():
    data = comparisons(np.array([[0, 3, 5], [2, 0, 4], [1, 3, 0]]))
    fit, reference = fit_plackett_luce(rankings_of_pairs(data)), fit_bradley_terry(data)
    np.testing.assert_allclose(fit.log_worth, reference.log_worth, atol=1e-8)
    np.testing.assert_allclose(fit.standard_errors, reference.standard_errors, atol=1e-8)
    assert fit.log_likelihood == pytest.approx(reference.log_likelihood)


def test_rankings_of_two_with_ties_are_davidson():
    """Two items won 6:2 with 2 ties: log-worth ln 3 apart, nu = 2 / sqrt(12)."""
    data = comparisons(np.array([[0, 6], [2, 0]]), np.array([[0, 2], [0, 0]]))
    fit = fit_plackett_luce(rankings_of_pairs(data))
    assert fit.log_worth[0] - fit.log_worth[1] == pytest.approx(np.log(3))
    assert fit.tie_parameters == {2: pytest.approx(2 / np.sqrt(12))}


def test_davidsons_model_of_three_items_with_ties():
    wins = np.array([[0, 5, 8], [3, 0, 4], [2, 6, 0]])
    data = comparisons(wins, np.array([[0, 2, 3], [0, 0, 4], [0, 0, 0]]))
    fit, reference = (
        fit_plackett_luce(rankings_of_pairs(data)),
        fit_bradley_terry(data, ties="davidson"),
    )
    np.testing.assert_allclose(fit.log_worth, reference.log_worth, atol=1e-7)
    np.testing.assert_allclose(fit.standard_errors, reference.standard_errors, atol=1e-7)
    assert fit.tie_parameters[2] == pytest.approx(reference.nu)


def test_the_probability_of_a_ranking_is_the_product_of_choices():
    worth = np.array([0.5, 2.0, 1.0, 0.25])
    for order in permutations(range(4)):
        left, expected = list(order), 1.0
        for item in order:
            expected *= worth[item] / worth[left].sum()
            left.remove(item)
        ladder = Ladder(np.array(order)[:, None], np.array([[1.0], [1], [1], [0]]), 4)
        slopes = ladder_slopes(np.log(worth), ladder)
        assert np.exp(slopes.log_likelihood) == pytest.approx(expected)


def test_probabilities_of_all_rankings_with_ties_sum_to_one():
    """Three items can be ranked in 13 ways, ties counted."""
    places = [p for p in np.ndindex(3, 3, 3) if set(p) == set(range(max(p) + 1))]
    assert len(places) == 13
    parameters = np.array([0.3, -0.8, 0.5, np.log(0.4), np.log(0.9)])
    rankings = rankings_of(np.array(places) + 1, ["a", "b", "c"])
    total = 0.0
    for k in range(13):
        one = Rankings(
            *(a[k : k + 1] for a in _sorted(rankings)), np.zeros(1, int), rankings.items, ("r",)
        )
        groups = tied_choices(one, np.zeros(1, dtype=int), 0.0, (2, 3))
        total += np.exp(choice_slopes(parameters, groups).log_likelihood)
    assert total == pytest.approx(1)


def _sorted(r):
    order = np.argsort(r.place, axis=1, kind="stable")
    pair = (np.take_along_axis(a, order, axis=1) for a in (r.candidates, r.place))
    return (*pair, r.weight)


@given(seed=st.integers(0, 1000), p_tie=st.sampled_from([0.0, 0.3]))
@settings(max_examples=20)
def test_slopes_are_finite_differences_and_both_ways_to_compute_them_agree(seed, p_tie):
    data = simulated(seed, n_rankings=8, p_tie=p_tie)
    orders = (2, 3, 4) if p_tie else ()
    groups = tied_choices(data, data.rater, 0.0, orders)
    at = np.random.default_rng(seed).normal(size=6 + len(orders))
    here, step = choice_slopes(at, groups), 1e-5
    for k, e in enumerate(step * np.eye(len(at))):
        up, down = choice_slopes(at + e, groups), choice_slopes(at - e, groups)
        gradient = (up.log_likelihood - down.log_likelihood) / (2 * step)
        assert here.gradient[k] == pytest.approx(gradient, abs=1e-6)
        curvature = -(up.gradient - down.gradient) / (2 * step)
        np.testing.assert_allclose(here.information[k], curvature, atol=1e-6)
    if not p_tie:
        choice = np.broadcast_to(data.weight, (4, 8)) * np.array([[1], [1], [1], [0]])
        fast = ladder_slopes(at, Ladder(data.candidates.T, choice, 6))
        assert fast.log_likelihood == pytest.approx(here.log_likelihood)
        np.testing.assert_allclose(fast.gradient, here.gradient, atol=1e-10)
        np.testing.assert_allclose(fast.information, here.information, atol=1e-10)


def test_an_item_may_be_ranked_more_than_once_as_two_clips_of_a_system_are():
    rng = np.random.default_rng(0)
    candidates, weight = rng.integers(0, 3, (20, 4)), np.ones(20)
    groups = []
    for begin in range(3):
        nodes = candidates[:, begin:]
        groups.append(Choices(nodes, np.eye(4 - begin), np.zeros(20, int), weight, np.arange(20)))
    at = rng.normal(size=3)
    choice = np.broadcast_to(np.array([[1.0], [1], [1], [0]]), (4, 20))
    fast, slow = ladder_slopes(at, Ladder(candidates.T, choice, 3)), choice_slopes(at, groups)
    assert fast.log_likelihood == pytest.approx(slow.log_likelihood)
    np.testing.assert_allclose(fast.gradient, slow.gradient, atol=1e-12)
    np.testing.assert_allclose(fast.information, slow.information, atol=1e-12)


def test_worths_beyond_floating_point_are_given_up():
    ladder = Ladder(np.array([[0], [1]]), np.array([[1.0], [0]]), 2)
    assert ladder_slopes(np.array([0.0, 400]), ladder).log_likelihood == -np.inf
    assert ladder_slopes(np.array([0.0, 290]), ladder).log_likelihood == pytest.approx(-290)


def test_a_top_k_ranking_is_the_beginning_of_a_full_one():
    """Of three candidates only the best was named: P = worth / sum of worths, thrice."""
    rankings = Rankings(
        candidates=np.array([[0, 1, 2], [1, 0, 2], [2, 1, 0]]),
        place=np.array([[1, 0, 0], [1, 0, 0], [1, 0, 0]]),
        weight=np.array([6.0, 3.0, 1.0]),
        rater=np.arange(3),
        items=("a", "b", "c"),
        raters=("x", "y", "z"),
    )
    fit = fit_plackett_luce(rankings)
    np.testing.assert_allclose(fit.log_worth - fit.log_worth[2], np.log([6, 3, 1]), atol=1e-9)


def test_candidates_may_come_in_any_order_with_any_dense_or_gapped_places():
    data = simulated(3)
    rng = np.random.default_rng(0)
    order = np.array([rng.permutation(4) for _ in data.weight])
    shuffled = Rankings(
        np.take_along_axis(data.candidates, order, 1),
        10 * np.take_along_axis(data.place, order, 1),
        data.weight, data.rater, data.items, data.raters,
    )  # fmt: skip
    a, b = fit_plackett_luce(data), fit_plackett_luce(shuffled)
    np.testing.assert_allclose(a.log_worth, b.log_worth, atol=1e-10)


@pytest.mark.parametrize("options", [{}, {"p_tie": 0.3}, {"top": 2}])
@pytest.mark.parametrize("prior", [0.0, 0.5])
def test_influence_is_the_derivative_of_the_fit_by_the_weight_of_each_rater(options, prior):
    data = simulated(4, **options)
    fit, step = fit_plackett_luce(data, prior=prior), 1e-4
    for rater in (0, 5):
        up, down = (
            fit_plackett_luce(
                reweighted(data, data.weight * (1 + s * (data.rater == rater))), prior=prior
            ).log_worth
            for s in (step, -step)
        )
        np.testing.assert_allclose(fit.influence[:, rater], (up - down) / (2 * step), atol=1e-7)
    expected = np.sqrt(12 / 11 * (fit.influence**2).sum(axis=1))
    np.testing.assert_allclose(fit.clustered_standard_errors, expected)


def test_covariance_is_the_pseudo_inverse_of_the_information():
    data = simulated(5)
    fit = fit_plackett_luce(data)
    groups = tied_choices(data, data.rater, 0.0, ())
    information = choice_slopes(fit.log_worth, groups).information
    np.testing.assert_allclose(fit.covariance, np.linalg.pinv(information), atol=1e-9)


def test_weight_two_is_a_ranking_given_twice_and_weight_zero_one_not_given():
    data = simulated(6)
    weight = np.resize([0.0, 1.0, 2.0], 60)
    rows = np.repeat(np.arange(60), weight.astype(int))
    twice = Rankings(
        data.candidates[rows], data.place[rows], np.ones(len(rows)), data.rater[rows],
        data.items, data.raters,
    )  # fmt: skip
    a, b = fit_plackett_luce(reweighted(data, weight)), fit_plackett_luce(twice)
    np.testing.assert_allclose(a.log_worth, b.log_worth, atol=1e-9)
    np.testing.assert_allclose(a.covariance, b.covariance, atol=1e-9)
    assert (a.n, b.n) == (40, 60)


def test_relabelling_items_relabels_worths():
    data = simulated(7)
    new = np.array([3, 0, 5, 1, 4, 2])
    other = Rankings(
        new[data.candidates], data.place, data.weight, data.rater, data.items, data.raters
    )
    a, b = fit_plackett_luce(data), fit_plackett_luce(other)
    np.testing.assert_allclose(b.log_worth[new], a.log_worth, atol=1e-9)


def test_simulated_worths_are_recovered_within_their_errors():
    data = simulated(8, n_rankings=3000)
    truth = np.random.default_rng(8).normal(0, 1, 6)
    fit = fit_plackett_luce(reweighted(data, np.ones(3000)))
    z = (fit.log_worth - (truth - truth.mean())) / fit.standard_errors
    assert np.abs(z).max() < 3
    np.testing.assert_allclose(fit.elo, 1000 + 400 * fit.log_worth / np.log(10))


def test_the_ghosts_part_is_not_in_the_likelihood():
    data = simulated(9, p_tie=0.3)
    plain, wide = fit_plackett_luce(data), fit_plackett_luce(data, prior=1e-9)
    assert wide.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-6)
    strong = fit_plackett_luce(data, prior=1e3)
    assert np.abs(strong.log_worth).max() < 0.1 * np.abs(plain.log_worth).max()


@pytest.mark.parametrize(
    ("places", "match"),
    [
        ([[1, 2, 3], [1, 3, 2]], "'a' never loses"),
        ([[1, 2, 0, 0], [2, 1, 0, 0], [0, 0, 1, 2], [0, 0, 2, 1]], "2 components"),
        ([[1, 1, 1]], "no finite worths and tie parameters"),
        # a never loses outright, which its ties with b hide from the graph of wins.
        ([[1, 2], [1, 2], [1, 1]], "some items only win or tie"),
    ],
)
def test_rankings_without_finite_worths_are_refused(places, match):
    rankings = rankings_of(places, list("abcd")[: len(places[0])])
    with pytest.raises(NotConvergedError, match=match):
        fit_plackett_luce(rankings)


def test_a_cycle_of_two_wins_and_a_tie_is_finite():
    """a > b, b > c, c = a. By symmetry the log-worths are (d, 0, -d); two unknowns are left."""
    fit = fit_plackett_luce(rankings_of([[1, 2, 0], [0, 1, 2], [1, 0, 1]], ["a", "b", "c"]))

    def minus_log_likelihood(unknown):
        d, delta = unknown[0], np.exp(unknown[1])
        win = np.exp(d / 2) / (2 * np.cosh(d / 2) + delta)
        return -2 * np.log(win) - np.log(delta / (2 * np.cosh(d) + delta))

    best = minimize(minus_log_likelihood, np.zeros(2), tol=1e-12)
    np.testing.assert_allclose(fit.log_worth, [best.x[0], 0, -best.x[0]], atol=1e-5)
    assert np.log(fit.tie_parameters[2]) == pytest.approx(best.x[1], abs=1e-5)
    assert fit.log_likelihood == pytest.approx(-best.fun)


def test_warnings_name_the_prior_and_few_raters():
    fit = fit_plackett_luce(simulated(1), prior=0.5)
    assert "0.5 wins and 0.5 losses" in fit.warnings[0]
    assert "12 raters" in fit.warnings[1]


def test_differences_have_students_t_over_raters():
    fit = fit_plackett_luce(simulated(1))
    estimate = fit.difference("i0", "i3")
    assert estimate.value == pytest.approx(fit.log_worth[0] - fit.log_worth[3])
    error = np.sqrt(12 / 11 * ((fit.influence[0] - fit.influence[3]) ** 2).sum())
    assert estimate.high - estimate.value == pytest.approx(2.200985160 * error)
    assert (estimate.n, estimate.n_clusters) == (60, 12)
    with pytest.raises(DataError, match="no item 'i9'"):
        fit.difference("i0", "i9")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"place": np.zeros((60, 4), dtype=int)}, "answer 0 has no placed candidate"),
        ({"place": np.ones((60, 3), dtype=int)}, "one shape"),
        ({"candidates": np.full((60, 4), 9)}, "item index out of range"),
        ({"candidates": np.tile([0, -1, -1, -1], (60, 1))}, "fewer than two candidates"),
        ({"candidates": np.tile([0, -1, 1, 2], (60, 1))}, "padding before a candidate"),
        ({"weight": np.full(60, -1.0)}, "negative or not finite"),
        ({"weight": np.zeros(60)}, "positive weight"),
        ({"weight": np.ones(3)}, "one length"),
        ({"rater": np.full(60, 12)}, "rater index"),
        ({"candidates": np.zeros((0, 4), dtype=int)}, r"\[n, width\]"),
    ],
)
def test_broken_arrays_are_refused(change, match):
    data = simulated()
    fields = {name: getattr(data, name) for name in ("candidates", "place", "weight", "rater")}
    with pytest.raises(DataError, match=match):
        fit_plackett_luce(Rankings(**(fields | change), items=data.items, raters=data.raters))


def test_wrong_options_are_refused():
    with pytest.raises(ConfigError, match="prior must be"):
        fit_plackett_luce(simulated(), prior=-0.5)
    tied = [np.r_[np.ones(20), np.arange(2, 22)]]
    with pytest.raises(ConfigError, match="possible choices"):
        fit_plackett_luce(rankings_of(tied, [f"i{k}" for k in range(40)]), prior=0.5)
