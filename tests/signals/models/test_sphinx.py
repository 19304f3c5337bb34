"""Alignment of texts and word errors by pocketsphinx, on a synthetic voice."""

import numpy as np
import pytest

from auralign.audio import resample
from auralign.audio.espeak import say
from auralign.signals.models.sphinx import SAMPLE_RATE, load_alignment, load_excess, load_recogniser
from auralign.signals.signal import Item, Missing
from auralign.types import Audio

pytestmark = pytest.mark.slow

pytest.importorskip("pocketsphinx")

TEXTS = ["she sells sea shells", "a large house", "one two three four five"]


@pytest.fixture(scope="module")
def clips() -> list[Audio]:
    return [resample(say(text, voice="en-us"), SAMPLE_RATE) for text in TEXTS]


@pytest.fixture(scope="module")
def align():
    return load_alignment()


def noisy(audio: Audio, snr_db: float) -> Audio:
    noise = np.random.default_rng(0).standard_normal(audio.samples.shape)
    level = np.sqrt((audio.samples**2).mean() / 10 ** (snr_db / 10))
    return Audio((audio.samples + level * noise).astype(np.float32), audio.sample_rate)


def scores(align, audio: Audio) -> list[float]:
    return [v["align_llr"] for v in align([Item("clip", audio, text=text) for text in TEXTS])]


@pytest.mark.parametrize(("snr_db", "gap"), [(np.inf, 1.5), (5.0, 0.5)])
def test_the_text_that_was_said_explains_the_clip_best_by_far(align, clips, snr_db, gap):
    right, *wrong = scores(align, noisy(clips[0], snr_db))
    assert max(wrong) < right - gap


def test_one_wrong_word_lowers_the_score(align, clips):
    said, changed = align(
        [
            Item("clip", clips[2], text="one two three four five"),
            Item("clip", clips[2], text="one two eleven four five"),
        ]
    )
    assert changed["align_llr"] < said["align_llr"]


def test_a_score_does_not_depend_on_what_was_scored_before(align, clips):
    items = [Item("clip", clip, text=TEXTS[0]) for clip in clips[:2]]
    assert align(items) == align(items[::-1])[::-1]


def test_the_score_hardly_depends_on_the_gain(align, clips):
    quiet = Audio(clips[0].samples * np.float32(0.25), SAMPLE_RATE)
    loud, soft = align([Item("clip", clip, text=TEXTS[0]) for clip in (clips[0], quiet)])
    assert soft["align_llr"] == pytest.approx(loud["align_llr"], abs=0.1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("...", "the text has no words"),
        ("one two xqzzv", "the text has words that the pronunciation dictionary lacks"),
        (" ".join(["abracadabra"] * 40), "the clip is too short for its text"),
    ],
)
def test_what_cannot_be_aligned_is_missing_for_a_reason(align, clips, text, reason):
    (values,) = align([Item("clip", clips[2], text=text)])
    assert values["align_llr"] == Missing(reason)


def test_most_words_are_recognised_and_noise_has_the_excess_over_the_reference(clips):
    noise = noisy(clips[2], -60.0)
    said, hidden = (Item("c", clip, text=TEXTS[2]) for clip in (clips[2], noise))
    clean, ruined = (v["wer_sphinx"] for v in load_recogniser()([said, hidden]))
    assert clean <= 0.2
    assert ruined >= 0.8
    compared = Item("c", noise, reference=clips[2], text=TEXTS[2])
    excess, alone = (v["wer_sphinx_excess"] for v in load_excess()([compared, said]))
    assert excess == pytest.approx(ruined - clean)
    assert alone == Missing("there is no reference recording")
