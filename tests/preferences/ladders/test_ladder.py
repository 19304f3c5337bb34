from dataclasses import replace

import numpy as np
import pytest

from auralign.audio import quantise
from auralign.audio.degrade import mix_events
from auralign.audio.levels import loudness_lufs
from auralign.errors import ConfigError, DataError
from auralign.preferences.ladders import (
    OPERATIONS,
    Operation,
    Order,
    Recording,
    build_ladder,
    ladder_seed,
)
from auralign.types import Audio, Prompt

pytestmark = pytest.mark.slow


def build(recording, name, others=(), **options):
    return build_ladder(recording, OPERATIONS[name], seed=7, others=others, **options)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_makes_rungs_of_one_loudness_below_a_control(name, ladder_of):
    ladder = ladder_of(name)
    assert ladder.rungs[0].severity == OPERATIONS[name].control
    assert len(ladder.rungs) >= 2
    loudness = [loudness_lufs(rung.audio) for rung in ladder.rungs]
    assert loudness == pytest.approx([loudness[0]] * len(loudness), abs=0.02)
    assert len({rung.audio.n_samples for rung in ladder.rungs}) == 1
    assert max(np.abs(rung.audio.samples).max() for rung in ladder.rungs) <= 1


# Codecs have no setting that changes nothing; mixes are mixed again.
IDENTITIES = [o.id for o in OPERATIONS.values() if o.family not in ("codec", "events", "temporal")]


@pytest.mark.parametrize("name", IDENTITIES)
def test_the_control_is_the_recording_after_the_same_processing(name, voice, ladder_of):
    control = ladder_of(name).rungs[0]
    gain = 10 ** (control.gain_db / 20)
    n = voice.audio.n_samples - 640  # WSOLA has no window for the last 40 ms
    np.testing.assert_allclose(
        control.audio.samples[:, :n], gain * voice.audio.samples[:, :n], atol=2e-4
    )


@pytest.mark.parametrize("name", ["events/dropped", "temporal/combined"])
def test_the_control_of_a_mix_is_the_mix(name, voice, ladder_of):
    control, mix = ladder_of(name).rungs[0], mix_events(voice.events)
    gain = 10 ** (control.gain_db / 20)
    n = mix.n_samples - 128
    np.testing.assert_allclose(control.audio.samples[:, :n], gain * mix.samples[:, :n], atol=2e-4)


def test_a_seed_gives_the_same_clips_and_another_seed_others(voice):
    noise = OPERATIONS["noise/white"]
    first, again, other = (
        [rung.clip_id for rung in build_ladder(voice, noise, seed=s).rungs] for s in (1, 1, 2)
    )
    assert first == again
    assert first[0] == other[0]  # the control draws nothing
    assert set(first[1:]).isdisjoint(other)


def test_rungs_share_their_draw(voice):
    """The noise of two rungs is the same noise at two levels."""
    ladder = build(voice, "noise/white", severities=(20.0, 10.0))
    clean = quantise(voice.audio).samples
    noises = [(r.audio.samples / 10 ** (r.gain_db / 20) - clean).ravel() for r in ladder.rungs[1:]]
    assert np.corrcoef(noises)[0, 1] > 0.99


def test_a_chain_orders_all_rungs_and_neighbours_are_weak(ladder_of):
    order = [(b.severity, w.severity, c) for b, w, c in ladder_of("noise/white").order()]
    inf = float("inf")
    assert order == [
        (inf, 30, False),
        (inf, 20, True),
        (inf, 10, True),
        (inf, 0, True),
        (30, 20, False),
        (30, 10, True),
        (30, 0, True),
        (20, 10, False),
        (20, 0, True),
        (10, 0, False),
    ]


def test_words_differ_from_the_control_from_the_first_rung_on(ladder_of):
    order = [(b.severity, w.severity, c) for b, w, c in ladder_of("words/deleted").order()]
    assert order == [
        (0, 1, True),
        (0, 2, True),
        (0, 3, True),
        (1, 2, False),
        (1, 3, True),
        (2, 3, False),
    ]


