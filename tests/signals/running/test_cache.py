from pathlib import Path

import pytest

from auralign.errors import DataError
from auralign.signals.running.cache import Cache, cache_key
from auralign.signals.running.results import Row
from auralign.types import Score

pytestmark = pytest.mark.slow

PARTS = {"clip_id": "ab", "signal": "peak", "version": 1, "options": {"seed": 0}}


def row(clip="a.wav", value=0.5):
    return Row(clip, "ab", 8_000, 0.5, "peak", 1, {}, 0.25, None, (Score("ab", "peak", value),))


@pytest.mark.parametrize(
    "change",
    [
        {"clip_id": "cd"},
        {"signal": "rate"},
        {"version": 2},
        {"options": {"seed": 1}},
        {"options": {}},
        {"reference_id": "ef"},
        {"text": "one"},
        {"label": "one"},
    ],
)
def test_everything_that_an_answer_depends_on_is_in_the_key(change):
    assert cache_key(**{**PARTS, **change}) != cache_key(**PARTS)


def test_the_order_of_options_is_not():
    one, other = ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert cache_key(**{**PARTS, "options": one}) == cache_key(**{**PARTS, "options": other})


def test_an_answer_is_known_to_every_handle_on_the_file(tmp_path):
    path = tmp_path / "new" / "cache.sqlite"
    one, other = Cache(path), Cache(path)
    one.put({"k": row()})
    assert other.get("k") == row()
    assert other.get("unknown") is None
    one.close()
    other.close()


def test_another_file_is_refused_and_not_touched(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to have a header of one " * 4)
    before = path.read_bytes()
    with pytest.raises(DataError, match="expected a cache of `auralign score`"):
        Cache(path)
    assert path.read_bytes() == before


def test_a_cache_is_removed_by_removing_its_file(tmp_path):
    cache = Cache(tmp_path / "cache.sqlite")
    cache.put({"k": row()})
    cache.close()
    assert [p.name for p in Path(tmp_path).iterdir()] == ["cache.sqlite"]
