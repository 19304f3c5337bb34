import pytest

from auralign.data.importers import read_attributes, read_levels, read_rater_groups
from auralign.errors import DataError


def test_every_column_of_numbers_is_an_attribute_and_an_empty_cell_is_missing(tmp_path):
    (tmp_path / "a.csv").write_text("clip,pitch,noise\nx,100,-60\ny,120,\n")
    assert read_attributes(tmp_path / "a.csv") == {
        "pitch": {"x": 100.0, "y": 120.0},
        "noise": {"x": -60.0},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name,pitch\nx,1\n",
            "expected a column 'clip' or 'system' and numbers, found name, pitch",
        ),
        ("clip\nx\n", "expected columns of numbers beside 'clip', found none"),
        ("clip,pitch\nx,low\n", "line 2: expected pitch as a number, got 'low'"),
        ("clip,pitch\nx,inf\n", "line 2: expected pitch as a number, got 'inf'"),
        ("clip,pitch\nx,1\nx,2\n", "line 3: 'x' is there twice"),
        ("clip,pitch\nx,\n", "the column 'pitch' has no values"),
    ],
)
def test_a_broken_table_is_one_sentence(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_attributes(tmp_path / "a.csv")


def test_levels_are_taken_as_they_stand(tmp_path):
    (tmp_path / "a.csv").write_text("system,codec,rate\nx,opus,64\ny,,32\n")
    assert read_levels(tmp_path / "a.csv") == {
        "codec": {"x": "opus"},
        "rate": {"x": "64", "y": "32"},
    }


def test_a_table_without_levels_is_one_sentence(tmp_path):
    (tmp_path / "a.csv").write_text("system\nx\n")
    with pytest.raises(DataError, match="expected columns of levels beside 'system', found none"):
        read_levels(tmp_path / "a.csv")


def test_groups_of_raters(tmp_path):
    (tmp_path / "a.csv").write_text("group,rater,age\nold,ann,61\n,bob,\nyoung,cleo,20\n")
    assert read_rater_groups(tmp_path / "a.csv") == {"ann": "old", "cleo": "young"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rater,age\nann,61\n", "expected the columns 'rater' and 'group', found rater, age"),
        ("rater,group\nann,a\nann,b\n", "line 3: 'ann' is there twice"),
        ("rater,group\nann,\n", "the column 'group' has no values"),
    ],
)
def test_a_broken_table_of_groups_is_one_sentence(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_rater_groups(tmp_path / "a.csv")
