import os
import subprocess
import sys
from dataclasses import replace

import pytest

from auralign.audio import write_wav
from auralign.errors import AuralignError, ConfigError, RunStateError
from auralign.signals import ask as asking
from auralign.signals.ask import Request
from auralign.signals.running.plan import ClipFile
from auralign.signals.running.results import read_results
from auralign.signals.running.runner import run_signals
from auralign.types import ScoreStatus

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("toys")]


def clips(folder, **of_name):
    """The WAV files in the folder; keywords give a clip its label."""
    return [ClipFile(p.stem, p, label=of_name.get(p.stem)) for p in sorted(folder.glob("*.wav"))]


def requests(*names, **options):
    return [Request(name, options.get(name, {})) for name in names]


def run(folder, *names, options=None, **settings):
    labels = settings.pop("labels", {})
    settings.setdefault("workers", 1)
    out = folder / "s.jsonl"
    return run_signals(
        clips(folder, **labels), requests(*names, **(options or {})), out, **settings
    )


def scores(folder):
    """(clip, measure) -> value or reason."""
    return {
        (row.clip, score.signal): score.value if score.value is not None else score.reason
        for row in read_results(folder / "s.jsonl")
        for score in row.scores
    }


def rows(folder):
    return list(read_results(folder / "s.jsonl"))


@pytest.fixture
def four(folder):
    return folder(a=0.1, b=0.2, c=0.3, d=0.4)


def test_every_signal_answers_about_every_clip(four):
    done = run(four, "peak", "rate", "two")
    assert (done.n_clips, done.n_reused, done.n_new) == (4, 0, 12)
    found = scores(four)
    assert found["b", "peak.value"] == pytest.approx(0.2, abs=1e-3)
    assert found["a", "rate.value"] == 16_000
    assert found["d", "two.tone"] == "no pitch"
    assert len(found) == 16


@pytest.mark.parametrize("workers", [1, 2])
def test_processes_find_the_same_as_one(four, workers):
    run(four, "peak", "rate", "two", workers=workers)
    levels = dict(zip("abcd", (0.1, 0.2, 0.3, 0.4), strict=True))
    expected = {}
    for clip, level in levels.items():
        heard = pytest.approx(level, abs=1e-3)
        expected |= {(clip, "peak.value"): heard, (clip, "two.level"): heard}
        expected |= {(clip, "rate.value"): 16_000, (clip, "two.tone"): "no pitch"}
    assert scores(four) == expected


def test_a_run_that_is_repeated_asks_nothing(four):
    run(four, "peak")
    before = (four / "s.jsonl").read_bytes()
    again = run(four, "peak")
    assert (again.n_reused, again.n_new) == (4, 0)
    assert (four / "s.jsonl").read_bytes() == before


