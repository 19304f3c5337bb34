import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.pairs import fit_bradley_terry, fit_within_blocks
from auralign.types import Comparisons


def comparisons(first, second, outcome, *, items, weight=None, rater=None):
    n = len(first)
    rater = np.arange(n) if rater is None else np.asarray(rater)
    return Comparisons(
        first=np.asarray(first, dtype=np.int64),
        second=np.asarray(second, dtype=np.int64),
        outcome=np.asarray(outcome, dtype=np.float64),
        weight=np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64),
        rater=rater.astype(np.int64),
        cluster=np.zeros(n, dtype=np.int64),
        items=tuple(items),
        raters=tuple(f"r{k}" for k in range(rater.max() + 1)),
    )


def from_wins(wins, items=None):
    """Comparisons from a table of wins of row over column."""
    first, second = np.nonzero(wins)
    names = items or [f"i{k}" for k in range(len(wins))]
    weight = wins[first, second]
    return comparisons(first, second, np.ones(len(first)), items=names, weight=weight)


def table(text):
    return np.array([list(map(float, row.split())) for row in text.split("|")])


# Citations between four journals of statistics (Stigler 1994), wins of row over column.
CITATIONS = table("0 730 498 221 | 33 0 68 17 | 320 813 0 142 | 284 276 325 0")
# Unpleasantness of environmental sounds (Zimmer, Ellermeier & Schmid 2004), 74 listeners.
SOUNDS = table(
    "0 73 61 73 72 73 71 73 72 74 74 45 | 1 0 15 45 31 53 43 67 40 56 64 17 |"
    "13 59 0 69 60 68 60 72 67 72 72 35 | 1 29 5 0 26 48 32 60 35 54 63 11 |"
    "2 43 14 48 0 53 44 70 47 61 64 17 | 1 21 6 26 21 0 26 54 16 52 59 8 |"
    "3 31 14 42 30 48 0 71 31 58 70 11 | 1 7 2 14 4 20 3 0 10 29 46 6 |"
    "2 34 7 39 27 58 43 64 0 68 68 17 | 0 18 2 20 13 22 16 45 6 0 57 3 |"
    "0 10 2 11 10 15 4 28 6 17 0 4 | 29 57 39 63 57 66 63 68 57 71 70 0"
)
# Preference for playback formats, Beethoven (Choisel & Wickelmaier 2007), 117 per pair.
FORMATS = table(
    "0 39 3 5 5 5 5 7 | 78 0 9 7 7 7 14 8 | 114 108 0 51 62 64 70 54 |"
    "112 110 66 0 71 81 77 71 | 112 110 55 46 0 60 66 58 | 112 110 53 36 57 0 65 56 |"
    "112 103 47 40 51 52 0 51 | 110 109 63 46 59 61 66 0"
)
# Chocolate puddings (Davidson 1970): item, item, wins of each, ties.
PUDDINGS = table(
    "1 2 19 22 16|1 3 16 19 12|2 3 19 19 10|1 4 18 23 13|2 4 23 19 9|3 4 19 20 15|1 5 13 19 18|"
    "2 5 16 20 12|3 5 16 15 17|4 5 17 14 16|1 6 18 21 12|2 6 22 20 12|3 6 13 18 10|4 6 14 19 18|"
    "5 6 11 21 12"
)
# Sound fields of a flute (Kousgaard 1984), pairs (8,7) (8,6) .. (2,1): wins, ties, losses.
FLUTE = np.column_stack(
    [
        [(i, j) for i in range(8, 0, -1) for j in range(i - 1, 0, -1)],
        table(
            "1 0 0 2 3 5 5 3 1 2 2 4 3 3 2 3 3 3 1 1 5 4 2 4 1 5 4 2|"
            "3 4 4 1 1 0 0 2 2 2 2 0 1 2 3 2 0 1 4 3 0 1 3 0 2 0 0 1|"
            "1 1 1 2 1 0 0 0 2 1 1 1 1 0 0 0 2 1 0 1 0 0 0 1 2 0 1 2"
        ).T,
    ]
)


