import math

import numpy as np
import pytest

from auralign.errors import ConfigError
from auralign.signals.ask import LONGEST_TO_SHORTEST, Loaded, Request, ask, score_items
from auralign.signals.running.recording import Entry
from auralign.signals.signal import Direction, Item, Measure, Missing, Signal
from auralign.types import Audio, ScoreStatus

pytestmark = pytest.mark.usefixtures("toys")


def answering(*values, low=None, high=None, **fields):
    """A signal that gives these answers one after the other, and the calls that it got."""
    calls = []
    given = iter(values)

    def measurer(items):
        calls.append([item.clip_id for item in items])
        return [{"value": next(given)} for _ in items]

    measure = Measure("value", "", Direction.MAX, (), low, high)
    fields = {"rejects_silence": False, **fields}
    signal = Signal("toy", 1, "A toy.", (measure,), lambda: measurer, **fields)
    return Loaded(signal, {}, measurer, {}), calls


def clip(name, seconds=1.0, rate=100):
    return Entry.of(Item(name, Audio(np.ones((1, round(seconds * rate)), np.float32), rate)))


def scores(loaded, entries):
    rows = [row for batch in ask(loaded, entries) for row in batch]
    return {row.clip: row.scores[0] for row in rows}


def test_a_number_is_ok_and_a_missing_one_says_why():
    loaded, _ = answering(0.25, Missing("no pitch"))
    by_clip = scores(loaded, [clip("a", 2.0), clip("b", 1.0)])
    assert (by_clip["a"].value, by_clip["a"].status) == (0.25, ScoreStatus.OK)
    missing = by_clip["b"]
    assert (missing.value, missing.status, missing.reason) == (
        None,
        ScoreStatus.SKIPPED,
        "no pitch",
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_has_failed(value):
    loaded, _ = answering(value)
    score = scores(loaded, [clip("a")])["a"]
    assert (score.value, score.status, score.reason) == (
        None,
        ScoreStatus.FAILED,
        "not a finite number",
    )


def test_a_zero_below_the_scale_is_not_taken_for_a_bad_score():
    loaded, _ = answering(0.0, low=1.0, high=4.5)
    score = scores(loaded, [clip("a")])["a"]
    assert score.value is None
    assert score.reason == "below the range, which begins at 1"


def test_rounding_at_the_end_of_the_range_is_no_failure():
    loaded, _ = answering(1.0 + 1e-9, 1.0 + 1e-3, high=1.0)
    by_clip = scores(loaded, [clip("a", 2.0), clip("b", 1.0)])
    assert by_clip["a"].status is ScoreStatus.OK
    assert by_clip["b"].reason == "above the range, which ends at 1"


def test_a_measure_without_an_answer_has_failed():
    loaded, _ = answering(None)
    assert scores(loaded, [clip("a")])["a"].reason == "no answer"


def test_a_refused_clip_never_reaches_the_signal():
    loaded, calls = answering(1.0, shortest_s=0.5)
    by_clip = scores(loaded, [clip("short", 0.1), clip("long", 1.0)])
    assert calls == [["long"]]
    assert (by_clip["short"].status, by_clip["short"].reason) == (
        ScoreStatus.SKIPPED,
        "shorter than 0.5 s",
    )


def test_an_exception_is_the_reason_of_its_clip_and_of_no_other_in_the_batch():
    audio = Audio(np.ones((1, 100), np.float32), 100)
    items = [Item(str(k), audio, label="bad" if k == 1 else None) for k in range(3)]
    rows = score_items("fragile", items)
    assert [row.scores[0].value for row in rows] == [1.0, None, 1.0]
    assert rows[1].scores[0].reason == "ValueError: cannot hear it"


def test_clips_of_similar_length_share_a_call_and_others_do_not():
    loaded, calls = answering(*range(6), batchable=True)
    lengths = {"a": 1.0, "b": 3.0, "c": 1.2, "d": 2.9, "e": 1.1, "f": 10.0}
    scores(loaded, [clip(name, seconds) for name, seconds in lengths.items()])
    assert calls == [["f"], ["b", "d"], ["c", "e", "a"]]
    for call in calls:
        seconds = [lengths[name] for name in call]
        assert max(seconds) <= LONGEST_TO_SHORTEST * min(seconds)


def test_a_padded_batch_stays_within_its_seconds():
    loaded, calls = answering(*range(4), batchable=True)
    scores(loaded, [clip(str(k), 100.0) for k in range(4)])
    assert [len(call) for call in calls] == [2, 2]


def test_a_signal_that_gains_nothing_from_batches_gets_one_clip_a_call():
    loaded, calls = answering(*range(3))
    scores(loaded, [clip(str(k)) for k in range(3)])
    assert [len(call) for call in calls] == [1, 1, 1]


def test_too_few_answers_are_a_failure_of_every_clip():
    loaded, _ = answering(1.0)
    silent = Loaded(loaded.signal, {}, lambda items: [], {})
    assert scores(silent, [clip("a")])["a"].reason == "0 answers to 1 clips"


def test_rows_of_items_in_memory_keep_their_order_and_names():
    long, short = (Audio(np.full((1, n), n / 1000, np.float32), 100) for n in (500, 100))
    rows = score_items("peak", [Item("b", short), Item("a", long), Item("b", short)])
    assert [row.clip for row in rows] == ["b", "a", "b"]
    assert [row.scores[0].value for row in rows] == pytest.approx([0.1, 0.5, 0.1])


def test_every_measure_of_a_signal_has_a_score_with_its_full_name():
    (row,) = score_items("two", [Item("a", Audio(np.ones((1, 10), np.float32), 100))])
    level, tone = row.scores
    assert (level.signal, level.value) == ("two.level", 1.0)
    assert (tone.signal, tone.reason) == ("two.tone", "no pitch")


def test_samples_that_nobody_can_measure_still_have_a_row():
    (row,) = score_items("peak", [Item("a", Audio(np.zeros(5, np.int16), 100))])
    assert (row.duration_s, row.scores[0].status) == (None, ScoreStatus.SKIPPED)


def test_a_licence_that_is_not_permissive_is_in_the_row():
    audio = Audio(np.ones((1, 10), np.float32), 100)
    assert score_items("model_a", [Item("a", audio)])[0].licence is None
    assert score_items("model_b", [Item("a", audio)])[0].licence == "weights: CC-BY-NC-4.0"


def test_an_option_that_a_signal_does_not_take_is_refused():
    with pytest.raises(ConfigError, match=r"takes no option 'only_one'.*did you mean 'only_once'"):
        Loaded.of(Request("deadly", {"only_one": "x"}))
