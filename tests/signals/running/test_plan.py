from pathlib import Path

import pytest

from auralign.signals.ask import Request
from auralign.signals.running.plan import (
    MOST_CLIPS,
    MOST_SECONDS,
    ClipFile,
    Task,
    Work,
    longest_first,
    passes,
    tasks,
)

pytestmark = pytest.mark.usefixtures("toys")


def lengths(*seconds):
    return {ClipFile(str(k), Path(f"{k}.wav")): s for k, s in enumerate(seconds)}


def asked(*names):
    return tuple(Request(name, {}) for name in names)


def clip_names(task):
    return [work.clip.name for work in task.works]


def test_signals_with_weights_have_a_pass_each_and_the_others_share_one():
    found = passes(asked("model_a", "peak", "model_b", "rate"))
    assert [[r.signal for r in each] for each in found] == [
        ["peak", "rate"],
        ["model_a"],
        ["model_b"],
    ]


def test_without_light_signals_there_is_no_empty_pass():
    assert passes(asked("model_a")) == [asked("model_a")]
    assert passes([]) == []


def test_tasks_hold_every_clip_once_in_order():
    found = tasks(asked("peak"), lengths(*[1.0] * 100), {})
    assert [name for task in found for name in clip_names(task)] == [str(k) for k in range(100)]
    assert max(len(task.works) for task in found) <= MOST_CLIPS


def test_a_task_holds_no_more_audio_than_fits_unless_it_is_one_clip():
    found = tasks(asked("peak"), lengths(500.0, 80.0, 50.0, 30.0, 30.0, *[1.0] * 200), {})
    total = [
        sum(lengths(500.0, 80.0, 50.0, 30.0, 30.0, *[1.0] * 200)[w.clip] for w in t.works)
        for t in found
    ]
    assert clip_names(found[0]) == ["0"]
    assert all(seconds <= MOST_SECONDS for seconds in total[1:])


def test_few_clips_are_spread_over_the_workers():
    found = tasks(asked("peak"), lengths(*[1.0] * 16), {}, n_workers=2)
    assert len(found) == 8


def test_what_is_done_is_not_asked_again():
    done = {"0": {"peak", "rate"}, "1": {"rate"}}
    found = tasks(asked("peak", "rate"), lengths(1.0, 1.0, 1.0), done)
    assert sorted(answer for task in found for answer in task.answers()) == [
        ("1", "peak"),
        ("2", "peak"),
        ("2", "rate"),
    ]


def test_a_task_is_cut_into_clips_and_into_answers():
    clips = [ClipFile(name, Path(name)) for name in "ab"]
    task = Task(asked("peak", "rate"), tuple(Work(c, frozenset(("peak", "rate"))) for c in clips))
    assert [clip_names(part) for part in task.by_clip()] == [["a"], ["b"]]
    parts = [part.answers() for part in task.by_answer()]
    assert sorted(parts) == sorted([answer] for answer in task.answers())


def test_what_is_left_of_a_task_is_what_has_no_answer():
    clips = [ClipFile(name, Path(name)) for name in "ab"]
    task = Task(asked("peak", "rate"), tuple(Work(c, frozenset(("peak", "rate"))) for c in clips))
    left = task.without([("a", "peak"), ("a", "rate"), ("b", "rate")])
    assert left.answers() == [("b", "peak")]
    assert task.without(task.answers()).works == ()


def test_an_answer_that_was_lost_has_failed_for_every_measure():
    task = Task(asked("two"), (Work(ClipFile("a", Path("a")), frozenset(("two",))),))
    row = task.first_failed("the worker process died")
    assert [(s.signal, s.value, s.reason) for s in row.scores] == [
        ("two.level", None, "the worker process died"),
        ("two.tone", None, "the worker process died"),
    ]


def test_lengths_are_those_of_the_files_and_unreadable_ones_come_last(tmp_path, tone):
    from auralign.audio import write_wav

    for name, seconds in (("a", 0.1), ("b", 0.3), ("c", 0.2)):
        write_wav(tone(seconds), tmp_path / f"{name}.wav")
    (tmp_path / "x.wav").write_text("no audio")
    clips = [ClipFile(p.stem, p) for p in sorted(tmp_path.iterdir())]
    found = {clip.name: seconds for clip, seconds in longest_first(clips).items()}
    assert list(found) == ["b", "c", "a", "x"]
    assert found == {"b": pytest.approx(0.3), "c": pytest.approx(0.2), "a": 0.1, "x": 0.0}
