import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from auralign.signals.recognisers.gaussian_mixtures import MIN_FRAMES, Mixtures


def frames_of_two_states(n: int = 400, seed: int = 0):
    rng = np.random.default_rng(seed)
    states = np.repeat([0, 1], n // 2)
    frames = rng.standard_normal((n, 3)) + states[:, None] * [4.0, 0.0, -4.0]
    return frames.astype(np.float32), states


def mixtures(seed: int = 0) -> Mixtures:
    frames, states = frames_of_two_states()
    rng = np.random.default_rng(seed)
    return Mixtures.single(frames, states, 2).split(rng).refit(frames, states)


def test_the_density_is_the_weighted_sum_of_normal_densities():
    model, (frames, _) = mixtures(), frames_of_two_states(20, seed=1)
    slow = [
        [
            logsumexp(
                [
                    model.log_weights[c, s]
                    + norm.logpdf(x, model.means[c, s], np.sqrt(model.variances[c, s])).sum()
                    for c in range(2)
                ]
            )
            for s in range(2)
        ]
        for x in frames.astype(float)
    ]
    np.testing.assert_allclose(model.log_likelihood(frames), slow, rtol=1e-4, atol=1e-3)


def test_a_single_gaussian_has_the_mean_and_variance_of_its_frames():
    frames, states = frames_of_two_states()
    model = Mixtures.single(frames, states, 2)
    for state in (0, 1):
        own = frames[states == state]
        np.testing.assert_allclose(model.means[0, state], own.mean(axis=0), atol=1e-4)
        np.testing.assert_allclose(model.variances[0, state], own.var(axis=0), rtol=1e-3)


def test_each_refit_makes_the_frames_likelier():
    frames, states = frames_of_two_states()
    model = Mixtures.single(frames, states, 2).split(np.random.default_rng(0))
    totals = []
    for _ in range(6):
        totals.append(model.log_likelihood(frames)[np.arange(len(frames)), states].sum())
        model = model.refit(frames, states)
    # The weights are smoothed by one frame each, hence the small allowance.
    assert (np.diff(totals) > -0.05).all()
    assert totals[-1] > totals[0]


def test_two_components_find_two_clusters():
    rng = np.random.default_rng(0)
    clusters = np.concatenate([rng.normal(-3, 0.5, (300, 1)), rng.normal(3, 0.5, (100, 1))])
    frames, states = clusters.astype(np.float32), np.zeros(400, dtype=np.int64)
    model = Mixtures.single(frames, states, 1).split(rng)
    for _ in range(15):
        model = model.refit(frames, states)
    np.testing.assert_allclose(sorted(model.means[:, 0, 0]), [-3, 3], atol=0.2)
    np.testing.assert_allclose(sorted(np.exp(model.log_weights[:, 0])), [0.25, 0.75], atol=0.02)


def test_splitting_keeps_weights_and_the_middle_of_the_means():
    model = mixtures()
    split = model.split(np.random.default_rng(1))
    np.testing.assert_allclose(np.exp(split.log_weights).sum(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose((split.means[:2] + split.means[2:]) / 2, model.means, atol=1e-5)
    assert np.abs(split.means[:2] - split.means[2:]).min() > 0


def test_variances_stay_above_the_floor():
    frames = np.zeros((50, 2), dtype=np.float32)
    frames[:25] = 1  # state 0 is always 1, state 1 always 0: no spread within either
    model = Mixtures.single(frames, np.repeat([0, 1], 25), 2)
    np.testing.assert_allclose(model.variances, np.broadcast_to(model.variance_floor, (1, 2, 2)))
    assert (model.variance_floor > 0).all()


def test_a_state_with_too_few_frames_keeps_its_parameters():
    frames, states = frames_of_two_states()
    model = Mixtures.single(frames, states, 2)
    few = round(MIN_FRAMES) - 1
    moved = model.refit(frames[: 200 + few] + 1, states[: 200 + few])
    np.testing.assert_array_equal(moved.means[:, 1], model.means[:, 1])
    assert moved.means[0, 0] == pytest.approx(model.means[0, 0] + 1, abs=1e-4)
