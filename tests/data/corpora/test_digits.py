from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.audio.levels import rms_dbfs
from auralign.data.corpora.digits import (
    FLAWS,
    digit_text,
    draw_flaws,
    draw_tasks,
    finish,
    misspeak,
)
from auralign.errors import ConfigError
from auralign.types import Audio


def tasks(n: int = 200, *, flaw_share: float = 0.4, digits=(3, 5), seed: int = 0):
    rng = np.random.default_rng(seed)
    return draw_tasks(n, ["ann", "bob"], flaw_share=flaw_share, digits=digits, rng=rng)


def test_digits_are_read_one_by_one():
    assert digit_text((4, 7, 1)) == "four seven one"
    assert digit_text((0,)) == "zero"


@given(n=st.integers(0, 60), share=st.floats(0, 1), seed=st.integers(0, 20))
def test_the_share_of_flawed_tasks_is_exact(n, share, seed):
    drawn = tasks(n, flaw_share=share, seed=seed)
    assert sum(bool(task.flaws) for task in drawn) == round(share * n)


def test_strings_have_every_length_of_the_range_and_all_digits():
    drawn = tasks(digits=(2, 4))
    assert {len(task.wanted) for task in drawn} == {2, 3, 4}
    assert {digit for task in drawn for digit in task.wanted} == set(range(10))
    assert {task.speaker for task in drawn} == {"ann", "bob"}


def test_every_flaw_is_drawn_alone_and_sometimes_two_together():
    rng = np.random.default_rng(0)
    drawn = Counter(draw_flaws(rng) for _ in range(1000))
    assert {flaws for flaws in drawn if len(flaws) == 1} == {(flaw,) for flaw in FLAWS}
    pairs = sum(n for flaws, n in drawn.items() if len(set(flaws)) == 2)
    assert pairs == pytest.approx(200, abs=3 * np.sqrt(1000 * 0.2 * 0.8))
    assert max(len(flaws) for flaws in drawn) == 2


@given(
    wanted=st.lists(st.integers(0, 9), min_size=1, max_size=6).map(tuple), seed=st.integers(0, 99)
)
def test_flaws_of_the_words_do_what_they_are_called(wanted, seed):
    rng = np.random.default_rng(seed)
    assert misspeak(wanted, ("noise", "slow", "clipping"), rng) == wanted

    wrong = misspeak(wanted, ("wrong_word",), rng)
    assert len(wrong) == len(wanted)
    assert sum(a != b for a, b in zip(wrong, wanted, strict=True)) == 1

    repeated = misspeak(wanted, ("repeated_word",), rng)
    assert any(repeated == (*wanted[: i + 1], *wanted[i:]) for i in range(len(wanted)))


def test_only_flaws_of_the_words_make_the_spoken_differ_from_the_wanted():
    for task in tasks():
        misspoken = {"wrong_word", "repeated_word"} & set(task.flaws)
        assert (task.spoken != task.wanted) == bool(misspoken)


def test_the_prompt_names_speaker_and_digits():
    task = tasks(1, flaw_share=0)[0]
    prompt = task.prompt()
    assert prompt.condition == task.speaker
    assert prompt.text == digit_text(task.wanted)
    assert prompt.id == f"{task.speaker}-{''.join(map(str, task.wanted))}"


def test_the_same_generator_draws_the_same_tasks():
    assert tasks(seed=3) == tasks(seed=3)
    assert tasks(seed=3) != tasks(seed=4)


@pytest.mark.parametrize("flaws", [(), ("noise",), ("clipping",), ("noise", "clipping")])
def test_finished_recordings_have_one_level_and_their_flaws(flaws):
    rng = np.random.default_rng(0)
    t = np.arange(16_000) / 16_000
    voice = Audio((0.01 * np.sin(2 * np.pi * 300 * t))[None].astype(np.float32), 16_000)
    finished = finish(voice, flaws, rng)
    assert rms_dbfs(finished) == pytest.approx(-23, abs=0.01)
    same = np.corrcoef(finished.samples[0], voice.samples[0])[0, 1] > 0.9999
    assert same == (flaws == ())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": -1}, "0 or more, not -1"),
        ({"flaw_share": 1.5}, "from 0 to 1, not 1.5"),
        ({"digits": (4, 2)}, r"shortest <= longest, not \(4, 2\)"),
        ({"digits": (0, 2)}, r"1 <= shortest"),
    ],
)
def test_values_out_of_range_are_errors(wrong, message):
    with pytest.raises(ConfigError, match=message):
        tasks(**wrong)
