from dataclasses import replace

import numpy as np
import pytest

from auralign.audio.degrade import add_noise, clip_hard, stretch
from auralign.data.corpora.espeak_digits import espeak_digit_corpus
from auralign.errors import DataError
from auralign.preferences.ears import PERCEPTS, Ears
from auralign.types import Audio, Prompt

SPEAKERS = ("f2-us", "m1-us")


def speech(n: int, seed: int, flaw_share: float = 0.0) -> tuple[list[Audio], list[Prompt]]:
    """Strings of two or three digits by two voices."""
    utterances = espeak_digit_corpus(
        n, n_speakers=2, flaw_share=flaw_share, digits=(2, 3), rng=np.random.default_rng(seed)
    )
    return [u.audio for u in utterances], [u.prompt for u in utterances]


@pytest.fixture(scope="module")
def ordinary():
    return speech(24, seed=1, flaw_share=0.5)


@pytest.fixture(scope="module")
def ears(ordinary) -> Ears:
    return Ears.fit(*speech(60, seed=0), *ordinary, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def unseen():
    return speech(10, seed=2)


def change(ears: Ears, before, after) -> dict[str, np.ndarray]:
    """By how many spreads each percept of each clip moves."""
    return dict(zip(PERCEPTS, (ears.hear(*after) - ears.hear(*before)).T, strict=True))


def test_percepts_are_in_spreads_of_ordinary_recordings(ears, ordinary):
    heard = ears.hear(*ordinary)
    assert heard.shape == (24, 5)
    np.testing.assert_allclose(heard.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(heard.std(axis=0), 1, atol=1e-3)


def test_a_wrong_word_lowers_words_and_nothing_else(ears, unseen):
    audios, prompts = unseen
    asked = []
    for prompt in prompts:
        first, *rest = prompt.text.split()
        other = "nine" if first != "nine" else "four"
        asked.append(replace(prompt, text=" ".join([other, *rest])))
    moved = change(ears, unseen, (audios, asked))
    assert (moved.pop("words") < -0.5).all()
    for percept in moved.values():
        np.testing.assert_allclose(percept, 0, atol=1e-9)


def test_a_missing_word_lowers_words(ears, unseen):
    audios, prompts = unseen
    asked = [replace(p, text=f"{p.text} {p.text}") for p in prompts]
    assert (change(ears, unseen, (audios, asked))["words"] < -0.5).all()


def test_noise_lowers_noise_the_more_the_louder_it_is(ears, unseen):
    audios, prompts = unseen
    rng = np.random.default_rng(0)
    soft, loud = (
        change(ears, unseen, ([add_noise(a, snr_db, "white", rng) for a in audios], prompts))
        for snr_db in (15.0, 5.0)
    )
    assert (soft["noise"] < -0.3).all()
    assert (loud["noise"] < soft["noise"]).all()


def test_slow_speech_lowers_pace(ears, unseen):
    audios, prompts = unseen
    moved = change(ears, unseen, ([stretch(a, 2.5) for a in audios], prompts))
    assert (moved["pace"] < -0.5).all()


def test_a_pace_within_a_quarter_octave_of_comfortable_is_unremarkable(ears):
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, 32_000)).astype(np.float32)

    def pace(seconds_per_word: float) -> float:
        audio = Audio(noise[:, : round(2 * seconds_per_word * 16_000)], 16_000)
        heard = ears.hear([audio], [Prompt("p", "one two", SPEAKERS[0])])
        return float(heard[0, PERCEPTS.index("pace")])

    assert pace(0.38) == pace(0.42) == pace(0.48)
    assert pace(0.25) < pace(0.33) < pace(0.42)
    assert pace(0.80) < pace(0.55) < pace(0.42)


def test_clipping_lowers_harshness(ears, unseen):
    audios, prompts = unseen
    moved = change(ears, unseen, ([clip_hard(a, 15.0) for a in audios], prompts))
    assert (moved["harshness"] < -0.3).all()


def test_another_speaker_than_asked_lowers_voice_of_nearly_every_clip(ears, unseen):
    audios, prompts = unseen
    other = dict(zip(SPEAKERS, SPEAKERS[::-1], strict=True))
    asked = [replace(p, condition=other[p.condition]) for p in prompts]
    moved = change(ears, unseen, (audios, asked))["voice"]
    assert np.mean(moved < 0) >= 0.9
    assert moved.mean() < -2


def test_the_level_of_a_clip_is_no_percept(ears, unseen):
    audios, prompts = unseen
    louder = [Audio(1.5 * a.samples, a.sample_rate) for a in audios]
    moved = change(ears, unseen, (louder, prompts))
    for percept in ("words", "voice", "pace", "harshness"):
        assert np.abs(moved[percept]).max() < 0.3


def test_a_clip_is_heard_the_same_in_any_company(ears, unseen):
    audios, prompts = unseen
    together = ears.hear(audios, prompts)
    for i in range(3):
        np.testing.assert_allclose(ears.hear(audios[i : i + 1], prompts[i : i + 1])[0], together[i])


def test_with_one_speaker_every_clip_has_the_asked_voice(unseen):
    audios, prompts = speech(8, seed=3)
    same = [replace(p, condition=None) for p in prompts]
    ears = Ears.fit(audios, same, audios, same, rng=np.random.default_rng(0))
    heard = ears.hear(audios, same)
    assert np.isfinite(heard).all()
    np.testing.assert_array_equal(heard[:, PERCEPTS.index("voice")], 0)


def test_saved_and_loaded_they_hear_the_same(ears, unseen, tmp_path):
    ears.save(tmp_path)
    np.testing.assert_array_equal(Ears.load(tmp_path).hear(*unseen), ears.hear(*unseen))


def test_an_unknown_speaker_is_an_error_that_suggests_the_near_one(ears, unseen):
    audios, prompts = unseen
    asked = replace(prompts[0], condition="m1-uk")
    with pytest.raises(DataError, match=r"speaker 'm1-uk' \(did you mean 'm1-us'\?\)"):
        ears.hear(audios[:1], [asked])


def test_a_prompt_without_words_is_an_error(ears, unseen):
    audios, prompts = unseen
    with pytest.raises(DataError, match="has no words to listen for"):
        ears.hear(audios[:1], [replace(prompts[0], text=" ")])
