import math
from dataclasses import dataclass

import numpy as np
import pytest

from auralign.errors import ConfigError
from auralign.signals.signal import Direction, Measure
from auralign.test_time.audio_rewards import better, model_reward, signal_reward
from auralign.types import Audio, Prompt

RATE = 16_000


@dataclass
class Tones:
    """A codec of one codebook: code c is a frame of 50 ms, of a tone at the level -6 c dB."""

    sample_rate: int = RATE
    n_codebooks: int = 1
    codebook_size: int = 20
    frame_rate: float = 20.0

    def decode(self, tokens):
        return [self._tone(clip[0]) for clip in tokens]

    def _tone(self, codes):
        gains = np.repeat(10 ** (-6 * codes / 20), RATE // 20)
        tone = np.sin(2 * np.pi * 400 * np.arange(len(gains)) / RATE)
        return Audio((gains * tone).astype(np.float32)[None], RATE)


def clip(code, frames=20):
    return np.full((1, frames), code)


def test_a_level_below_the_range_counts_minus_the_distance_from_it():
    reward = signal_reward("loudness.lufs", Tones())
    clips = [clip(4), clip(5)]
    louder, quieter = reward([Prompt("p", "")] * 2, clips)
    # Both are below the range: a tone 6 dB quieter is 6 LU further away.
    assert louder - quieter == pytest.approx(6, abs=0.01)
    assert louder < 0


def test_of_a_measure_to_be_low_the_reward_is_its_negative():
    measure = Measure("wer", "", Direction.MIN, ())
    assert better(measure, 0.25) == -0.25
    assert math.copysign(1, better(measure, 0.0)) == 1


def test_of_a_target_the_reward_is_0_within_the_range():
    measure = Measure("lufs", "LUFS", Direction.TARGET, (), target=(-24.0, -16.0))
    assert [better(measure, v) for v in (-30, -24, -20, -16, -15)] == [-6, 0, 0, 0, -1]
    assert better(Measure("mos", "", Direction.MAX, ()), 3.5) == 3.5


def test_a_clip_that_the_signal_cannot_measure_has_no_score():
    """Too short, or digital silence."""
    values = signal_reward("loudness.lufs", Tones())(
        [Prompt("p", "")] * 3, [clip(2), clip(2, 1), clip(19)]
    )
    assert np.isfinite(values).tolist() == [True, False, False]


def test_a_signal_with_several_measures_is_asked_about_one():
    with pytest.raises(ConfigError, match=r"got 'integrity': there are integrity.over_full_scale"):
        signal_reward("integrity", Tones())
    with pytest.raises(ConfigError, match=r"did you mean 'integrity.clicks_per_s'"):
        signal_reward("integrity.click_per_s", Tones())


def test_a_descriptive_measure_is_no_reward():
    with pytest.raises(ConfigError, match=r"got 'f0.median"):
        signal_reward("f0.median", Tones())


def test_a_signal_that_compares_with_a_recording_is_no_reward_for_fresh_clips():
    with pytest.raises(ConfigError, match=r"'stoi', which needs a reference that is aligned"):
        signal_reward("stoi", Tones())


def test_unknown_names_and_options_are_refused():
    with pytest.raises(ConfigError, match=r"no signal 'loudnes' \(did you mean 'loudness'"):
        signal_reward("loudnes", Tones())
    with pytest.raises(ConfigError, match="takes no option 'x'"):
        signal_reward("loudness.lufs", Tones(), {"x": 1})


def test_a_reward_model_hears_the_decoded_clips_and_their_prompts():
    class Level:
        def score(self, audios, prompts):
            return np.array(
                [a.samples.max() + len(p.text) for a, p in zip(audios, prompts, strict=True)]
            )

    prompts = [Prompt("a", ""), Prompt("b", "four")]
    values = model_reward(Level(), Tones())(prompts, [clip(0), clip(1)])
    np.testing.assert_allclose(values, [1, 4 + 10 ** (-6 / 20)], atol=1e-6)
