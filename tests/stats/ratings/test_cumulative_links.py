"""Category probabilities: the definition, and derivatives by finite differences."""

import numpy as np
import pytest
from scipy import special

from auralign.stats.ratings.cumulative_links import CumulativeLink, logit, probit

H = 1e-6
LINKS = pytest.mark.parametrize(
    ("link", "cdf"), [(logit, special.expit), (probit, special.ndtr)], ids=["logit", "probit"]
)


@LINKS
def test_the_probability_is_the_difference_of_two_distribution_values(
    link: CumulativeLink, cdf: np.ufunc
) -> None:
    cuts = np.array([-1e3, -2.0, 0.3, 1.1, 1e3])
    found = np.exp(link(cuts[:-1], cuts[1:]).log_p)
    np.testing.assert_allclose(found, np.diff(cdf(cuts)), atol=1e-14)
    assert found.sum() == pytest.approx(1)


@LINKS
def test_all_derivatives_are_those_of_finite_differences(
    link: CumulativeLink, cdf: np.ufunc
) -> None:
    a = np.array([-1e3, -2.0, -0.5, 0.2, 1.5, 2.0])
    b = np.array([-1.0, -0.5, 0.4, 1.4, 2.5, 1e3])
    here = link(a, b)
    moves = {"eta": (-H, -H), "a": (H, 0.0), "b": (0.0, H)}
    for by, (to_a, to_b) in moves.items():
        up, down = link(a + to_a, b + to_b), link(a - to_a, b - to_b)
        for name in ("log_p", "eta", "weight"):
            slope = (getattr(up, name) - getattr(down, name)) / (2 * H)
            exact = {
                "log_p": getattr(here, by),
                "eta": -here.weight if by == "eta" else getattr(here, f"eta_{by}", None),
                "weight": getattr(here, f"weight_{by}"),
            }[name]
            np.testing.assert_allclose(exact, slope, atol=2e-6)


def test_far_tails_stay_finite() -> None:
    for link in (logit, probit):
        terms = link(np.array([30.0, -40.0, 900.0]), np.array([31.0, -39.0, 950.0]))
        assert all(np.isfinite(values).all() for values in vars(terms).values())
