import csv
import math

import pandas as pd
import pytest

from auralign.errors import ConfigError, StorageError
from auralign.signals.running.export import export_results
from auralign.signals.running.results import ResultsFile, Row
from auralign.types import Score, ScoreStatus

pytestmark = pytest.mark.slow

SCORES = (
    Score("id", "two.level", 0.1 + 0.2),
    Score("id", "two.tone", None, ScoreStatus.SKIPPED, "no pitch, or too short"),
)


@pytest.fixture
def results(tmp_path):
    path = tmp_path / "s.jsonl"
    row = Row("a, b.wav", "id", 8_000, 0.5, "two", 1, {"seed": 3}, 0.25, "code: GPL", SCORES)
    with ResultsFile.open(path, {"two": (1, {"seed": 3})}, {}) as file:
        file.append([row])
    return path


def test_a_csv_has_a_line_for_each_measure_and_empty_cells_for_missing_values(results, tmp_path):
    assert export_results(results, tmp_path / "t.csv") == 2
    first, second = csv.DictReader((tmp_path / "t.csv").read_text().splitlines())
    assert first["clip"] == "a, b.wav"
    assert float(first["value"]) == 0.1 + 0.2
    assert (first["measure"], first["status"], first["version"]) == ("two.level", "ok", "1")
    assert (second["value"], second["status"], second["reason"]) == (
        "",
        "skipped",
        "no pitch, or too short",
    )
    assert (second["options"], second["licence"]) == ('{"seed": 3}', "code: GPL")


def test_a_parquet_table_has_the_same_values_and_a_null(results, tmp_path):
    export_results(results, tmp_path / "t.parquet")
    table = pd.read_parquet(tmp_path / "t.parquet")
    assert table["value"][0] == 0.1 + 0.2
    assert math.isnan(table["value"][1])
    assert list(table["measure"]) == ["two.level", "two.tone"]


def test_another_suffix_is_refused(results, tmp_path):
    with pytest.raises(ConfigError, match=r"expected .csv or .parquet at the end of .*'.xlsx'"):
        export_results(results, tmp_path / "t.xlsx")


def test_what_is_there_is_replaced_only_by_force(results, tmp_path):
    (tmp_path / "t.csv").write_text("mine")
    with pytest.raises(StorageError, match="is there already"):
        export_results(results, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "mine"
    assert export_results(results, tmp_path / "t.csv", force=True) == 2
