import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.signals.running.results import Row
from auralign.signals.summary import summarise
from auralign.types import Score, ScoreStatus


def row(*scores, signal="peak"):
    return Row("a", "id", 8_000, 0.5, signal, 1, {}, 0.0, None, scores)


def ok(value, name="peak.value"):
    return Score("id", name, value)


def skipped(reason, name="peak.value"):
    return Score("id", name, None, ScoreStatus.SKIPPED, reason)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_running_sums_equal_the_textbook(values):
    (summary,) = summarise(row(ok(v)) for v in values)
    assert summary.mean == pytest.approx(statistics.fmean(values), rel=1e-9, abs=1e-6)
    assert summary.sd == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-6)
    assert (summary.lowest, summary.highest) == (min(values), max(values))


def test_a_mean_says_how_many_clips_it_is_over_and_why_others_are_not():
    failed = Score("id", "peak.value", None, ScoreStatus.FAILED, "no answer")
    rows = [row(ok(1.0)), row(ok(3.0)), row(skipped("digital silence")), row(failed)]
    (summary,) = summarise([*rows, row(skipped("digital silence"))])
    assert (summary.n_ok, summary.n_clips, summary.mean) == (2, 5, 2.0)
    assert summary.missing == {"skipped:digital silence": 2, "failed:no answer": 1}


def test_without_a_value_there_is_no_mean_and_no_zero():
    (summary,) = summarise([row(skipped("no samples"))])
    assert (summary.mean, summary.sd, summary.lowest, summary.highest) == (None,) * 4
    assert (summary.n_ok, summary.n_clips) == (0, 1)


def test_one_value_has_no_standard_deviation():
    (summary,) = summarise([row(ok(2.0))])
    assert (summary.mean, summary.sd) == (2.0, None)


def test_measures_keep_their_order():
    rows = [row(ok(1.0, "two.level"), ok(2.0, "two.tone"))] * 2
    assert [s.name for s in summarise(rows)] == ["two.level", "two.tone"]


@pytest.mark.usefixtures("toys")
def test_the_registry_says_which_way_is_better():
    known, other = summarise([row(ok(1.0)), row(ok(1.0, "gone.value"), signal="gone")])
    assert (known.direction, other.direction) == ("max", "")


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(("rate", "n"), [(8_000, 1), (16_000, 0), (44_100, 0)])
def test_files_of_a_lower_rate_than_the_signal_hears_are_counted(rate, n):
    heard = Row("a", "id", rate, 0.5, "rate", 1, {}, 0.0, None, (ok(1.0, "rate.value"),))
    (summary,) = summarise([heard])
    assert summary.n_upsampled == n


def test_large_offsets_do_not_lose_the_spread():
    (summary,) = summarise(row(ok(1e9 + k)) for k in (0.0, 1.0, 2.0))
    assert summary.sd == pytest.approx(1.0)
    assert math.isfinite(summary.mean)
