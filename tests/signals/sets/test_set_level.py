"""Two sets of clips: coverage, standardising, and that noise moves a set away."""

import numpy as np
import pytest

from auralign.audio import resample
from auralign.audio.espeak import say
from auralign.errors import ConfigError, DataError
from auralign.signals.sets.frechet import frechet_distance, frechet_limit, moments
from auralign.signals.sets.mauve import mauve
from auralign.signals.sets.set_level import SIGNALS, compare_sets, embed_functionals
from auralign.signals.signal import Missing
from auralign.types import Audio


def generator() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="module")
def sets() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((60, 4)), rng.standard_normal((50, 4)) + 0.5


def test_values_are_those_of_the_kernels(sets):
    a, b = sets
    fad = compare_sets("fad", a, b, rng=generator(), min_clips=20).values
    assert fad["fad"] == frechet_distance(moments(a), moments(b))
    assert fad["fad_inf"] == frechet_limit(a, b, rng=generator(), min_clips=20).value
    found = compare_sets("mauve", a, b, rng=generator()).values
    expected = mauve(a, b, rng=generator())
    assert found == {
        "mauve": expected.mauve,
        "mauve_star": expected.mauve_star,
        "frontier_integral": expected.frontier_integral,
    }


def test_too_few_clips_for_a_limit_still_have_a_distance_and_a_reason(sets):
    values = compare_sets("fad", *sets, rng=generator()).values
    assert values["fad"] > 0
    assert values["fad_inf"] == Missing("fewer than 1000 clips")


def test_clips_without_embedding_are_left_out_and_counted(sets):
    a, b = sets
    with_gaps = np.concatenate([a, np.full((3, 4), np.nan)])
    found = compare_sets("fad", with_gaps, b, rng=generator())
    assert found.values["fad"] == compare_sets("fad", a, b, rng=generator()).values["fad"]
    assert (found.n_clips, found.n_clips_out) == (60, 3)
    assert (found.n_references, found.n_references_out) == (50, 0)


def test_units_do_not_matter_once_standardised(sets):
    a, b = (np.concatenate([x, np.ones((len(x), 1))], axis=1) for x in sets)
    scale = np.array([1, 1e3, 1e-3, 7, 5])
    plain, scaled = (
        compare_sets("fad", a * s, b * s, rng=generator(), standardise=True).values["fad"]
        for s in (1.0, scale)
    )
    assert scaled == pytest.approx(plain)


def test_noise_moves_speech_away_from_speech():
    rng = np.random.default_rng(0)
    texts = ("one two three", "a large house", "the lazy dog", "five green bottles")
    said = [
        resample(say(text, voice="en-us", pitch=pitch), 16_000)
        for text in texts
        for pitch in (30, 50, 70)
    ]
    noisy = [
        Audio(a.samples + 0.05 * rng.standard_normal(a.samples.shape).astype(np.float32), 16_000)
        for a in said
    ]
    embedded = {name: embed_functionals(clips) for name, clips in (("s", said), ("n", noisy))}
    assert embedded["s"].shape == embedded["n"].shape
    near, far = (
        compare_sets("fad", x, embedded["s"], rng=generator(), standardise=True)
        for x in (embedded["s"][::2], embedded["n"])
    )
    assert near.values["fad"] < far.values["fad"]
    assert near.n_clips + near.n_clips_out == 6


@pytest.mark.parametrize(
    ("signal", "shape", "error", "match"),
    [
        ("fat", (50, 4), ConfigError, r"is not one of fad, mauve \(did you mean 'fad'\?\)"),
        ("fad", (50, 3), DataError, r"of one kind, got shapes \(60, 4\) and \(50, 3\)"),
    ],
)
def test_what_cannot_be_compared_is_refused(sets, signal, shape, error, match):
    with pytest.raises(error, match=match):
        compare_sets(signal, sets[0], np.zeros(shape), rng=generator())


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda s: s.name)
def test_a_set_signal_cannot_be_asked_clip_by_clip_and_names_what_it_gives(sets, signal):
    with pytest.raises(ConfigError, match=r"one value for a whole set of clips"):
        signal.load()
    values = compare_sets(signal.name, *sets, rng=generator()).values
    assert list(values) == [measure.name for measure in signal.measures]
