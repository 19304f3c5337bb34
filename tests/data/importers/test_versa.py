import json
import math

import pytest

from auralign.data import StudyFolder, validate_study
from auralign.data.importers import import_versa
from auralign.errors import DataError
from auralign.types import Outcome, Source

FIRST = {"key": "utt1", "pesq": 2.5, "stoi": 0.9, "mcd": 4.0, "utmos": 3.5}


@pytest.fixture
def imported(tmp_path):
    """The study of these lines (objects or texts), and its judgements by metric and key."""

    def of(*lines, name="sys.jsonl"):
        file = tmp_path / name
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        file.write_text("\n".join(texts) + "\n")
        study = import_versa(file, tmp_path / "study", force=True)
        by_metric = {(j.rater.removeprefix("versa:"), j.prompt_id): j for j in study.judgements()}
        return study, by_metric

    return of


def test_the_study_is_sound_and_its_raters_are_metrics(imported):
    study, judgements = imported(FIRST)
    assert validate_study(study.path) == []
    assert {j.source for j in judgements.values()} == {Source.METRIC}
    assert not study.header.has_audio
    assert [(c.id, c.system, c.prompt_id) for c in study.clips()] == [("sys/utt1", "sys", "utt1")]


def test_more_is_better_in_every_rating_and_the_context_has_the_value(imported):
    _, judgements = imported(FIRST)
    better, worse = judgements["pesq", "utt1"], judgements["mcd", "utt1"]
    assert (better.rating, worse.rating) == (2.5, -4.0)
    assert worse.context["value"] == "4.0"
    assert worse.scale == (-math.inf, 0.0)


def test_each_metric_speaks_about_its_own_dimension(imported):
    study, judgements = imported(FIRST)
    dimensions = {name: j.dimension for (name, _), j in judgements.items()}
    assert dimensions == {
        "pesq": "production_quality",
        "stoi": "content_preservation",
        "mcd": "production_quality",
        "utmos": "overall",
    }
    assert set(study.header.dimensions) == set(dimensions.values())


def test_the_zero_that_versa_writes_where_pesq_failed_is_missing(imported):
    study, judgements = imported({**FIRST, "pesq": 0.0})
    failed = judgements["pesq", "utt1"]
    assert (failed.outcome, failed.rating) == (Outcome.SKIP, None)
    assert failed.context["value"] == "0.0"
    assert "1 of 4 values were missing" in study.header.notes


@pytest.mark.parametrize("written", ["null", "NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_missing_and_stays_counted(imported, written):
    study, judgements = imported(f'{{"key": "utt1", "utmos": {written}}}')
    assert judgements["utmos", "utt1"].outcome is Outcome.SKIP
    assert validate_study(study.path) == []


def test_error_rates_are_those_of_the_utterance_and_not_counts(imported):
    counts = {"delete": 1, "insert": 2, "replace": 3, "equal": 6}
    line = {"key": "a", **{f"whisper_wer_{k}": n for k, n in counts.items()}}
    _, judgements = imported(line)
    assert list(judgements) == [("whisper_wer", "a")]
    assert judgements["whisper_wer", "a"].rating == pytest.approx(-(1 + 2 + 3) / (1 + 3 + 6))


def test_an_error_rate_without_reference_tokens_does_not_exist(imported):
    counts = {"delete": 0, "insert": 2, "replace": 0, "equal": 0}
    _, judgements = imported({"key": "a", **{f"owsm_cer_{k}": n for k, n in counts.items()}})
    assert judgements["owsm_cer", "a"].outcome is Outcome.SKIP


def test_texts_and_objects_are_no_scores(imported):
    line = {**FIRST, "ref_text": "nan", "vad_info": [{"start": 0.1}], "language": "eng", "_x": 1}
    assert {name for name, _ in imported(line)[1]} == {"pesq", "stoi", "mcd", "utmos"}


def test_a_field_that_is_not_known_only_describes(imported):
    study, judgements = imported({"key": "a", "brand_new": 7, "audiobox_aesthetics_PC": 2.0})
    assert judgements["brand_new", "a"].dimension == "brand_new"
    assert study.header.descriptive_dimensions == ("brand_new", "production_complexity")
    assert "brand_new" in study.header.notes


@pytest.mark.parametrize(
    ("printed", "rating"),
    [
        ("{'key': 'a', 'utmos': 3.5, 'ref_text': 'an infant'}", 3.5),
        ("{'key': 'a', 'utmos': np.float64(3.25)}", 3.25),
        ("{'key': 'a', 'utmos': -1.5, 'vad_info': [{'start': 0, 'end': 1.5}]}", -1.5),
        ("{'key': 'a', 'utmos': nan}", None),
        ("{'key': 'a', 'utmos': -inf}", None),
    ],
)
def test_older_files_hold_what_python_prints(imported, printed, rating):
    assert imported(printed)[1]["utmos", "a"].rating == rating


def test_what_python_would_run_is_not_run(imported, tmp_path):
    with pytest.raises(DataError, match=r"sys.jsonl line 1: expected a JSON object or a printed"):
        imported(f"{{'key': 'a', 'utmos': open({str(tmp_path / 'new')!r}, 'w')}}")
    assert not (tmp_path / "new").exists()


def test_the_files_of_a_folder_are_systems_that_answer_the_same_prompts(tmp_path):
    for system, value in (("one", 3.0), ("two", 4.0)):
        (tmp_path / f"{system}.jsonl").write_text(json.dumps({"key": "utt1", "utmos": value}))
    study = import_versa(tmp_path, tmp_path / "study")
    assert sorted(c.system for c in study.clips()) == ["one", "two"]
    assert [p.id for p in study.prompts()] == ["utt1"]
    assert StudyFolder.open(tmp_path / "study").header.name == tmp_path.stem


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['{"utmos": 3.0}'], "line 1: expected the name of an utterance as key, got None"),
        ([FIRST, FIRST], "line 2: 'utt1' is there twice"),
        ([FIRST, '{"key": "b", "utmos"'], "line 2: expected a JSON object or a printed"),
        (["[1, 2]"], r"line 1: expected an object with a key, got \[1, 2\]"),
        ([""], "expected one utterance a line, got an empty file"),
    ],
)
def test_a_broken_file_is_named_with_its_line(imported, lines, words):
    with pytest.raises(DataError, match=words):
        imported(*lines)