def test_wrong_takes_are_not_ordered_among_themselves(ladder_of):
    order = [(b.severity, w.severity, c) for b, w, c in ladder_of("speaker/wrong").order()]
    assert order == [(0, 1, True), (0, 2, True)]


def test_severities_of_ones_own_are_sorted_and_placed_between_the_rungs(voice):
    ladder = build(voice, "noise/white", severities=(5.0, 25.0, 30.0))
    assert [rung.severity for rung in ladder.rungs[1:]] == [30, 25, 5]
    clear = {(b.severity, w.severity): c for b, w, c in ladder.order()}
    assert not clear[30, 25]
    assert clear[30, 5]
    assert clear[25, 5]  # 2 rungs: from 1.5 to 3.5


def test_rungs_that_are_the_same_clip_are_in_no_order(voice):
    quiet = Recording(Prompt("flat", ""), Audio(np.full((1, 8000), 0.25, np.float32), 16_000))
    ladder = build(quiet, "clip/quantile")
    assert len({rung.clip_id for rung in ladder.rungs}) == 1
    assert list(ladder.order()) == []


def test_a_severity_that_the_clip_does_not_allow_is_named(voice):
    low = Recording(Prompt("low", ""), Audio(voice.audio.samples[:, ::2], 8_000))
    ladder = build(low, "band/low_pass")
    assert [rung.severity for rung in ladder.rungs[1:]] == [2000, 1000]
    assert [skipped.severity for skipped in ladder.skipped] == [6000, 4000]
    assert "changes nothing at a sample rate of 8000 Hz" in ladder.skipped[0].reason


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("words/deleted", "words/deleted cannot be done here: .* got none"),
        ("events/reordered", "mix of labelled events"),
        ("speaker/wrong", "makes no rung of 'bare': there is no recording of this text"),
        ("noise/babble", "at least 3 other talkers, got 0"),
        ("music/off_grid", "beats"),
    ],
)
def test_what_is_missing_is_said(name, reason, voice):
    with pytest.raises(DataError, match=reason):
        build(Recording(Prompt("bare", "hello"), voice.audio), name)


def test_a_severity_on_the_other_side_of_the_control_is_an_error(voice):
    with pytest.raises(ConfigError, match=r"pitch/down takes severities below 0 .* not 2"):
        build(voice, "pitch/down", severities=(2.0,))


def test_lengths_are_equal_unless_that_is_not_wanted(voice):
    own = build(voice, "tempo/faster", equal_lengths=False)
    durations = [rung.audio.duration_s / voice.audio.duration_s for rung in own.rungs]
    assert durations == pytest.approx([1, 0.85, 0.7], rel=1e-3)
    assert len({rung.audio.n_samples for rung in build(voice, "tempo/faster").rungs}) == 1


def test_a_silent_source_has_no_ladder():
    silence = Recording(Prompt("silent", ""), Audio(np.zeros((1, 8000), np.float32), 16_000))
    for name in ("clip/quantile", "noise/white", "tempo/slower"):
        with pytest.raises(DataError, match="silen"):
            build(silence, name)


def test_a_ladder_has_a_seed_of_its_own():
    noise, band = OPERATIONS["noise/white"], OPERATIONS["band/low_pass"]
    seeds = {
        ladder_seed(seed, prompt, operation, draw)
        for seed in (0, 1)
        for prompt in ("a", "b")
        for operation in (noise, band)
        for draw in (0, 1)
    }
    assert len(seeds) == 16
    assert all(0 <= seed < 2**63 for seed in seeds)


def operation(**changes) -> Operation:
    return replace(OPERATIONS["noise/white"], **changes)


def test_positions_are_in_proportion_between_rungs():
    noise = operation()
    assert [noise.position(s) for s in (float("inf"), 30, 25, 20, 0, -10)] == [0, 1, 1.5, 2, 4, 4]


def test_no_family_speaks_of_the_overall_preference():
    spoken_of = {o.dimension for o in OPERATIONS.values()}
    assert spoken_of == {"content_preservation", "production_quality", "task_achievement"}


def test_every_control_is_milder_than_the_mildest_rung():
    for o in OPERATIONS.values():
        assert o.mildest_first(o.severities) == o.severities
        assert o.order in Order
