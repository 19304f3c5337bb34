import json
from dataclasses import replace

import pytest

from auralign.errors import DataError, RunStateError
from auralign.signals.running.results import (
    ResultsFile,
    Row,
    from_line,
    read_results,
    repair,
    to_line,
)
from auralign.types import Score, ScoreStatus

pytestmark = pytest.mark.slow


def row(clip="a.wav", signal="peak", value=0.5, version=1, options=None):
    status = ScoreStatus.SKIPPED if value is None else ScoreStatus.OK
    score = Score("id", signal, value, status, "" if status is ScoreStatus.OK else "too: short")
    options = options or {}
    return Row(clip, "id", 8_000, 0.5, signal, version, options, 0.25, None, (score,))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "s.jsonl"


def asked(**signals):
    return {name: (version, {}) for name, version in signals.items()}


def write(path, *rows, signals=None):
    with ResultsFile.open(path, signals or asked(peak=1), {}) as results:
        results.append(rows)
    return path


@pytest.mark.parametrize("value", [0.1 + 0.2, -0.0, 1e300, None])
def test_a_row_comes_back_from_its_line(value):
    assert from_line(to_line(row(value=value))) == row(value=value)


def test_a_line_is_strict_json_that_says_value_and_status(path):
    document = json.loads(to_line(row(value=None)))
    assert document["scores"] == {"peak": {"value": None, "status": "skipped:too: short"}}
    assert (document["clip"], document["seconds"], document["sample_rate"]) == ("a.wav", 0.25, 8000)


def test_a_licence_is_recorded_where_there_is_one_to_mind():
    licensed = Row("a", "id", 1, 1.0, "s", 1, {}, 0.0, "code: GPL-3.0-or-later", ())
    assert from_line(to_line(licensed)).licence == "code: GPL-3.0-or-later"
    assert b"licence" not in to_line(row())


def test_rows_are_appended_and_read_in_order(path):
    write(path, row("a"), row("b"))
    write(path, row("c"))
    assert [r.clip for r in read_results(path)] == ["a", "b", "c"]


def test_what_is_done_is_known_by_clip_and_signal(path):
    write(path, row("a"), row("a", "rate"), row("b"))
    assert ResultsFile.open(path, asked(peak=1), {}).done == {"a": {"peak", "rate"}, "b": {"peak"}}


@pytest.mark.parametrize("kept", [1, 20, -1])
def test_a_torn_last_line_is_cut_off_and_nothing_else(path, kept):
    whole = write(path, row("a")).read_bytes()
    path.write_bytes(whole + to_line(row("b"))[:kept])
    assert [r.clip for r in read_results(path)] == ["a"]
    assert repair(path) > 0
    assert path.read_bytes() == whole
    assert repair(path) == 0


def test_a_torn_line_longer_than_a_block_is_cut_off(path):
    whole = write(path, row("a")).read_bytes()
    path.write_bytes(whole + b"x" * 200_000)
    assert repair(path) == 200_000
    assert path.read_bytes() == whole


@pytest.mark.parametrize("written", [0, 1, 30])
def test_a_file_that_was_killed_in_its_first_line_begins_anew(path, written):
    head = write(path).read_bytes()
    path.write_bytes(head[:written])
    write(path, row("a"))
    assert [r.clip for r in read_results(path)] == ["a"]


def test_a_broken_line_in_the_middle_is_named(path):
    whole = write(path, row("a")).read_bytes()
    path.write_bytes(whole + b'{"clip": "b"}\n' + to_line(row("c")))
    with pytest.raises(DataError, match="line 3: expected what a signal says"):
        list(read_results(path))


def test_a_value_without_the_status_ok_is_no_row():
    line = to_line(row()).replace(b'"ok"', b'"failed:x"')
    with pytest.raises(ValueError, match=r"has the value 0.5 and the status 'failed'"):
        from_line(line)


@pytest.mark.parametrize("content", ["a,b\n1,2\n", '{"key": "utt1"}\n', "[]\n", "no newline" * 9])
def test_another_file_is_not_touched(path, content):
    path.write_text(content)
    with pytest.raises(DataError, match="expected results of `auralign score`"):
        ResultsFile.open(path, asked(peak=1), {})
    assert path.read_text() == content


def test_force_replaces_what_is_there(path):
    write(path, row("a"))
    with ResultsFile.open(path, asked(peak=1), {}, force=True) as results:
        results.append([row("b")])
    assert [r.clip for r in read_results(path)] == ["b"]


@pytest.mark.parametrize("now", [{"peak": (2, {})}, {"peak": (1, {"seed": 3})}])
def test_answers_of_another_version_or_with_other_options_do_not_fit(path, now):
    write(path, row())
    with pytest.raises(RunStateError, match=r"in version 1 with the options \{\}, not in version"):
        ResultsFile.open(path, now, {})


def test_answers_about_a_clip_with_another_text_do_not_fit(path):
    told = replace(row("a"), given={"text": "one"})
    write(path, told)
    assert ResultsFile.open(path, asked(peak=1), {"a": {"text": "one"}}).done == {"a": {"peak"}}
    with pytest.raises(RunStateError, match=r"about 'a' with \{'text': 'one'\}, not with \{\}"):
        ResultsFile.open(path, asked(peak=1), {"a": {}})
    assert ResultsFile.open(path, asked(peak=1), {"b": {}}).done == {"a": {"peak"}}


def test_answers_of_signals_that_are_not_asked_now_stay(path):
    write(path, row(signal="peak", version=7), signals=asked(peak=7))
    write(path, row(signal="rate"), signals=asked(rate=1))
    assert [r.signal for r in read_results(path)] == ["peak", "rate"]


def test_results_of_a_newer_auralign_are_not_read(path):
    path.write_text('{"schema": "auralign.scores", "schema_version": 99}\n')
    with pytest.raises(DataError, match="expected schema version 1 or older, got 99"):
        list(read_results(path))


def test_a_missing_file_is_a_sentence(path):
    with pytest.raises(DataError, match="cannot be read"):
        list(read_results(path))
