import numpy as np
import pytest

from auralign.audio.levels import active_duration_s
from auralign.evaluation.signals import SIGNALS, compare_signals, measure
from auralign.types import Audio, Prompt

PROMPTS = [
    Prompt("p0", "one two three four"),
    Prompt("p1", "five"),
    Prompt("p2", "six seven"),
    Prompt("p3", "eight nine zero"),
]
N_WORDS = np.array([4.0, 1.0, 2.0, 3.0])


def tone(seconds: float, amplitude: float = 0.1) -> Audio:
    t = np.arange(round(seconds * 16_000)) / 16_000
    return Audio((amplitude * np.sin(2 * np.pi * 500 * t)).astype(np.float32)[None], 16_000)


def values(**columns: list[float]) -> dict[str, np.ndarray]:
    """Every signal of four clips, 1 where nothing is said of it."""
    names = {name.replace(" ", "_"): name for name in SIGNALS}
    found = {name: np.ones(4) for name in SIGNALS}
    return found | {names[key]: np.array(column) for key, column in columns.items()}


def compare(before: dict[str, np.ndarray], after: dict[str, np.ndarray], prompts=PROMPTS):
    rows = compare_signals(before, after, prompts, rng=np.random.default_rng(0))
    return {row.name: row for row in rows}


def test_every_signal_of_every_clip_is_measured():
    audios = [tone(2.0), tone(1.0), tone(1.5), tone(0.3)]
    heard = ["one two nine", "five", "six seven eight", "eight nine zero"]
    found = measure(audios, PROMPTS, heard)
    assert found.keys() == SIGNALS.keys()
    # A substitution and a deletion in four words, an insertion after two.
    np.testing.assert_allclose(found["word error"], [2 / 4, 0, 1 / 2, 0])
    np.testing.assert_allclose(found["duration"], [2, 1, 1.5, 0.3])
    active = [active_duration_s(a) for a in audios]
    np.testing.assert_allclose(found["speaking rate"], N_WORDS / active)
    # BS.1770 needs blocks of 0.4 s: missing is not zero.
    assert np.isnan(found["loudness"]).tolist() == [False, False, False, True]


def test_a_silent_clip_has_no_speaking_rate_and_a_wordless_prompt_no_word_error():
    silence = Audio(np.zeros((1, 16_000), dtype=np.float32), 16_000)
    found = measure([silence, tone(1.0)], [PROMPTS[0], Prompt("p", "")], ["", "one"])
    assert np.isnan(found["speaking rate"][0])
    assert found["word error"][0] == 1.0
    assert np.isnan(found["word error"][1])


@pytest.fixture(scope="module")
def rows():
    before = values(
        duration=[1, 2, 3, 4],
        word_error=[0.5, 1.0, 0.0, 1 / 3],
        loudness=[-20, np.nan, -22, -24],
        speaking_rate=[2.0, np.nan, np.nan, 3.0],
        clipping=[np.nan, np.nan, np.nan, 1.0],
    )
    after = values(
        duration=[2, 3, 4, 5.5],
        word_error=[0, 0, 0, 0],
        loudness=[-18, -18, np.nan, -23],
        speaking_rate=[2.0, 2.0, 2.0, np.nan],
    )
    return compare(before, after)


def test_a_difference_is_after_less_before(rows):
    row = rows["duration"]
    assert (row.before, row.after) == (2.5, 3.625)
    assert row.difference.value == pytest.approx(1.125)
    assert 0 < row.difference.low <= row.difference.value <= row.difference.high


def test_word_errors_are_pooled_over_words_and_the_rest_averaged_over_clips(rows):
    row = rows["word error"]
    # 2 + 1 + 0 + 1 errors in ten words.
    assert row.before == pytest.approx(0.4)
    assert row.after == 0
    assert row.difference.value == pytest.approx(-0.4)


def test_clips_without_a_value_on_either_side_are_left_out_of_both_and_counted(rows):
    row = rows["loudness"]
    assert (row.n_scored, row.n_total) == (2, 4)
    assert (row.before, row.after) == (-22, -20.5)
    assert row.difference.value == pytest.approx(1.5)


@pytest.mark.parametrize("name", ["speaking rate", "clipping"])
def test_a_signal_of_fewer_than_two_prompts_has_no_numbers(rows, name):
    row = rows[name]
    assert (row.before, row.after, row.difference) == (None, None, None)
    assert (row.n_scored, row.n_total) == (1, 4)


def test_rows_carry_the_unit_the_direction_and_the_note_of_their_signal(rows):
    assert rows.keys() == SIGNALS.keys()
    for name, row in rows.items():
        assert (row.unit, row.direction, row.note) == SIGNALS[name]


def test_exchanging_before_and_after_mirrors_every_difference():
    rng = np.random.default_rng(0)
    before, after = ({name: rng.normal(size=4) for name in SIGNALS} for _ in range(2))
    forward, backward = compare(before, after), compare(after, before)
    for name, row in forward.items():
        mirrored = backward[name]
        assert (mirrored.before, mirrored.after) == (row.after, row.before)
        assert mirrored.difference.value == pytest.approx(-row.difference.value)
        assert mirrored.difference.low == pytest.approx(-row.difference.high)


def test_two_clips_of_one_prompt_are_one_cluster():
    prompts = [PROMPTS[0], PROMPTS[0], PROMPTS[1], PROMPTS[1]]
    row = compare(values(), values(duration=[2, 2, 3, 3]), prompts)["duration"]
    assert (row.difference.n, row.difference.n_clusters) == (4, 2)
