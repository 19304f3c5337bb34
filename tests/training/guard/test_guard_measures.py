import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auralign.training.guard.measures import (
    COPY_FLOOR,
    better_sides,
    sound_measures,
    spread_of_values,
    token_measures,
)
from auralign.types import Audio, Prompt

pytestmark = pytest.mark.slow

RATE = 8000


def tone(seconds, gain=0.3, f0=150.0):
    t = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * f0 * k * t) / k for k in range(1, 8))
    return gain * wave / np.abs(wave).max()


def silence(seconds):
    return np.zeros(round(seconds * RATE))


def measured(*parts):
    audio = Audio(np.concatenate(parts).astype(np.float32)[None], RATE)
    found = sound_measures([audio], [Prompt("p", "one")], signals=())
    return {name: values[0] for name, values in found.items()}


def test_silence_at_the_ends_moves_only_what_is_about_silence():
    plain = measured(silence(0.2), tone(1.0), silence(0.2))
    padded = measured(silence(0.4), tone(1.0), silence(0.6))
    assert padded["edge_silence_s"] - plain["edge_silence_s"] == pytest.approx(0.6)
    assert padded["duration_s"] == pytest.approx(2.0)
    assert padded["silence_share"] == pytest.approx(0.5)
    for name in ("active_s", "level_dbfs", "crest_db", "clipped", "empty"):
        assert padded[name] == pytest.approx(plain[name]), name


def test_gain_moves_the_level_by_its_decibels_and_nothing_else():
    plain, louder = measured(tone(1.0, 0.2)), measured(tone(1.0, 0.4))
    moved = {n for n in plain if plain[n] != pytest.approx(louder[n])}
    assert moved == {"level_dbfs"}
    assert louder["level_dbfs"] - plain["level_dbfs"] == pytest.approx(20 * np.log10(2), abs=1e-3)


def test_flat_tops_are_clipped_and_lower_the_crest():
    plain, clipped = measured(tone(1.0)), measured(np.clip(tone(1.0, 3.0), -1, 1))
    assert (plain["clipped"], clipped["clipped"]) == (0, 1)
    assert clipped["crest_db"] < plain["crest_db"] - 2


@pytest.mark.parametrize("sound", [silence(1.0), tone(0.06)], ids=["silence", "a tick"])
def test_a_clip_in_which_no_word_fits_is_empty(sound):
    assert measured(sound)["empty"] == 1
    assert measured(tone(0.5))["empty"] == 0


def test_a_signal_without_a_value_gives_nan():
    audio = Audio(np.zeros((1, RATE), np.float32), RATE)
    found = sound_measures([audio], [Prompt("p", "one")], signals=("f0",))
    assert np.isnan(found["f0.f0_sd_st"]).all()


def test_lower_is_better_of_what_the_registry_wants_low():
    assert better_sides(("integrity", "bandwidth")) == {
        "integrity.over_full_scale": -1,
        "integrity.dropouts_per_s": -1,
        "integrity.dropout_share": -1,
        "integrity.clicks_per_s": -1,
        "bandwidth.bandwidth_hz": 1,
    }


def codes(*first, second=0):
    return np.stack([np.array(first), np.full(len(first), second)])


def copy_share(clips, prompts, others=()):
    return token_measures(clips, np.array(prompts), others)["copy_share"]


def test_a_copy_is_the_longest_run_of_frames_of_another_prompt():
    a, b = codes(1, 2, 3, 4, 5, 6), codes(9, 3, 4, 5, 8, 7, 10, 11)
    assert copy_share([a, b], [0, 1]).tolist() == [3 / 6, 3 / 8]


def test_clips_of_the_same_prompt_are_no_copies_of_each_other():
    a = codes(1, 2, 3, 4)
    assert copy_share([a, a], [0, 0]).tolist() == [COPY_FLOOR, COPY_FLOOR]
    assert copy_share([a, a], [0, 1]).tolist() == [1.0, 1.0]


def test_a_voice_prompt_that_is_said_again_is_a_copy():
    a = codes(1, 2, 3, 4)
    assert copy_share([a], [0], others=[codes(7, 1, 2, 3, 4, 7)]).tolist() == [1.0]


def test_all_codebooks_have_to_be_the_same():
    assert (
        copy_share([codes(1, 2, 3, 4), codes(1, 2, 3, 4, second=1)], [0, 1]).tolist() == [0.25] * 2
    )


def test_frames_that_are_held_count_once():
    a, held = codes(1, 2, 3, 4), codes(1, 1, 1, 2, 2, 3, 4, 4)
    assert copy_share([a, held], [0, 1]).tolist() == [1.0, 1.0]
    pad = codes(*[0] * 30, 5, 6, 7, 8), codes(1, 2, 3, 4, *[0] * 30)
    assert copy_share(list(pad), [0, 1]).tolist() == [COPY_FLOOR] * 2


@settings(max_examples=40)
@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=9), min_size=2, max_size=4))
def test_the_longest_run_is_that_of_a_search_over_all_runs(clips):
    tokens = [codes(*clip) for clip in clips]
    runs = [[x for x, y in zip(c, [None, *c], strict=False) if x != y] for c in clips]

    def grams(run, n):
        return {tuple(run[i : i + n]) for i in range(len(run) - n + 1)}

    for k, run in enumerate(runs):
        others = [r for j, r in enumerate(runs) if j != k]
        longest = max(
            n for n in range(len(run) + 1)
            if n == 0 or any(grams(run, n) & grams(o, n) for o in others)
        )  # fmt: skip
        found = copy_share(tokens, range(len(tokens)))[k]
        assert found == pytest.approx(max(longest / len(run), COPY_FLOOR))


def test_spread_is_one_without_a_common_step_and_zero_for_equal_clips():
    clips = [codes(1, 2, 3), codes(4, 5, 6), codes(1, 2, 3), codes(1, 2, 3)]
    found = token_measures(clips, np.array([0, 0, 1, 1]))["seed_spread"]
    assert found.tolist() == [1, 1, 0, 0]


def test_a_single_clip_has_no_spread():
    assert np.isnan(token_measures([codes(1, 2)], np.array([0]))["seed_spread"]).all()


def test_the_spread_of_values_is_the_mean_difference_of_two():
    found = spread_of_values(np.array([1.0, 2.0, 4.0, 7.0, np.nan]), np.array([0, 0, 0, 1, 1]))
    assert found[:3].tolist() == [2.0] * 3  # of 1, 2 and 3
    assert np.isnan(found[3:]).all()
