import numpy as np
import pytest

from auralign.audio.levels import rms_dbfs
from auralign.data.corpora.espeak_digits import SPEAKERS, espeak_digit_corpus
from auralign.errors import ConfigError


def corpus(n: int = 12, *, flaw_share: float = 0.0, seed: int = 0, **options):
    rng = np.random.default_rng(seed)
    return espeak_digit_corpus(n, flaw_share=flaw_share, rng=rng, **options)


def test_the_same_generator_makes_the_same_corpus():
    for once, again in zip(corpus(flaw_share=0.5), corpus(flaw_share=0.5), strict=True):
        assert once.prompt == again.prompt
        assert once.flaws == again.flaws
        np.testing.assert_array_equal(once.audio.samples, again.audio.samples)


def test_without_flaws_every_utterance_says_its_prompt():
    utterances = corpus()
    assert len(utterances) == 12
    for utterance in utterances:
        assert utterance.clean
        assert utterance.spoken == utterance.prompt.text
        assert utterance.prompt.condition == utterance.speaker
        assert utterance.audio.channels == 1
        assert utterance.audio.sample_rate == 16_000
        assert rms_dbfs(utterance.audio) == pytest.approx(-23, abs=0.01)


def test_half_flawed_means_half_clean():
    assert sum(u.clean for u in corpus(10, flaw_share=0.5)) == 5


def test_slow_utterances_take_much_longer_per_word():
    def seconds_per_word(utterances):
        return np.mean([u.audio.duration_s / len(u.spoken.split()) for u in utterances])

    slow = [u for u in corpus(60, flaw_share=1, digits=(4, 4)) if "slow" in u.flaws]
    assert len(slow) > 5
    assert seconds_per_word(slow) > 1.6 * seconds_per_word(corpus(digits=(4, 4)))


def test_speakers_and_rate_are_as_asked():
    utterances = corpus(n_speakers=2, sample_rate=8_000, digits=(1, 2))
    assert {u.speaker for u in utterances} == set(list(SPEAKERS)[:2])
    assert {u.audio.sample_rate for u in utterances} == {8_000}


def test_every_speaker_has_a_voice():
    utterances = corpus(40, digits=(1, 1))
    assert {u.speaker for u in utterances} == set(SPEAKERS)


@pytest.mark.parametrize("n_speakers", [0, 7])
def test_a_number_of_speakers_out_of_range_is_an_error(n_speakers):
    with pytest.raises(ConfigError, match=f"from 1 to 6, not {n_speakers}"):
        corpus(n_speakers=n_speakers)