def from_ties_table(rows):
    """Comparisons from rows (item, item, wins, losses, ties), items counted from 1."""
    first, second = np.repeat(rows[:, 0] - 1, 3), np.repeat(rows[:, 1] - 1, 3)
    outcome = np.tile([1, 0, 0.5], len(rows))
    items = [f"i{k}" for k in range(int(rows[:, :2].max()))]
    return comparisons(first, second, outcome, items=items, weight=rows[:, 2:].ravel())


def mm(wins, n_steps=5_000):
    """The plain minorisation-maximisation of Hunter (2004), eq. 3, by loops over items."""
    worth = np.ones(len(wins))
    together = wins + wins.T
    for _ in range(n_steps):
        denominator = (together / (worth[:, None] + worth[None, :])).sum(axis=1)
        worth = wins.sum(axis=1) / denominator
        worth /= np.exp(np.log(worth).mean())
    return np.log(worth)


def deviance(wins, fit):
    """Twice the log-likelihood missing to the saturated model of each pair."""
    saturated = 0.0
    for i, j in zip(*np.triu_indices(len(wins), 1), strict=True):
        for won, lost in ((wins[i, j], wins[j, i]), (wins[j, i], wins[i, j])):
            saturated += won * np.log(won / (won + lost)) if won else 0.0
    return 2 * (saturated - fit.log_likelihood)


def reference_errors(wins, log_worth):
    """Standard errors against item 0: the inverse information without its row and column."""
    p = expit(log_worth[:, None] - log_worth[None, :])
    weight = (wins + wins.T) * p * (1 - p)
    return np.sqrt(np.diag(np.linalg.inv((np.diag(weight.sum(1)) - weight)[1:, 1:])))


@pytest.mark.parametrize(
    ("wins", "against_first", "published_deviance"),
    [
        (CITATIONS, "-2.949072 -0.479570 0.268954", 4.293384),
        (
            SOUNDS,
            "-2.870510 -1.305601 -3.302187 -2.670642 -3.779779 -3.016988 -4.881406 -2.902450 "
            "-4.396035 -5.210078 -1.367740",
            84.188,
        ),
        (FORMATS, ".649235 3.223616 3.582678 3.137551 3.041126 2.864291 3.175146", 9.129),
    ],
    ids=["citations", "unpleasant sounds", "playback formats"],
)
def test_published_worths_and_deviance(wins, against_first, published_deviance):
    fit = fit_bradley_terry(from_wins(wins))
    expected = [float(number) for number in against_first.split()]
    np.testing.assert_allclose(fit.log_worth[1:] - fit.log_worth[0], expected, atol=1e-6)
    assert deviance(wins, fit) == pytest.approx(published_deviance, abs=6e-4)
    assert fit.log_worth.sum() == pytest.approx(0, abs=1e-12)
    assert (fit.n, fit.status) == (np.count_nonzero(wins), "maximum likelihood")


@pytest.mark.parametrize(
    ("wins", "published"),
    [
        (CITATIONS, [0.102545, 0.060589, 0.070830]),
        (FORMATS, [0.1507, 0.1643, 0.1667, 0.1638, 0.1633, 0.1624, 0.1640]),
    ],
)
def test_centred_errors_are_the_published_ones_in_another_gauge(wins, published):
    fit = fit_bradley_terry(from_wins(wins))
    np.testing.assert_allclose(reference_errors(wins, fit.log_worth), published, atol=5.1e-5)
    n = len(wins)
    against_first = np.zeros((n, n))
    p = expit(fit.log_worth[:, None] - fit.log_worth[None, :])
    weight = (wins + wins.T) * p * (1 - p)
    against_first[1:, 1:] = np.linalg.inv((np.diag(weight.sum(1)) - weight)[1:, 1:])
    centring = np.eye(n) - 1 / n
    centred = centring @ against_first @ centring
    np.testing.assert_allclose(fit.standard_errors, np.sqrt(np.diag(centred)))


