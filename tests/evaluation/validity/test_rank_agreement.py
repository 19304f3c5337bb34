import math

import numpy as np
import pytest
from scipy import stats

from auralign.errors import DataError, NotConvergedError
from auralign.evaluation.validity.answers import study_answers
from auralign.evaluation.validity.pair_shares import Units
from auralign.evaluation.validity.rank_agreement import (
    clip_correlation,
    system_correlation,
    system_worths,
)

pytestmark = pytest.mark.slow


def rng():
    return np.random.default_rng(0)


def values_of(answers, of):
    return np.array([of[clip.id] for clip in answers.clips])


def test_clips_that_were_rated_are_correlated_by_their_ranks(simulate):
    study = simulate(protocol="rating", n_systems=6, n_prompts=8)
    answers = study_answers(study.path, rng=rng())
    values = values_of(answers, study.noisy(0.3))
    units = Units.of(answers.system, answers.prompt)
    found = clip_correlation(values, answers, units, rng=rng(), level=0.95)
    expected = stats.spearmanr(values, answers.ratings).statistic
    assert found.value == pytest.approx(expected)
    assert (found.n, found.n_clusters) == (48, 6)
    assert "bootstrap over 6 systems" in found.method


def test_of_votes_the_order_of_presentation_does_not_matter(simulate, of, tmp_path):
    study = simulate(n_systems=6, n_prompts=10)
    answers = study_answers(study.path, rng=rng())
    swapped = [j.swap() for j in answers.judgements]
    of.study(tmp_path / "swapped", study.clips, swapped)
    other = study_answers(tmp_path / "swapped", rng=rng())
    units = Units.of(answers.system, answers.prompt)
    found = [
        clip_correlation(values_of(a, study.noisy(0.3)), a, units, rng=rng(), level=0.95)
        for a in (answers, other)
    ]
    assert found[0] == found[1]
    assert found[0].value > 0.5


def test_systems_are_worth_their_mean_rating_and_their_log_worth(simulate):
    rated = simulate(protocol="rating", n_systems=5, n_prompts=6)
    answers = study_answers(rated.path, rng=rng())
    means = [answers.ratings[answers.system == k].mean() for k in range(5)]
    np.testing.assert_allclose(system_worths(answers), means)
    voted = study_answers(simulate(n_systems=5, n_prompts=60).path, rng=rng())
    # The systems were made from worst to best.
    assert stats.spearmanr(system_worths(voted), np.arange(5)).statistic > 0.8


def test_systems_in_perfect_order_have_the_interval_of_nearly_perfect_ones(simulate):
    answers = study_answers(simulate(protocol="rating", n_systems=7, n_prompts=4).path, rng=rng())
    worths = system_worths(answers)
    found = system_correlation(worths[answers.system], answers, worths, rng=rng(), level=0.95)
    rho = 1 - 6 * 2 / (7 * (7**2 - 1))
    half = 1.959963985 * math.sqrt((1 + rho**2 / 2) / (7 - 3))
    assert found.value == found.high == pytest.approx(1)
    assert found.low == pytest.approx(math.tanh(math.atanh(rho) - half))


def test_ties_between_systems_do_not_make_the_interval_narrow(simulate):
    # Two of five systems differ from the others, in the right order: no resample contradicts it.
    answers = study_answers(simulate(protocol="rating", n_systems=5, n_prompts=4).path, rng=rng())
    worths = np.arange(5.0)
    values = np.array([0.0, 1, 2, 2, 2])[answers.system]
    found = system_correlation(values, answers, worths, rng=rng(), level=0.95)
    assert found.low < 0 < 0.8 < found.value


def test_four_systems_have_no_correlation(simulate):
    answers = study_answers(simulate(n_systems=4).path, rng=rng())
    values = np.arange(len(answers.clips), dtype=float)
    with pytest.raises(DataError, match="4 systems have values: at least 5 are needed"):
        system_correlation(values, answers, system_worths(answers), rng=rng(), level=0.95)


def test_a_constant_has_no_correlation_and_it_is_not_zero(simulate):
    answers = study_answers(simulate(n_systems=6).path, rng=rng())
    units = Units.of(answers.system, answers.prompt)
    with pytest.raises(NotConvergedError, match="says the same of all clips"):
        clip_correlation(np.ones(len(answers.clips)), answers, units, rng=rng(), level=0.95)


def test_votes_on_clips_of_one_system_say_nothing_of_systems(of, tmp_path):
    clips = of.clips(1, 1, rng())
    twin = of.clips(1, 2, rng())[1]
    of.study(tmp_path / "s", [*clips, twin], [of.vote(clips[0], twin, 1, "r")])
    with pytest.raises(NotConvergedError, match="one system"):
        system_worths(study_answers(tmp_path / "s", rng=rng()))
