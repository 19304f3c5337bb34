from itertools import groupby

import numpy as np
import pytest

from auralign.audio.degrade import (
    Span,
    delete_spans,
    insert_pause,
    repeat_spans,
    shorten_pauses,
    substitute_spans,
    swap_spans,
)
from auralign.errors import AudioError, ConfigError
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 16_000
LABELS = ("one", "two", "three", "three", "four")
WORD_S, GAP_S = 0.3, 0.2
LEVELS = dict(zip(("one", "two", "three", "four"), (0.2, 0.4, 0.6, 0.8), strict=True))
SPANS = tuple(
    Span(label, GAP_S + i * (WORD_S + GAP_S), (i + 1) * (WORD_S + GAP_S))
    for i, label in enumerate(LABELS)
)


def speech() -> Audio:
    """Each word is a constant level, so that what is said can be read off the samples."""
    gap = np.zeros(round(GAP_S * RATE))
    words = [np.full(round(WORD_S * RATE), LEVELS[label]) for label in LABELS]
    samples = np.concatenate([part for word in words for part in (gap, word)] + [gap])
    return Audio(samples.astype(np.float32)[None], RATE)


def said(audio: Audio) -> list[str]:
    """The words, one for every 0.3 s of a level."""
    names = []
    for label, level in LEVELS.items():
        there = np.flatnonzero(np.abs(audio.samples[0] - level) < 1e-4)
        for run in np.split(there, np.flatnonzero(np.diff(there) > 1) + 1):
            # A fade takes 4 ms from each end of a word.
            times = round(run.size / RATE / WORD_S)
            names += [(run[0], label)] * times if run.size else []
    return [label for _, label in sorted(names)]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    "edit", [delete_spans, repeat_spans, swap_spans, substitute_spans, insert_pause, shorten_pauses]
)
def test_nothing_to_edit_is_the_identity(edit):
    np.testing.assert_allclose(edit(speech(), SPANS, 0, rng()).samples, speech().samples, atol=1e-6)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_k_words_are_missing_and_the_rest_stays_in_order(k):
    edited = delete_spans(speech(), SPANS, k, rng())
    left = iter(LABELS)
    assert len(said(edited)) == 5 - k
    assert all(label in left for label in said(edited))  # a subsequence
    assert edited.duration_s == pytest.approx(speech().duration_s - k * WORD_S, abs=1e-3)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_k_words_are_said_twice(k):
    edited = repeat_spans(speech(), SPANS, k, rng())
    assert len(said(edited)) == 5 + k
    assert list(dict.fromkeys(said(edited))) == list(dict.fromkeys(LABELS))


def test_a_swap_exchanges_neighbours_that_differ():
    edited = said(swap_spans(speech(), SPANS, 1, rng()))
    places = [i for i, (a, b) in enumerate(zip(edited, LABELS, strict=True)) if a != b]
    assert len(places) == 2
    assert places[1] == places[0] + 1
    assert sorted(edited) == sorted(LABELS)
    assert swap_spans(speech(), SPANS, 1, rng()).n_samples == speech().n_samples


@pytest.mark.parametrize("k", [1, 3, 5])
def test_a_substituted_word_is_another_one(k):
    edited = said(substitute_spans(speech(), SPANS, k, rng()))
    assert sum(a != b for a, b in zip(edited, LABELS, strict=True)) == k


@pytest.mark.parametrize("edit", [delete_spans, repeat_spans, substitute_spans])
def test_more_edits_are_the_fewer_ones_and_others(edit):
    def missing_or_extra(k):
        counts = [said(edit(speech(), SPANS, k, rng())).count(label) for label in LEVELS]
        return np.array(counts)

    first, second = missing_or_extra(1), missing_or_extra(2)
    original = np.array([LABELS.count(label) for label in LEVELS])
    assert np.abs(second - original).sum() >= np.abs(first - original).sum()
    assert np.abs(second - first).sum() <= 2


def test_a_pause_is_put_into_the_middle_of_a_word():
    edited = insert_pause(speech(), SPANS, 0.4, rng())
    assert edited.duration_s == pytest.approx(speech().duration_s + 0.4, abs=1e-3)
    runs = [len(list(run)) for level, run in groupby(np.round(edited.samples[0], 4)) if level > 0.1]
    words = sorted(n for n in runs if n > 0.1 * RATE)
    whole, half = WORD_S * RATE, WORD_S / 2 * RATE  # less a fade of 4 ms at each end that was cut
    assert words == pytest.approx([half, half, *[whole] * 4], abs=0.009 * RATE)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_pauses_between_words_lose_their_share(share):
    edited = shorten_pauses(speech(), SPANS, share, rng())
    assert edited.duration_s == pytest.approx(speech().duration_s - 4 * share * GAP_S, abs=1e-3)
    assert [x for i, x in enumerate(said(edited)) if i == 0 or x != said(edited)[i - 1]] == [
        "one",
        "two",
        "three",
        "four",
    ]


def test_no_pause_to_shorten_is_an_error():
    spans = [Span("a", 0.0, 0.5), Span("b", 0.55, 1.0)]
    with pytest.raises(AudioError, match=r"no pause of 0.1 s"):
        shorten_pauses(speech(), spans, 1, rng())


@pytest.mark.parametrize(
    ("edit", "k", "most"), [(delete_spans, 5, 4), (repeat_spans, 6, 5), (swap_spans, 3, 2)]
)
def test_more_than_there_is_names_the_most(edit, k, most):
    with pytest.raises(AudioError, match=f"at most {most}"):
        edit(speech(), SPANS, k, rng())


@pytest.mark.parametrize("k", [-1, 1.5, float("nan")])
def test_a_number_of_words_is_whole(k):
    with pytest.raises(ConfigError, match="whole number"):
        delete_spans(speech(), SPANS, k, rng())


@pytest.mark.parametrize(
    "spans",
    [(), (Span("a", 1.0, 0.5),), (Span("a", 0, 1), Span("b", 0.5, 2)), (Span("a", 1.0, 99.0),)],
)
def test_times_that_do_not_rise_within_the_clip_are_an_error(spans):
    with pytest.raises(AudioError, match="rise within the clip"):
        delete_spans(speech(), spans, 0, rng())
