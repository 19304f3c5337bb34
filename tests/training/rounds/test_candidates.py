"""Candidates on the disk are those that were sampled, each once."""

import numpy as np
import pytest

from auralign.data.validate import validate_study
from auralign.errors import DataError, StorageError
from auralign.training.rounds.candidates import draw_from_policy, read_candidates, write_candidates
from auralign.training.rounds.context import RoundContext
from auralign.training.rounds.records import Sampled, candidates_hash
from auralign.types import Audio, Prompt

PROMPTS = [Prompt("p0", "one", "ann"), Prompt("p1", "two", "ann")]


def rows(*codes: int) -> list[Sampled]:
    return [Sampled(PROMPTS[i % 2], np.full((2, 3 + i), c), "policy") for i, c in enumerate(codes)]


def tone(tokens):
    """Codes as samples: other codes sound different."""
    return [
        Audio(np.full((1, 80 * t.shape[1]), 0.1 * (1 + t[0, 0]), np.float32), 8000) for t in tokens
    ]


@pytest.mark.parametrize("decode", [None, tone], ids=["codes", "audio"])
def test_what_was_written_is_read_back(tmp_path, decode):
    written = rows(0, 1, 2)
    write_candidates(tmp_path / "c", written, decode, name="c", simulated=True)
    found = read_candidates(tmp_path / "c")
    assert [c.prompt_id for c in found.clips] == ["p0", "p1", "p0"]
    assert [found.tokens[c.id].tolist() for c in found.clips] == [
        row.tokens.tolist() for row in written
    ]
    assert found.study.header.has_audio is (decode is not None)
    assert validate_study(found.study.path) == []


def test_the_same_codes_for_one_prompt_are_one_candidate(tmp_path):
    twice = [*rows(0, 1), *rows(0)]
    write_candidates(tmp_path / "c", twice, None, name="c", simulated=True)
    assert len(read_candidates(tmp_path / "c").clips) == 2


def test_the_hash_covers_codes_and_prompts(candidates_of):
    plain = candidates_hash(candidates_of(rows(0, 1, 2)))
    assert plain == candidates_hash(candidates_of(rows(0, 1, 2)))
    assert plain != candidates_hash(candidates_of(rows(0, 1, 3)))
    renamed = [Sampled(Prompt("q", "one"), row.tokens, row.system) for row in rows(0, 1, 2)]
    assert plain != candidates_hash(candidates_of(renamed))


def test_nothing_sampled_is_nothing_written(tmp_path):
    with pytest.raises(DataError, match="expected clips to judge, got none"):
        write_candidates(tmp_path / "c", [], None, name="c", simulated=True)
    assert not list(tmp_path.iterdir())


def test_candidates_are_not_written_over(tmp_path):
    write_candidates(tmp_path / "c", rows(0), None, name="c", simulated=True)
    with pytest.raises(StorageError, match="is there already"):
        write_candidates(tmp_path / "c", rows(1), None, name="c", simulated=True)


def test_clips_are_drawn_from_each_system_that_is_named(make_policy, tmp_path):
    policy, first = make_policy(seed=1), make_policy(seed=0)
    context = RoundContext(1, 0, policy, first, first, tmp_path, None)
    drawn = draw_from_policy(2, n_first=1)(PROMPTS, context)
    assert [(row.prompt.id, row.system) for row in drawn] == [
        ("p0", "policy"), ("p0", "policy"), ("p1", "policy"), ("p1", "policy"),
        ("p0", "first"), ("p1", "first"),
    ]  # fmt: skip
    alone = draw_from_policy(2)(PROMPTS, context)
    assert [r.tokens.tolist() for r in alone] == [r.tokens.tolist() for r in drawn[:4]]