def test_davidson_puddings():
    fit = fit_bradley_terry(from_ties_table(PUDDINGS), ties="davidson")
    worth = np.exp(fit.log_worth) / np.exp(fit.log_worth).sum()
    np.testing.assert_allclose(
        worth, [0.138803, 0.173001, 0.161747, 0.165373, 0.158685, 0.202389], atol=5.1e-7
    )
    assert fit.nu == pytest.approx(0.746823, abs=5.1e-7)


def test_davidson_flute_sound_fields_halved_are_kousgaards_published_scale():
    fit = fit_bradley_terry(from_ties_table(FLUTE), ties="davidson")
    np.testing.assert_allclose(
        fit.log_worth / 2,
        [-0.581, -1.039, 0.347, 0.205, 0.276, 0.347, 0.311, 0.135],
        atol=6e-4,
    )
    assert fit.nu == pytest.approx(0.455287, abs=1e-6)


def test_half_win_flute_sound_fields():
    fit = fit_bradley_terry(from_ties_table(FLUTE), ties="half")
    expected = ".931745 1.647339 -.553460 -.325195 -.438662 -.553460 -.495855 -.212451"
    np.testing.assert_allclose(fit.log_worth, [-float(x) for x in expected.split()], atol=1e-6)
    assert fit.nu is None
    assert "ties count half" in fit.warnings[0]


def test_two_items_have_closed_forms():
    wins = np.array([[0, 6], [2, 0]])
    fit = fit_bradley_terry(from_wins(wins))
    assert np.ptp(fit.log_worth) == pytest.approx(np.log(6 / 2))
    tied = fit_bradley_terry(from_ties_table(np.array([[1, 2, 6, 2, 2]])), ties="davidson")
    assert np.ptp(tied.log_worth) == pytest.approx(np.log(6 / 2))
    assert tied.nu == pytest.approx(2 / np.sqrt(6 * 2))
    # Rao & Kupper: logit P(i wins) = d - log eta, and logit P(j wins) = -d - log eta.
    margin = fit_bradley_terry(from_ties_table(np.array([[1, 2, 6, 2, 2]])), ties="rao_kupper")
    wins, losses = np.log(0.6 / 0.4), np.log(0.2 / 0.8)
    assert np.ptp(margin.log_worth) == pytest.approx((wins - losses) / 2)
    assert np.ptp(margin.log_worth) == pytest.approx(0.895880, abs=1e-6)
    assert margin.threshold == pytest.approx(-(wins + losses) / 2)
    assert margin.threshold == pytest.approx(0.490415, abs=1e-6)


@pytest.mark.parametrize("wins", [CITATIONS, SOUNDS, FORMATS])
def test_newton_equals_plain_mm(wins):
    np.testing.assert_allclose(fit_bradley_terry(from_wins(wins)).log_worth, mm(wins), atol=1e-8)


def simulated(seed, n_items=6, n_rows=120, p_tie=0.2):
    generator = np.random.default_rng(seed)
    first = generator.integers(n_items, size=n_rows)
    second = (first + generator.integers(1, n_items, size=n_rows)) % n_items
    log_worth = generator.normal(size=n_items)
    outcome = (generator.random(n_rows) < expit(log_worth[first] - log_worth[second])) * 1.0
    outcome[generator.random(n_rows) < p_tie] = 0.5
    rater = generator.integers(8, size=n_rows)
    return comparisons(first, second, outcome, items="abcdef"[:n_items], rater=rater)


seeds = st.integers(0, 10_000)
ties = st.sampled_from(["half", "davidson", "rao_kupper"])