@pytest.mark.parametrize("kept", range(6))
def test_wherever_it_was_torn_a_run_goes_on_to_the_same_result(four, kept):
    run(four, "peak")
    whole = (four / "s.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    torn = b"".join(lines[:kept]) + (lines[kept][:25] if kept < len(lines) else b"")
    expected = scores(four)
    (four / "s.jsonl").write_bytes(torn)
    run(four, "peak")
    assert scores(four) == expected
    assert len((four / "s.jsonl").read_bytes().splitlines()) == len(lines)


def test_another_signal_or_clip_adds_to_the_file(four, tone):
    run(four, "peak")
    write_wav(tone(level=0.6), four / "e.wav")
    done = run(four, "peak", "rate")
    assert (done.n_reused, done.n_new) == (4, 6)
    assert len(scores(four)) == 10


def written_later(path, results):
    later = results.stat().st_mtime + 10
    os.utime(path, (later, later))


def test_a_clip_that_was_changed_after_it_was_measured_is_not_taken_for_done(four, tone):
    run(four, "peak")
    write_wav(tone(level=0.9), four / "b.wav")
    written_later(four / "b.wav", four / "s.jsonl")
    with pytest.raises(RunStateError, match=r"b.wav or its reference was changed after"):
        run(four, "peak")
    run(four, "peak", force=True)
    assert scores(four)["b", "peak.value"] == pytest.approx(0.9, abs=1e-3)


def test_a_clip_that_was_only_copied_again_is_still_done(four):
    run(four, "peak")
    written_later(four / "b.wav", four / "s.jsonl")
    assert run(four, "peak").n_reused == 4


def test_what_came_along_is_recorded_and_has_to_be_the_same(four):
    out = four / "s.jsonl"
    told = [replace(clip, reference=four / "a.wav", text="one") for clip in clips(four)]
    run_signals(told, requests("twin"), out, workers=1)
    assert rows(four)[0].given == {"reference": str(four / "a.wav"), "text": "one"}
    assert run_signals(told, requests("twin"), out, workers=1).n_reused == 4
    with pytest.raises(RunStateError, match="holds answers of 'twin' about"):
        run_signals(clips(four), requests("twin"), out, workers=1)


def test_a_file_that_cannot_be_read_fails_for_every_signal_and_stops_nothing(four):
    (four / "broken.wav").write_bytes(b"RIFF but no more")
    run(four, "peak", "rate")
    broken = [row for row in rows(four) if row.clip == "broken"]
    assert [row.scores[0].status for row in broken] == [ScoreStatus.FAILED] * 2
    assert broken[0].clip_id is None
    assert "expected audio" in broken[0].scores[0].reason
    assert str(four) not in broken[0].scores[0].reason
    assert len(rows(four)) == 10


def test_two_clips_of_one_name_are_refused(four):
    twice = clips(four) + clips(four)
    with pytest.raises(ConfigError, match="the clip 'a' is given twice"):
        run_signals(twice, requests("peak"), four / "s.jsonl")
    assert not (four / "s.jsonl").exists()


def test_a_signal_that_cannot_be_loaded_stops_the_run_before_it_asks(four):
    with pytest.raises(AuralignError, match=r"'broken' could not be loaded .*no such weights"):
        run(four, "broken")
    assert rows(four) == []


def test_a_worker_says_why_a_signal_cannot_be_loaded(four):
    with pytest.raises(AuralignError, match=r"'broken' could not be loaded .*no such weights"):
        run(four, "broken", workers=2)


def test_a_signal_that_kills_what_loads_it_stops_the_run(four):
    with pytest.raises(AuralignError, match="2 worker processes died while they loaded suicidal"):
        run(four, "suicidal", workers=2)


def test_a_worker_that_is_killed_once_costs_nothing(four):
    once = {"only_once": str(four / "killed")}
    labels = {"c": "deadly"}
    run(four, "peak", "deadly", "rate", workers=2, options={"deadly": once}, labels=labels)
    assert (four / "killed").exists()
    found = rows(four)
    assert len(found) == len({(r.clip, r.signal) for r in found}) == 12
    assert all(score.status is ScoreStatus.OK for r in found for score in r.scores)


def test_a_clip_that_kills_every_worker_fails_by_that_signal_only(four):
    run(four, "peak", "deadly", "rate", workers=2, labels={"c": "deadly"})
    found = rows(four)
    assert len(found) == len({(r.clip, r.signal) for r in found}) == 12
    bad = [(r.clip, r.signal, s.reason) for r in found for s in r.scores if s.value is None]
    assert bad == [("c", "deadly", "the worker process died")]


def test_one_model_is_loaded_at_a_time_and_once(four, tmp_path, monkeypatch):
    log, loaded = tmp_path / "log", []
    load = asking.Loaded.of.__func__

    def noting(cls, request):
        loaded.append(request.signal)
        return load(cls, request)

    monkeypatch.setattr(asking.Loaded, "of", classmethod(noting))
    options = {name: {"log": str(log)} for name in ("model_a", "model_b")}
    run(four, "model_a", "peak", "model_b", "rate", options=options)
    assert loaded == ["peak", "rate", "model_a", "model_b"]
    assert log.read_text() == "loaded\n" * 2
    order = [row.signal for row in rows(four)]
    assert order.index("model_b") > max(k for k, name in enumerate(order) if name == "model_a")


def test_a_clip_is_decoded_and_resampled_once_for_all_signals_of_a_pass(four, monkeypatch):
    from auralign.signals.running import recording, work

    reads, resampled = [], []
    read, resample = work.read_audio, recording.resample
    monkeypatch.setattr(work, "read_audio", lambda path: reads.append(path) or read(path))
    monkeypatch.setattr(
        recording, "resample", lambda a, rate: resampled.append(rate) or resample(a, rate)
    )
    run(four, "peak", "rate", "two", "channels")
    assert len(reads) == 4
    assert resampled == [16_000] * 4


def test_clips_with_one_reference_decode_it_once(four, monkeypatch):
    from auralign.signals.running import work

    reads, read = [], work.read_audio
    monkeypatch.setattr(work, "read_audio", lambda path: reads.append(path.stem) or read(path))
    shared = [ClipFile(c.name, c.path, reference=four / "a.wav") for c in clips(four)]
    run_signals(shared, requests("twin"), four / "s.jsonl", workers=1)
    tasks_of_one = reads.count("a") - 1
    assert tasks_of_one <= 4
    assert all(row.scores[0].status is ScoreStatus.OK for row in rows(four))


def test_the_cache_answers_for_the_same_samples_under_another_name(four, monkeypatch):
    cache = four / "cache.sqlite"
    run(four, "peak", "two", cache=cache)
    os.rename(four / "a.wav", four / "z.wav")
    first = scores(four)

    def refuse(*_):
        raise AssertionError("a signal was asked")

    monkeypatch.setattr(asking, "_answers", refuse)
    run(four, "peak", "two", cache=cache, force=True)
    second = scores(four)
    assert second["z", "peak.value"] == first["a", "peak.value"]
    assert second["z", "two.tone"] == "no pitch"
    assert all(row.seconds == 0 for row in rows(four))


def test_the_cache_is_shared_by_processes_and_keeps_no_failure(four):
    cache = four / "cache.sqlite"
    options = {"moody": {"log": str(four)}}
    run(four, "moody", cache=cache, options=options)
    assert {row.scores[0].status for row in rows(four)} == {ScoreStatus.FAILED}
    run(four, "moody", cache=cache, workers=2, options=options, force=True)
    assert {row.scores[0].status for row in rows(four)} == {ScoreStatus.OK}


def test_the_cache_is_of_this_machine(four):
    with pytest.raises(ConfigError, match="leave it out with --engine ray"):
        run(four, "peak", engine="ray", cache=four / "cache.sqlite")


def test_progress_counts_answers(four):
    seen = []
    run(four, "peak", "rate", progress=lambda known, asked: seen.append((known, asked)))
    assert seen[0] == (0, 8)
    assert seen[-1] == (8, 8)
    assert seen == sorted(seen)


def test_no_clips_and_no_signals_are_an_empty_file(tmp_path):
    done = run_signals([], requests("peak"), tmp_path / "s.jsonl")
    assert (done.n_clips, done.n_new) == (0, 0)
    assert list(read_results(tmp_path / "s.jsonl")) == []


def test_a_run_that_is_killed_goes_on_where_it_was(four, toy_package, tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(
        "import os, signal, sys\n"
        f"sys.path.insert(0, {str(toy_package)!r})\n"
        "from pathlib import Path\n"
        "from auralign.signals.ask import Request\n"
        "from auralign.signals.running.plan import ClipFile\n"
        "from auralign.signals.running.runner import run_signals\n"
        f"folder = Path({str(four)!r})\n"
        "clips = [ClipFile(p.stem, p) for p in sorted(folder.glob('*.wav'))]\n"
        "def stop(known, asked):\n"
        "    if known >= 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "run_signals(clips, [Request('peak', {}), Request('two', {})], folder / 's.jsonl',\n"
        "            workers=1, progress=stop)\n"
    )
    assert subprocess.run([sys.executable, str(script)]).returncode == -9
    kept = len(rows(four))
    assert 0 < kept < 8
    done = run(four, "peak", "two")
    assert (done.n_reused, done.n_new) == (kept, 8 - kept)
    assert len(scores(four)) == 12
