import json
from pathlib import Path

import pytest

from auralign.errors import ConfigError
from auralign.files import to_json
from auralign.signals.explain import explain, listing, page
from auralign.signals.gate import unusable
from auralign.signals.registry import signals


def test_every_signal_is_listed_once_with_all_that_the_registry_says():
    records = json.loads(to_json(listing()))
    assert [r["name"] for r in records] == list(signals())
    needed = {
        "version",
        "measures",
        "requires",
        "sample_rate",
        "shortest_s",
        "longest_s",
        "channels",
        "deterministic",
        "batchable",
        "device",
        "code_licence",
        "weights_licence",
        "download_bytes",
        "validity",
        "failures",
        "ladders",
    }
    assert all(needed <= set(record) for record in records)
    measures = [measure for record in records for measure in record["measures"]]
    assert all({"unit", "direction", "dimensions", "range"} <= set(m) for m in measures)


def test_an_explanation_names_every_measure_with_its_better_end(toys):
    text = explain("two")
    assert text.startswith("two()  version 1")
    assert "two.level: more is better, any value; production quality" in text
    assert "two.tone" in text


def test_an_explanation_says_what_is_needed_and_under_which_licence(toys):
    assert "needs:        a reference that is aligned in time" in explain("twin")
    assert "weights CC-BY-NC-4.0" in explain("model_b")
    assert "hears:        16000 Hz, mean over channels" in explain("rate")
    assert "deadly(only_once='')" in explain("deadly")


def test_a_range_is_given_where_there_is_one(toys):
    assert "wild.value: more is better, 1 to 4.5" in explain("wild")


def test_lines_fit_a_terminal():
    for name in signals():
        assert max(map(len, explain(name).splitlines())) <= 80, name


def test_an_unknown_signal_is_a_sentence():
    with pytest.raises(ConfigError, match="there is no signal 'nothing'"):
        explain("nothing")


def test_the_page_has_every_signal_and_the_reasons_of_the_gate(tone):
    text = page()
    for name in signals():
        assert f"### {name}\n" in text
        assert f"[`{name}`](#{name})" in text
    broken = tone()
    broken.samples[0, 3] = float("nan")
    assert f"`{unusable(broken)}`" in text


def test_no_cell_of_the_page_breaks_its_table():
    rows = [line for line in page().splitlines() if line.startswith("| [`")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {6}


def test_the_page_of_the_docs_is_what_the_registry_says():
    """Made anew by `auralign.signals.explain.page`; third parties' signals are not on it."""
    written = (Path(__file__).parents[2] / "docs" / "signals.md").read_text(encoding="utf-8")
    assert written == page()