@settings(max_examples=40)
@given(seeds, ties)
def test_swapping_sides_changes_nothing(seed, how):
    c = simulated(seed)
    swapped = comparisons(c.second, c.first, 1 - c.outcome, items=c.items, rater=c.rater)
    straight, mirrored = (fit_bradley_terry(x, ties=how, prior=0.1) for x in (c, swapped))
    np.testing.assert_allclose(mirrored.log_worth, straight.log_worth, atol=1e-8)
    np.testing.assert_allclose(mirrored.influence, straight.influence, atol=1e-8)


@settings(max_examples=40)
@given(seeds, ties)
def test_reversing_all_outcomes_mirrors_the_worths(seed, how):
    c = simulated(seed)
    reversed_ = comparisons(c.first, c.second, 1 - c.outcome, items=c.items, rater=c.rater)
    straight, mirrored = (fit_bradley_terry(x, ties=how, prior=0.1) for x in (c, reversed_))
    np.testing.assert_allclose(mirrored.log_worth, -straight.log_worth, atol=1e-8)


@settings(max_examples=40)
@given(seeds, ties, st.permutations(range(6)))
def test_relabelling_items_only_relabels_the_fit(seed, how, order):
    c = simulated(seed)
    place = np.array(order)
    relabelled = comparisons(
        place[c.first], place[c.second], c.outcome, items="uvwxyz", rater=c.rater
    )
    straight, moved = (fit_bradley_terry(x, ties=how, prior=0.1) for x in (c, relabelled))
    np.testing.assert_allclose(moved.log_worth[place], straight.log_worth, atol=1e-8)
    np.testing.assert_allclose(moved.standard_errors[place], straight.standard_errors)


@pytest.mark.parametrize("how", ["half", "davidson", "rao_kupper"])
def test_doubling_weights_keeps_the_estimate_and_shrinks_only_the_information_errors(how):
    c = simulated(1)
    doubled = comparisons(
        c.first, c.second, c.outcome, items=c.items, rater=c.rater, weight=2 * c.weight
    )
    once, twice = (fit_bradley_terry(x, ties=how) for x in (c, doubled))
    np.testing.assert_allclose(twice.log_worth, once.log_worth, atol=1e-8)
    np.testing.assert_allclose(twice.standard_errors, once.standard_errors / np.sqrt(2))
    np.testing.assert_allclose(
        twice.clustered_standard_errors, once.clustered_standard_errors, rtol=1e-6
    )


def test_weight_two_is_the_row_written_twice():
    c = simulated(2)
    weighted = comparisons(
        c.first, c.second, c.outcome, items=c.items, rater=c.rater, weight=1 + (c.rater == 0)
    )
    rows = np.repeat(np.arange(120), 1 + (c.rater == 0))
    repeated = comparisons(
        c.first[rows], c.second[rows], c.outcome[rows], items=c.items, rater=c.rater[rows]
    )
    a, b = fit_bradley_terry(weighted), fit_bradley_terry(repeated)
    np.testing.assert_allclose(a.log_worth, b.log_worth, atol=1e-8)
    np.testing.assert_allclose(a.clustered_standard_errors, b.clustered_standard_errors)


@pytest.mark.parametrize("how", ["half", "davidson", "rao_kupper"])
def test_influence_of_a_rater_is_the_derivative_by_her_weight(how):
    c = simulated(3)
    step = 1e-4

    def fitted(shift):
        weight = 1 + shift * (c.rater == 5)
        x = comparisons(c.first, c.second, c.outcome, items=c.items, rater=c.rater, weight=weight)
        return fit_bradley_terry(x, ties=how).log_worth

    slope = (fitted(step) - fitted(-step)) / (2 * step)
    np.testing.assert_allclose(fit_bradley_terry(c, ties=how).influence[:, 5], slope, atol=1e-6)


