"""Loudspeakers cancel what headphones keep apart."""

import numpy as np
import pytest

from auralign.listen.material.headphones import (
    GAP_S,
    N_INTERVALS,
    TONE_S,
    headphone_trial,
)

RATE = 16_000


def intervals(trial):
    """The three intervals, each `[2, time]`."""
    step = round((GAP_S + TONE_S) * RATE)
    gap = round(GAP_S * RATE)
    return [trial.audio.samples[:, k * step + gap : (k + 1) * step] for k in range(N_INTERVALS)]


def rms(samples):
    return np.sqrt(np.mean(np.square(samples, dtype=np.float64)))


@pytest.mark.parametrize("seed", range(6))
def test_the_target_is_the_quietest_for_each_ear_and_not_for_both_mixed(seed):
    trial = headphone_trial("antiphase", RATE, rng=np.random.default_rng(seed))
    for ear in (0, 1):
        levels = [rms(part[ear]) for part in intervals(trial)]
        assert int(np.argmin(levels)) + 1 == trial.target
        assert 20 * np.log10(min(levels) / max(levels)) == pytest.approx(-6.0, abs=0.01)
    mixed = [rms(part.mean(axis=0)) for part in intervals(trial)]
    assert int(np.argmin(mixed)) + 1 != trial.target
    assert min(mixed) < 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_the_pitch_is_in_the_difference_of_the_ears_alone(seed):
    trial = headphone_trial("huggins", RATE, rng=np.random.default_rng(seed))
    differ = [rms(part[0] - part[1]) for part in intervals(trial)]
    assert int(np.argmax(differ)) + 1 == trial.target
    assert sorted(differ)[:2] == [0.0, 0.0]
    frequency = np.fft.rfftfreq(round(TONE_S * RATE), 1 / RATE)
    part = intervals(trial)[trial.target - 1]
    power = np.abs(np.fft.rfft(part[0] - part[1])) ** 2
    near = (frequency > 540) & (frequency < 660)
    assert power[near].sum() / power.sum() > 0.95
    assert rms(part[0]) == pytest.approx(rms(part[1]), rel=0.01)


def test_targets_come_at_every_place():
    rng = np.random.default_rng(0)
    assert {headphone_trial("antiphase", RATE, rng=rng).target for _ in range(20)} == {1, 2, 3}
