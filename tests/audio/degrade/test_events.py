from itertools import pairwise

import numpy as np
import pytest

from auralign.audio.degrade import (
    Event,
    Span,
    disrupt_events,
    drop_events,
    duplicate_events,
    events_of,
    mix_events,
    reorder_events,
    substitute_events,
)
from auralign.errors import AudioError
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 8_000


def event(label: str, onset_s: float, seconds: float = 0.5, level: float = 0.1) -> Event:
    samples = np.full((1, round(seconds * RATE)), level, dtype=np.float32)
    return Event(label, Audio(samples, RATE), onset_s)


MIX = (event("dog", 0.1), event("bell", 0.8, 1.0), event("rain", 2.0), event("car", 2.7))
OTHERS = (event("cat", 0), event("dog", 0), event("owl", 0))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def labels(events) -> list[str]:
    return [e.label for e in sorted(events, key=lambda e: e.onset_s)]


def inversions(events) -> int:
    rank = [labels(MIX).index(label) for label in labels(events)]
    return sum(a > b for i, a in enumerate(rank) for b in rank[i + 1 :])


def test_a_mix_is_the_sum_of_its_events_where_they_sound():
    mix = mix_events((event("a", 0.0, 1.0, 0.1), event("b", 0.5, 1.0, 0.2)))
    expected = np.repeat([0.1, 0.3, 0.2], RATE // 2)
    np.testing.assert_allclose(mix.samples[0], expected, rtol=1e-6)


def test_a_mix_lasts_at_least_as_long_as_is_asked():
    assert mix_events(MIX, at_least_s=9.0).duration_s == pytest.approx(9)


@pytest.mark.parametrize("k", [0, 1, 3])
def test_k_events_are_dropped_and_the_others_keep_their_place(k):
    kept = drop_events(MIX, k, rng())
    assert len(kept) == 4 - k
    assert set(kept) <= set(MIX)


def test_a_larger_drop_contains_the_smaller_one():
    for seed in range(5):
        assert set(drop_events(MIX, 2, rng(seed))) < set(drop_events(MIX, 1, rng(seed)))


@pytest.mark.parametrize("k", [1, 2, 4])
def test_a_duplicate_follows_its_event_and_what_comes_later_waits(k):
    doubled = duplicate_events(MIX, k, rng())
    assert len(doubled) == 4 + k
    assert list(dict.fromkeys(labels(doubled))) == labels(MIX)
    gained = mix_events(doubled).duration_s - mix_events(MIX).duration_s
    extra = list(doubled)
    for e in MIX:
        extra.remove(next(x for x in extra if x.label == e.label))
    assert gained == pytest.approx(sum(e.audio.duration_s for e in extra))


@pytest.mark.parametrize("k", [0, 1, 2, 4, 6])
def test_k_pairs_of_events_are_in_the_wrong_order(k):
    """Kendall's distance to the right order is k, for any seed; 6 is the reversed order."""
    assert [inversions(reorder_events(MIX, k, rng(seed))) for seed in range(5)] == [k] * 5


def test_reordering_keeps_the_duration_and_the_pauses():
    wrong = sorted(reorder_events(MIX, 3, rng()), key=lambda e: e.onset_s)
    pauses = [b.onset_s - a.end_s for a, b in pairwise(wrong)]
    np.testing.assert_allclose(pauses, [b.onset_s - a.end_s for a, b in pairwise(MIX)], atol=1e-9)
    assert mix_events(wrong).n_samples == mix_events(MIX).n_samples


def test_events_of_one_label_are_not_exchanged():
    with pytest.raises(AudioError, match="only 0 pairs"):
        reorder_events((event("dog", 0), event("dog", 1)), 1, rng())


def test_a_substitute_has_a_label_that_is_not_in_the_mix():
    replaced = substitute_events(MIX, 2, OTHERS, rng())
    strange = [e for e in replaced if e.label not in labels(MIX)]
    assert len(strange) == 2
    assert {e.label for e in strange} <= {"cat", "owl"}
    assert [e.onset_s for e in replaced] == [e.onset_s for e in MIX]


def test_without_strangers_nothing_can_be_replaced():
    with pytest.raises(AudioError, match="labels are not in the mix"):
        substitute_events(MIX, 1, MIX, rng())


def test_disruptions_come_on_top_of_each_other():
    for seed in range(5):
        first, second, third = (disrupt_events(MIX, k, OTHERS, rng(seed)) for k in (1, 2, 3))
        assert inversions(first) == 1
        assert sum(a.label != b.label for a, b in zip(first, second, strict=True)) == 1
        assert len(third) == 3
        assert set(labels(third)) < set(labels(second))
    assert disrupt_events(MIX, 0, OTHERS, rng()) == MIX


@pytest.mark.parametrize("edit", [drop_events, duplicate_events])
def test_more_events_than_there_are_name_the_most(edit):
    with pytest.raises(AudioError, match="at most"):
        edit(MIX, 5, rng())


def test_events_are_cut_out_of_a_recording_with_faded_ends():
    recording = Audio(np.ones((1, RATE), np.float32), RATE)
    (cut,) = events_of(recording, [Span("hum", 0.25, 0.75)])
    assert (cut.onset_s, cut.audio.n_samples) == (0.25, RATE // 2)
    assert cut.audio.samples[0, [0, -1]].max() < 0.01
    np.testing.assert_array_equal(cut.audio.samples[0, 100:-100], 1)


def test_an_event_outside_the_recording_is_an_error():
    with pytest.raises(AudioError, match=r"'hum' from 0.5 to 2 s is not within the clip's 1 s"):
        events_of(Audio(np.ones((1, RATE), np.float32), RATE), [Span("hum", 0.5, 2.0)])


def test_a_mix_needs_one_rate():
    other = Event("a", Audio(np.ones((1, 10), np.float32), 44_100), 0)
    with pytest.raises(AudioError, match="one rate and number of channels"):
        mix_events((*MIX, other))


def test_no_events_make_no_mix():
    with pytest.raises(AudioError, match="expected events"):
        mix_events(())