def test_clustered_errors_grow_when_raters_copy_their_answers_and_the_others_do_not():
    c = simulated(4, n_rows=400, p_tie=0)
    rows = np.tile(np.arange(400), 4)
    copied = comparisons(c.first[rows], c.second[rows], c.outcome[rows], items=c.items, rater=rows)
    alone = comparisons(c.first, c.second, c.outcome, items=c.items)
    once, copies = fit_bradley_terry(alone), fit_bradley_terry(copied)
    np.testing.assert_allclose(copies.standard_errors, once.standard_errors / 2)
    np.testing.assert_allclose(
        copies.clustered_standard_errors, once.clustered_standard_errors, rtol=1e-6
    )


def test_differences_cover_the_truth_for_ties_that_count_half():
    """Ties at random: half-wins are consistent for equal items, and the sandwich holds."""
    generator, covered = np.random.default_rng(9), 0
    for _ in range(200):
        first, second = np.tile([[0, 1], [0, 2], [1, 2]], (60, 1)).T
        outcome = generator.choice([0, 0.5, 1], 180, p=[0.3, 0.4, 0.3])
        fit = fit_bradley_terry(comparisons(first, second, outcome, items="abc"))
        e = fit.difference("a", "b")
        covered += e.low <= 0 <= e.high
    assert 0.91 <= covered / 200 <= 0.99


def test_difference_is_antisymmetric_and_free_of_the_gauge():
    fit = fit_bradley_terry(simulated(5))
    forth, back = fit.difference("a", "b"), fit.difference("b", "a")
    assert forth.value == pytest.approx(fit.log_worth[0] - fit.log_worth[1])
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low))
    with pytest.raises(DataError, match="no item 'z'"):
        fit.difference("a", "z")


def test_elo_puts_four_hundred_points_on_odds_of_ten():
    fit = fit_bradley_terry(from_wins(np.array([[0, 10], [1, 0]])))
    assert np.ptp(fit.elo) == pytest.approx(400)
    assert fit.elo.mean() == pytest.approx(1000)


CHAIN_WITH_UNBEATEN = np.array([[0, 2, 1, 0], [0, 0, 3, 1], [0, 2, 0, 1], [0, 2, 2, 0]])


def test_an_unbeaten_item_has_no_finite_worth_without_a_prior():
    with pytest.raises(NotConvergedError, match="'best' never loses"):
        fit_bradley_terry(from_wins(CHAIN_WITH_UNBEATEN, ["best", "b", "c", "d"]))
    with pytest.raises(NotConvergedError, match="'worst' never wins"):
        fit_bradley_terry(from_wins(CHAIN_WITH_UNBEATEN.T, ["worst", "b", "c", "d"]))


def test_a_group_that_never_loses_is_named():
    wins = np.array([[0, 1, 2, 0], [1, 0, 0, 1], [0, 0, 0, 1], [0, 0, 1, 0]])
    with pytest.raises(
        NotConvergedError, match="'a', 'b' never lose to others; 'c', 'd' never win"
    ):
        fit_bradley_terry(from_wins(wins, ["a", "b", "c", "d"]))


def test_a_tie_keeps_an_otherwise_unbeaten_item_finite():
    first, second, outcome = [0, 0, 1], [1, 1, 0], [1, 0.5, 0]
    fit = fit_bradley_terry(comparisons(first, second, outcome, items="ab"))
    assert np.ptp(fit.log_worth) == pytest.approx(np.log(2.5 / 0.5))


def test_items_that_were_never_compared_are_listed_by_component():
    wins = np.array([[0, 3, 0, 0], [2, 0, 0, 0], [0, 0, 0, 9], [0, 0, 1, 0]])
    with pytest.raises(NotConvergedError, match=r"2 components.*'a', 'b' \| 'c', 'd'"):
        fit_bradley_terry(from_wins(wins, ["a", "b", "c", "d"]))


def test_a_prior_makes_an_unbeaten_item_finite_and_says_so():
    fit = fit_bradley_terry(from_wins(CHAIN_WITH_UNBEATEN, "abcd"), prior=0.5)
    assert fit.log_worth.argmax() == 0
    assert fit.status == "regularised"
    assert "0.5 wins and 0.5 losses of each item against a ghost item" in fit.warnings[0]


