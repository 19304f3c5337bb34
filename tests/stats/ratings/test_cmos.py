from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from auralign.errors import DataError
from auralign.stats.ratings import analyse_cmos

SYSTEMS = {f"{s}{p}": name for s, name in (("n", "new"), ("o", "old")) for p in range(8)}
ASKED = {"system": "new", "reference": "old"}


def rng():
    return np.random.default_rng(5)


@pytest.fixture
def make(pair):
    """Answers from scores of new over old, `[rater, prompt]`, every second one swapped."""

    def of(scores, swap=lambda r, p: (r + p) % 2):
        judgements = []
        for (r, p), score in np.ndenumerate(np.asarray(scores)):
            outcome = "TIE" if score == 0 else "A" if score > 0 else "B"
            answer = replace(
                pair(f"n{p}", f"o{p}", outcome, rater=f"r{r}", prompt=f"p{p}"),
                strength=abs(int(score)) or None,
            )
            judgements.append(answer.swap() if swap(r, p) else answer)
        return judgements

    return of


SCORES = np.array([[2, 1, 0, 3], [1, -1, 0, 2], [0, 1, 1, -2], [3, 2, 1, 0], [1, 1, 0, 0]])


def test_scores_are_about_the_system_whatever_the_order(make):
    result = analyse_cmos(make(SCORES), "overall", SYSTEMS, **ASKED, rng=rng())
    assert result.cmos.value == pytest.approx(SCORES.mean())
    assert result.scores == {step: int((step == SCORES).sum()) for step in range(-3, 4)}
    straight = analyse_cmos(
        make(SCORES, swap=lambda r, p: False), "overall", SYSTEMS, **ASKED, rng=rng()
    )
    assert straight.cmos == result.cmos
    assert "positive favours 'new'" in result.cmos.method


def test_the_systems_change_places_with_the_sign(make):
    forth = analyse_cmos(make(SCORES), "overall", SYSTEMS, **ASKED, rng=rng())
    back = analyse_cmos(make(SCORES), "overall", SYSTEMS, system="old", reference="new", rng=rng())
    assert (back.cmos.value, back.cmos.low) == pytest.approx((-forth.cmos.value, -forth.cmos.high))
    assert back.wilcoxon.p_value == pytest.approx(forth.wilcoxon.p_value)
    assert back.order_effect.value == pytest.approx(forth.order_effect.value)


def test_the_tests_are_on_raters(make):
    result = analyse_cmos(make(SCORES), "overall", SYSTEMS, **ASKED, rng=rng())
    means = SCORES.mean(axis=1)
    # The rater whose scores cancel out has a zero, which is left out.
    assert result.wilcoxon.n == 4
    assert result.wilcoxon.p_value == pytest.approx(stats.wilcoxon(means).pvalue)
    # Sums 6, 2, 0, 6, 2 and a flip of all signs: every rater who leans, leans to the new one.
    assert result.sign_flip.p_value == 4 / 32


def test_the_effect_of_order_is_found_beside_that_of_the_system(make):
    """Half a step for the clip presented first, one and a half for the new system."""
    generator = np.random.default_rng(2)
    first = np.add.outer(np.arange(30), np.arange(8)) % 2 == 0
    latent = 1.0 + np.where(first, 0.5, -0.5) + generator.normal(0, 0.6, (30, 8))
    scores = np.clip(np.rint(latent), -3, 3)
    result = analyse_cmos(make(scores), "overall", SYSTEMS, **ASKED, rng=rng())
    assert result.cmos.low < 1.0 < result.cmos.high
    assert result.order_effect.low < 0.5 < result.order_effect.high
    expected = (scores[first].mean() - scores[~first].mean()) / 2
    assert result.order_effect.value == pytest.approx(expected)


def test_one_order_only_has_no_order_effect_and_a_warning(make):
    result = analyse_cmos(
        make(SCORES, swap=lambda r, p: False), "overall", SYSTEMS, **ASKED, rng=rng()
    )
    assert result.order_effect is None
    assert "presented first in 100% of the answers" in result.warnings[0]


def test_zeros_only_have_no_test(make):
    result = analyse_cmos(make(np.zeros((3, 4))), "overall", SYSTEMS, **ASKED, rng=rng())
    assert (result.cmos.value, result.wilcoxon, result.sign_flip) == (0, None, None)
    assert "all scores are 0" in result.warnings[0]


def test_bad_input_is_named(make, pair):
    with pytest.raises(DataError, match="no answer on 'overall' compares 'new' with 'gone'"):
        analyse_cmos(make(SCORES), "overall", SYSTEMS, system="new", reference="gone", rng=rng())
    with pytest.raises(DataError, match=r"trial 'p1:n0-o0' by 'ann'.*from 1 to 3, got None"):
        analyse_cmos([pair("n0", "o0", "A")], "overall", SYSTEMS, **ASKED, rng=rng())
    with pytest.raises(DataError, match="from 1 to 2, got 3"):
        analyse_cmos(make(SCORES), "overall", SYSTEMS, **ASKED, rng=rng(), largest=2)
