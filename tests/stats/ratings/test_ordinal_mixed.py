"""The ordinal mixed model: slow twins of its likelihood, derivatives, recovery, a peer."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, special

from auralign.errors import ConfigError, DataError
from auralign.stats.ratings.cumulative_links import CumulativeLink, logit, probit
from auralign.stats.ratings.ordinal_likelihood import OrdinalModel, laplace
from auralign.stats.ratings.ordinal_mixed import fit_ordinal_mixed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
THRESHOLD = np.array([-2.0, -0.5, 0.8, 2.2])
LINKS = {"logit": logit, "probit": probit}
CDF = {"logit": special.expit, "probit": special.ndtr}


def simulated(
    seed: int, link: str = "logit", n_items: int = 40, n_raters: int = 20, rater_sd: float = 0.8
) -> tuple[Floats, Floats, list[str], list[str], Ints]:
    """Effects of items and raters, and rows of item, rater and rating from 1 to 5."""
    rng = np.random.default_rng(seed)
    of_item, of_rater = rng.normal(0, 1.5, n_items), rng.normal(0, rater_sd, n_raters)
    i, r = np.nonzero(rng.random((n_items, n_raters)) < 0.7)
    noise = rng.logistic(size=len(i)) if link == "logit" else rng.normal(size=len(i))
    rating = 1 + ((of_item[i] + of_rater[r] + noise)[:, None] > THRESHOLD).sum(axis=1)
    return of_item, of_rater, [f"i{k:03}" for k in i], [f"r{k:03}" for k in r], rating


def tiny(link: CumulativeLink) -> OrdinalModel:
    item, rater = np.array([0, 0, 1, 1, 1, 0]), np.array([0, 1, 0, 1, 1, 1])
    return OrdinalModel(item, rater, np.array([0, 1, 2, 1, 2, 0]), 2, 2, 3, link, False)


TINY_PARAMETERS = np.array([-0.6, 0.3, np.log(0.7), np.log(0.5)])  # thresholds -0.6, 0.75


def joint(effects: Floats, link: str) -> Floats:
    """log p(ratings, effects) of the tiny problem for effects `[4, ...]`, by its definition."""
    model, cdf = tiny(LINKS[link]), CDF[link]
    cuts = [-np.inf, -0.6, -0.6 + np.exp(0.3), np.inf]
    sd = np.array([0.7, 0.7, 0.5, 0.5])
    total = sum(
        -(effects[k] ** 2) / (2 * sd[k] ** 2) - np.log(sd[k] * np.sqrt(2 * np.pi)) for k in range(4)
    )
    for i, r, c in zip(model.item, model.rater, model.category, strict=True):
        eta = effects[i] + effects[2 + r]
        total = total + np.log(cdf(cuts[c + 1] - eta) - cdf(cuts[c] - eta))
    return np.asarray(total)


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_the_laplace_likelihood_is_its_definition(link: str) -> None:
    mode = optimize.minimize(lambda u: -joint(u, link), np.zeros(4), tol=1e-10).x
    h, eye = 1e-4, np.eye(4)
    curvature = np.array(
        [
            [
                sum(
                    s * t * joint(mode + h * (s * eye[a] + t * eye[b]), link)
                    for s, t in itertools.product((1, -1), repeat=2)
                )
                / (4 * h * h)
                for a in range(4)
            ]
            for b in range(4)
        ]
    )
    expected = joint(mode, link) + 2 * np.log(2 * np.pi)
    expected -= np.linalg.slogdet(-curvature)[1] / 2
    found, _ = laplace(tiny(LINKS[link]), TINY_PARAMETERS)
    assert found == pytest.approx(float(expected), abs=1e-5)


def test_the_laplace_likelihood_is_near_that_of_numeric_integration() -> None:
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    sd = [0.7, 0.7, 0.5, 0.5]
    grid = np.array(np.meshgrid(*(s * nodes for s in sd), indexing="ij")).reshape(4, -1)
    weight = np.prod(np.meshgrid(*[weights / np.sqrt(2 * np.pi)] * 4, indexing="ij"), axis=0)
    prior = sum(
        -(grid[k] ** 2) / (2 * sd[k] ** 2) - np.log(sd[k] * np.sqrt(2 * np.pi)) for k in range(4)
    )
    exact = np.log((weight.ravel() * np.exp(joint(grid, "logit") - prior)).sum())
    found, _ = laplace(tiny(logit), TINY_PARAMETERS)
    assert found == pytest.approx(exact, abs=0.03)


@pytest.mark.parametrize("link", ["logit", "probit"])
@pytest.mark.parametrize("fixed", [True, False])
def test_the_gradient_is_that_of_finite_differences(link: str, fixed: bool) -> None:
    *_, item, rater, rating = simulated(0, link, 8, 5)
    codes = [np.unique(labels, return_inverse=True)[1] for labels in (item, rater, rating)]
    model = OrdinalModel(*codes, 8, 5, 5, LINKS[link], fixed)
    at = np.array([-1.5, 0.2, 0.1, 0.4, -0.3])
    at = at if fixed else np.append(at, 0.2)
    numeric = [
        (laplace(model, at + h)[0] - laplace(model, at - h)[0]) / 2e-5
        for h in 1e-5 * np.eye(len(at))
    ]
    np.testing.assert_allclose(laplace(model, at)[1], numeric, atol=1e-5)


@pytest.mark.parametrize("link", ["logit", "probit"])
@pytest.mark.parametrize("items", ["random", "fixed"])
def test_effects_thresholds_and_deviations_are_recovered(link: str, items: str) -> None:
    of_item, of_rater, item, rater, rating = simulated(1, link)
    fit = fit_ordinal_mixed(item, rater, rating, link=link, items=items)  # type: ignore[arg-type]
    standardised = (fit.item_effect - of_item + of_item.mean()) / fit.item_errors
    assert 0.7 < standardised.std() < 1.4
    assert np.corrcoef(fit.rater_effect, of_rater)[0, 1] > 0.85
    assert (np.diff(fit.threshold) > 0).all()
    shift = of_item.mean() + of_rater.mean() if items == "fixed" else 0.0
    assert np.abs((fit.threshold + shift - THRESHOLD) / fit.threshold_errors).max() < 3.5
    assert abs(fit.rater_sd - of_rater.std()) < 3 * fit.rater_sd_error
    if items == "random":
        assert fit.item_sd == pytest.approx(of_item.std(), abs=3 * fit.item_sd_error)
        by_item = [np.mean(rating[np.array(item) == name]) for name in fit.items]
        assert np.corrcoef(fit.expected_rating, by_item)[0, 1] > 0.98


def test_without_rater_differences_fixed_items_are_those_of_statsmodels() -> None:
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    *_, item, rater, rating = simulated(2, n_items=5, n_raters=60, rater_sd=0.0)
    fit = fit_ordinal_mixed(item, rater, rating, items="fixed")
    dummies = (np.array(item)[:, None] == np.array(fit.items[1:])).astype(float)
    peer = OrderedModel(rating, dummies, distr="logit").fit(method="bfgs", disp=False)
    assert fit.rater_sd < 0.2
    found = fit.item_effect[1:] - fit.item_effect[0]
    np.testing.assert_allclose(found, peer.params[:4], atol=0.03)
    gap = fit.difference("i001", "i000")
    assert (gap.high - gap.low) / (2 * 1.959964) == pytest.approx(peer.bse[0], rel=0.02)


def test_reversing_the_scale_reverses_the_effects() -> None:
    *_, item, rater, rating = simulated(3, n_items=12, n_raters=10)
    one, other = (fit_ordinal_mixed(item, rater, values) for values in (rating, -rating))
    np.testing.assert_allclose(one.item_effect, -other.item_effect, atol=1e-3)
    np.testing.assert_allclose(one.threshold, -other.threshold[::-1], atol=1e-3)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-6)


def test_only_the_order_of_the_categories_counts_for_the_effects() -> None:
    *_, item, rater, rating = simulated(4, n_items=12, n_raters=10)
    one, other = (fit_ordinal_mixed(item, rater, values) for values in (rating, rating**3))
    np.testing.assert_allclose(one.item_effect, other.item_effect, atol=1e-12)


def test_items_at_one_end_and_equal_raters_are_pointed_out() -> None:
    *_, item, rater, rating = simulated(5, n_items=8, n_raters=12, rater_sd=0.0)
    rating = np.where(np.array(item) == "i000", 5, rating)
    fit = fit_ordinal_mixed(item, rater, rating, items="fixed")
    assert any("1 items got only the lowest or only the highest" in w for w in fit.warnings)
    assert np.isfinite(fit.item_effect).all()


def test_bad_input_is_refused() -> None:
    item, rater = list("aabb"), list("xyxy")
    with pytest.raises(DataError, match="got 4 items, 4 raters and ratings of shape"):
        fit_ordinal_mixed(item, rater, [1, 2])
    with pytest.raises(DataError, match="got nan in row 2"):
        fit_ordinal_mixed(item, rater, [1, 2, np.nan, 3])
    with pytest.raises(DataError, match="all ratings are equal"):
        fit_ordinal_mixed(item, rater, [3, 3, 3, 3])
    with pytest.raises(DataError, match="at least 2 items and 2 raters, got 1 and 4"):
        fit_ordinal_mixed(list("aaaa"), list("wxyz"), [1, 2, 3, 2])
    with pytest.raises(ConfigError, match="link must be one of logit, probit"):
        fit_ordinal_mixed(item, rater, [1, 2, 3, 2], link="cloglog")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="items must be one of"):
        fit_ordinal_mixed(item, rater, [1, 2, 3, 2], items="none")  # type: ignore[arg-type]