def test_a_prior_is_a_ghost_item_written_out():
    wins, prior = CHAIN_WITH_UNBEATEN, 0.7
    with_ghost = np.full((5, 5), prior)
    with_ghost[:4, :4] = wins
    with_ghost[4, 4] = 0
    by_hand = mm(with_ghost)[:4]
    fit = fit_bradley_terry(from_wins(wins), prior=prior)
    np.testing.assert_allclose(fit.log_worth, by_hand - by_hand.mean(), atol=1e-8)


def test_errors_under_a_prior_are_those_of_the_ghost_model_centred_on_the_real_items():
    wins = np.full((5, 5), 0.7)
    wins[:4, :4] = CHAIN_WITH_UNBEATEN
    log_worth = mm(wins)
    p = expit(log_worth[:, None] - log_worth[None, :])
    weight = (wins + wins.T) * p * (1 - p)
    weight[4, 4] = 0
    covariance = np.linalg.pinv(np.diag(weight.sum(1)) - weight)
    centring = np.eye(4, 5) - np.append(np.full((4, 4), 1 / 4), np.zeros((4, 1)), axis=1)
    expected = np.sqrt(np.diag(centring @ covariance @ centring.T))
    fit = fit_bradley_terry(from_wins(CHAIN_WITH_UNBEATEN), prior=0.7)
    np.testing.assert_allclose(fit.standard_errors, expected, rtol=1e-6)


def test_a_prior_across_components_is_warned_about():
    wins = np.array([[0, 3, 0, 0], [2, 0, 0, 0], [0, 0, 0, 9], [0, 0, 1, 0]])
    fit = fit_bradley_terry(from_wins(wins), prior=0.5)
    assert any("2 components; only the prior relates them" in w for w in fit.warnings)


def blocks_of_clips(n_blocks, seed=0, size=5):
    """A round robin of `size` clips in each block, each pair judged six times."""
    generator = np.random.default_rng(seed)
    i, j = np.triu_indices(size, 1)
    offset = size * np.arange(n_blocks)[:, None]
    first, second = (np.tile((offset + side).ravel(), 6) for side in (i, j))
    log_worth = generator.normal(size=size * n_blocks)
    outcome = generator.random(len(first)) < expit(log_worth[first] - log_worth[second])
    items = [f"clip{k:05d}" for k in range(size * n_blocks)]
    rater = np.repeat(np.arange(6), len(i) * n_blocks)
    block_of = {item: f"prompt{k // size}" for k, item in enumerate(items)}
    return comparisons(first, second, outcome, items=items, rater=rater), block_of


@pytest.mark.parametrize("prior", [0.0, 0.5])
def test_blocks_are_fitted_as_if_each_were_alone(prior):
    wins = np.zeros((7, 7))
    wins[:4, :4], wins[4:, 4:] = CITATIONS, FORMATS[2:5, 2:5]
    names = ["a1", "a2", "a3", "a4", "b1", "b2", "b3"]
    together = fit_within_blocks(
        from_wins(wins, names), {name: name[0] for name in names}, prior=prior
    )
    for part in (slice(0, 4), slice(4, 7)):
        alone = fit_bradley_terry(from_wins(wins[part, part]), prior=prior)
        np.testing.assert_allclose(together.log_worth[part], alone.log_worth, atol=1e-9)
        np.testing.assert_allclose(together.standard_errors[part], alone.standard_errors)


def test_thousands_of_clips_in_blocks_sum_to_zero_in_each():
    c, block_of = blocks_of_clips(600)
    fit = fit_within_blocks(c, block_of, prior=0.5)
    np.testing.assert_allclose(fit.log_worth.reshape(600, 5).sum(axis=1), 0, atol=1e-9)
    assert fit.influence.shape == (3000, 6)
    assert np.isfinite(fit.standard_errors).all()


def test_a_block_without_a_finite_maximum_is_refused_by_item():
    c, block_of = blocks_of_clips(2, seed=1)
    outcome = np.where(c.first == 5, 1.0, c.outcome)
    unbeaten = comparisons(c.first, c.second, outcome, items=c.items, rater=c.rater)
    with pytest.raises(NotConvergedError, match="'clip00005' never loses"):
        fit_within_blocks(unbeaten, block_of)


def test_comparisons_across_blocks_and_items_without_a_block_are_refused():
    c = from_wins(np.array([[0, 1], [1, 0]]), ["a", "b"])
    with pytest.raises(DataError, match="2 comparisons join two blocks, such as 'a' with 'b'"):
        fit_within_blocks(c, {"a": "p1", "b": "p2"})
    with pytest.raises(DataError, match="none for 'b'"):
        fit_within_blocks(c, {"a": "p1"})


def test_worths_of_different_blocks_are_not_compared():
    c, block_of = blocks_of_clips(2)
    fit = fit_within_blocks(c, block_of, prior=0.5)
    assert fit.difference("clip00000", "clip00001").n_clusters == 6
    with pytest.raises(DataError, match="'clip00000' and 'clip00009' are in different blocks"):
        fit.difference("clip00000", "clip00009")


def test_davidson_without_ties_is_bradley_terry_and_with_only_ties_does_not_exist():
    fit = fit_bradley_terry(from_wins(CITATIONS), ties="davidson")
    np.testing.assert_allclose(fit.log_worth, fit_bradley_terry(from_wins(CITATIONS)).log_worth)
    assert fit.nu == 0
    assert fit_bradley_terry(from_wins(CITATIONS), ties="rao_kupper").threshold == 0
    with pytest.raises(NotConvergedError, match="all comparisons are ties"):
        fit_bradley_terry(comparisons([0], [1], [0.5], items="ab"), ties="davidson")


def test_one_rater_has_no_clustered_errors():
    wins = from_wins(CITATIONS)
    one = comparisons(
        wins.first, wins.second, wins.outcome, items=wins.items, rater=np.zeros(12, int)
    )
    fit = fit_bradley_terry(one)
    assert np.isnan(fit.clustered_standard_errors).all()
    assert any("one rater" in warning for warning in fit.warnings)
    with pytest.raises(NotConvergedError, match="at least 2 raters"):
        fit.difference("i0", "i1")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"second": np.array([0, 0])}, "comparison 0 has an item compared with itself"),
        ({"first": np.array([0, 7])}, "comparison 1 has an item index out of range"),
        ({"outcome": np.array([1, 0.3])}, "comparison 1 has an outcome that is not 1, 0 or 0.5"),
        ({"weight": np.array([1, -1.0])}, "comparison 1 has a weight that is negative"),
        ({"weight": np.zeros(2)}, "positive weight, got none"),
        ({"rater": np.array([0, 0, 0])}, "must have one length"),
    ],
)
def test_broken_arrays_are_refused(changed, message):
    sound = {"first": [0, 0], "second": [1, 1], "outcome": [1, 0]}
    broken = comparisons(**sound, items="ab")
    for name, values in changed.items():
        object.__setattr__(broken, name, values)
    with pytest.raises(DataError, match=message):
        fit_bradley_terry(broken)


def test_unknown_options_are_refused():
    c = from_wins(CITATIONS)
    with pytest.raises(ConfigError, match="did you mean 'davidson'"):
        fit_bradley_terry(c, ties="davidsen")
    with pytest.raises(ConfigError, match="prior must be a finite number of wins, 0 or more"):
        fit_bradley_terry(c, prior=-1)
    with pytest.raises(ConfigError, match="ridge_sd must be positive and finite, got 0"):
        fit_bradley_terry(c, ridge_sd=0)
    with pytest.raises(ConfigError, match="pass prior or ridge_sd, not both"):
        fit_bradley_terry(c, prior=0.5, ridge_sd=1.0)
