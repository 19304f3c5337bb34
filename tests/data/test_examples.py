import json
import re
from dataclasses import MISSING, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from auralign.data.example_checks import validate_examples
from auralign.data.example_files import read_examples, write_examples
from auralign.data.examples import TokenFeedback, TokenList, TokenPair, named_clips
from auralign.errors import DataError
from auralign.types import Prompt, Split

pytestmark = pytest.mark.slow

SUFFIXES = (".jsonl", ".parquet")


def codes(*rows):
    return np.array(rows, dtype=np.int64)


A, B, C = codes([1, 2, 3], [4, 5, 6]), codes([7, 8], [9, 0]), codes([5], [5])
PROMPT = Prompt("p1", "eine Höhle\nrauscht", "ann", "clip-7", Split.VALIDATION)
PAIR = TokenPair(Prompt("say it", "say it"), A, B)
FULL_PAIR = TokenPair(
    prompt=PROMPT,
    chosen=A,
    rejected=B,
    weight=0.1,
    p_chosen=2 / 3,
    chosen_score=1.25,
    rejected_score=-3.5,
    chosen_weights=np.array([[0.1, 0, 1], [1 / 3, 2, 7]], dtype=np.float32),
    rejected_weights=np.ones((2, 2), dtype=np.float32),
    gold=C,
    mismatched=Prompt("p2", "something else"),
    lesser=TokenPair(Prompt("p3", "near"), B, C, weight=2.0, p_chosen=0.5),
    rationale=(Prompt("why", "why?"), codes([3, 1], [4, 1])),
    prompt_embedding=np.array([0.1, -2.5e-8], dtype=np.float32),
    dimension="production_quality",
)
FEEDBACK = TokenFeedback(PROMPT, A, False, 3.0, np.array([0.5], dtype=np.float32), "overall")
RANKED = TokenList(PROMPT, (A, B, C), (0.9, 0.5, 0.5), 2.0, "overall")


KEYS = sorted(
    {field.name for kind in (TokenPair, TokenFeedback, TokenList) for field in fields(kind)}
)


def same(a, b):
    """Equality of records that hold arrays, types of the arrays included."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (TokenPair, TokenFeedback, TokenList)):
        return type(a) is type(b) and all(
            same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a)
        )
    return a == b


def lines(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def pair_row(**changed):
    row = {"prompt": "say it", "chosen": A.tolist(), "rejected": B.tolist(), **changed}
    return {key: value for key, value in row.items() if value is not ...}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "examples",
    [
        [PAIR],
        [FULL_PAIR],
        [FULL_PAIR, PAIR],
        [FEEDBACK],
        [RANKED, replace(RANKED, clips=(B, A), scores=None)],
    ],
    ids=["pair", "full pair", "both", "feedback", "list"],
)
def test_what_was_written_is_read_again(examples, suffix, tmp_path):
    path = tmp_path / f"examples{suffix}"
    write_examples(examples, path)
    read = read_examples(path)
    assert len(read) == len(examples)
    assert all(map(same, read, examples))


clips_of_two_books = st.integers(1, 5).flatmap(
    lambda n: arrays(np.int64, (2, n), elements=st.integers(0, 2**40))
)


@settings(max_examples=20)
@given(clips=st.lists(clips_of_two_books, min_size=2, max_size=4), weight=st.floats(0, 1e300))
def test_any_list_survives_both_formats(clips, weight, tmp_path_factory):
    unique = {clip.tobytes(): clip for clip in clips}
    if len(unique) < 2:
        return
    written = TokenList(PROMPT, tuple(unique.values()), weight=weight)
    for suffix in SUFFIXES:
        path = tmp_path_factory.mktemp("any") / f"examples{suffix}"
        write_examples([written], path)
        assert same(read_examples(path)[0], written)


def test_a_line_by_hand_needs_a_prompt_and_two_clips(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"prompt": "say it", "chosen": [1, 2], "rejected": [[3]]}\n\n')
    (pair,) = read_examples(path)
    assert same(pair, TokenPair(Prompt("say it", "say it"), codes([1, 2]), codes([3])))


def test_a_table_from_pandas_is_read_whatever_the_width_of_its_integers(tmp_path):
    frame = pd.DataFrame(
        {
            "prompt": ["one", "two"],
            "clip": [[1, 2, 3], [4, 5]],
            "desirable": [True, False],
            "weight": [1, 2],
        }
    )
    frame.to_parquet(tmp_path / "frame.parquet")
    table = pa.table(
        {"prompt": ["one"], "clip": pa.array([[[1, 2]]], pa.list_(pa.list_(pa.uint16())))}
    ).append_column("desirable", pa.array([True]))
    pq.write_table(table, tmp_path / "narrow.parquet")
    one, two = read_examples(tmp_path / "frame.parquet")
    assert same(one, TokenFeedback(Prompt("one", "one"), codes([1, 2, 3]), True))
    assert same(two, TokenFeedback(Prompt("two", "two"), codes([4, 5]), False, 2.0))
    (narrow,) = read_examples(tmp_path / "narrow.parquet")
    assert same(narrow.clip, codes([1, 2]))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rejected": A.tolist()}, "chosen and rejected with equal codes: leave the pair out"),
        ({"chosen": []}, "chosen: expected at least one frame, got an empty clip"),
        ({"chosen": [[], []]}, "chosen: expected at least one frame, got an empty clip"),
        ({"chosen": [[1, 2], [3]]}, "chosen: expected codebooks of one length, got 2 and 1"),
        ({"chosen": [[1, -1], [0, 0]]}, "chosen: expected codes of 0 and more, got -1"),
        ({"chosen": [[1, 2.5], [3, 4]]}, "chosen: expected whole numbers as codes, got 2.5"),
        ({"chosen": [[1, True], [3, 4]]}, "chosen: expected whole numbers as codes, got True"),
        ({"chosen": [[1, None], [3, 4]]}, "chosen: expected whole numbers as codes, got None"),
        ({"chosen": [[1], 2]}, "chosen: expected a list for each codebook, got 2"),
        ({"chosen": "1 2 3"}, r"chosen: expected nested lists \[codebook\]\[time\], got '1 2 3'"),
        ({"chosen": [[2**70]]}, r"chosen: expected codes below 2\^63"),
        ({"chosen": ...}, "chosen is missing: every TokenPair needs it"),
        ({"prompt": None}, "prompt is missing"),
        ({"prompt": 3}, "prompt: expected a text, or an object with id and text, got 3"),
        ({"prompt": {"text": "x"}}, r"prompt\.id is missing"),
        ({"prompt": {"id": "x", "txt": "x"}}, r"unknown key 'txt' \(did you mean 'text'\?\)"),
        ({"prompt": {"id": "x", "text": 3}}, r"prompt\.text: expected a text, got 3"),
        (
            {"prompt": {"id": "x", "text": "x", "split": "Train"}},
            r"split 'Train' is not one of train, validation, test \(did you mean 'train'\?\)",
        ),
        ({"wieght": 1}, r"unknown key 'wieght' \(did you mean 'weight'\?\)"),
        ({"weight": "2"}, "weight: expected numbers, got '2'"),
        ({"weight": float("nan")}, "weight: expected a finite number of 0 and more, got nan"),
        ({"weight": -1}, "weight: expected a finite number of 0 and more, got -1"),
        ({"p_chosen": 1.2}, "p_chosen: expected a finite number from 0 to 1, got 1.2"),
        ({"p_chosen": float("nan")}, "p_chosen: expected a finite number from 0 to 1, got nan"),
        ({"chosen_score": 1}, "scores of both clips or of none, got chosen_score alone"),
        (
            {"chosen_score": float("inf"), "rejected_score": 0},
            "chosen_score: expected a finite number, got inf",
        ),
        (
            {"chosen_weights": [[1, 1]]},
            r"chosen_weights: expected a weight for each code, shape \(2, 3\), got shape \(1, 2\)",
        ),
        (
            {"rejected_weights": [[1, 1], [1, -0.5]]},
            "rejected_weights: expected weights of 0 and more, got -0.5",
        ),
        (
            {"rejected_weights": [[1, 1], [1, float("nan")]]},
            "rejected_weights: expected finite numbers, got NaN or infinity",
        ),
        ({"chosen_weights": [["1", "1"]]}, "chosen_weights: expected numbers, got '1'"),
        ({"prompt_embedding": [1, float("inf")]}, "prompt_embedding: expected finite numbers"),
        ({"prompt_embedding": 3}, "prompt_embedding: expected a list of numbers, got 3"),
        ({"gold": [[1, 2]]}, "gold: expected 2 codebooks as in .* line 1, got 1"),
        ({"dimension": 1}, "dimension: expected a text, got 1"),
        ({"rationale": {"prompt": "why"}}, "rationale: expected an object with prompt and tokens"),
        ({"lesser": {"prompt": "x", "chosen": [1]}}, "lesser: rejected is missing"),
        ({"lesser": 3}, "lesser: expected an object with the keys of a pair, got 3"),
        ({"lesser": pair_row(chosen=B.tolist())}, "lesser: expected two different clips"),
        ({"lesser": pair_row(lesser=pair_row())}, "lesser: expected a pair without a lesser one"),
        ({"clip": [1]}, "expected prompt, and .*: give the keys of one kind"),
    ],
    ids=str,
)
def test_a_broken_pair_is_one_sentence_with_file_and_line(changed, message, tmp_path):
    path = lines(tmp_path / "pairs.jsonl", pair_row(**changed))
    with pytest.raises(DataError, match=rf"pairs\.jsonl line 1: .*{message}"):
        read_examples(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "x", "clips": [[1, 2]]}, "clips: expected at least 2 clips, got 1"),
        ({"prompt": "x", "clips": [[1], [2], [1]]}, "got the codes of clip 0 again in clip 2"),
        ({"prompt": "x", "clips": [[1], []]}, r"clips\[1\]: expected at least one frame"),
        ({"prompt": "x", "clips": 3}, "clips: expected a list of clips, got 3"),
        (
            {"prompt": "x", "clips": [[1], [2]], "scores": [1, 2]},
            "scores: expected the best clip first, so that scores fall, got 1 before 2",
        ),
        (
            {"prompt": "x", "clips": [[1], [2]], "scores": [2, 2]},
            "scores: expected scores that fall, got 2 times 2: leave the list out",
        ),
        ({"prompt": "x", "clips": [[1], [2]], "scores": [2]}, "one for each of 2 clips, got 1"),
        ({"prompt": "x", "clips": [[1], [2]], "scores": [2, None]}, "expected numbers, got None"),
        (
            {"prompt": "x", "clips": [[1], [2]], "scores": [2, float("nan")]},
            "scores: expected a finite number, got nan",
        ),
        ({"prompt": "x", "clip": [1], "desirable": 1}, "desirable: expected true or false, got 1"),
        ({"prompt": "x", "clip": [1]}, "desirable is missing: every TokenFeedback needs it"),
        ({"prompt": "x", "clipp": [1]}, r"got prompt, clipp \(did you mean 'clip'\?\)"),
    ],
    ids=str,
)
def test_broken_lists_and_feedback_are_one_sentence(row, message, tmp_path):
    path = lines(tmp_path / "examples.jsonl", row)
    with pytest.raises(DataError, match=rf"examples\.jsonl line 1: .*{message}"):
        read_examples(path)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (pair_row(weight=3), "expected each example once, got that of .* line 1 again"),
        (pair_row(chosen=[1, 2], rejected=[3]), "chosen: expected 2 codebooks as in .* line 1"),
        ({"prompt": "x", "clip": [1], "desirable": True}, "a TokenPair as in .*, got a TokenFeed"),
        (
            pair_row(prompt={"id": "say it", "text": "say that"}, chosen=C.tolist()),
            "prompt: expected what 'say it' stands for further up",
        ),
    ],
    ids=["again", "other codec", "mixed kinds", "one id, two prompts"],
)
def test_examples_of_a_file_fit_together(second, message, tmp_path):
    path = lines(tmp_path / "pairs.jsonl", pair_row(), second)
    with pytest.raises(DataError, match=rf"pairs\.jsonl line 2: .*{message}"):
        read_examples(path)


def test_both_answers_about_a_clip_and_a_swapped_pair_are_no_repetition(tmp_path):
    path = tmp_path / "examples.jsonl"
    for examples in (
        [FEEDBACK, replace(FEEDBACK, desirable=True)],
        [PAIR, replace(PAIR, chosen=B, rejected=A), replace(PAIR, dimension="task_achievement")],
    ):
        write_examples(examples, path)
        assert len(read_examples(path)) == len(examples)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"prompt": "x", "cho', "line 2: expected a whole JSON object, got a torn or broken line"),
        ('{"prompt": "x", "prompt": "y"}', "line 2: expected each key once, got 'prompt' twice"),
        ("[1, 2]", "line 2: expected a JSON object, got a list: write one object a line"),
        ("\udcff", "line 2: expected a whole JSON object"),
    ],
)
def test_a_line_that_is_no_object_is_named(text, message, tmp_path):
    path = tmp_path / "pairs.jsonl"
    good = json.dumps(pair_row())
    path.write_bytes(f"{good}\n{text}\n".encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=message):
        read_examples(path)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=6,
)


ROWS = (
    pair_row(),
    {"prompt": "x", "clip": [1], "desirable": True},
    {"prompt": "x", "clips": [[1], [2]]},
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(KEYS), value=anything, row=st.sampled_from(ROWS))
def test_whatever_stands_under_a_key_is_an_example_or_a_sentence(key, value, row, tmp_path):
    path = lines(tmp_path / "examples.jsonl", {**row, key: value})
    try:
        message = f"{path} line {len(read_examples(path))}: "
    except DataError as error:
        message = str(error)
    assert message.startswith(f"{path} line 1: ")


def test_a_file_that_is_none_is_a_sentence(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "text.parquet").write_text("not a table")
    for name, message in {
        "empty.jsonl": "expected at least one example, got none",
        "text.parquet": "expected a Parquet table, got a file with",
        "absent.jsonl": "expected a file of examples, got 'no such file or directory'",
        "absent.parquet": "expected a file of examples, got 'no such file or directory'",
        "pairs.csv": r"expected a file name ending in \.jsonl or \.parquet, got '\.csv'",
    }.items():
        with pytest.raises(DataError, match=re.escape(name) + ": " + message):
            read_examples(tmp_path / name)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([[[1]], [[1.5]]]), "row 0: chosen: expected whole numbers as codes, got 1.0"),
        (pa.array([[[1]], [[None]]]), "row 1: chosen: expected whole numbers as codes, got None"),
        (pa.array([[[1]], None]), "row 1: chosen is missing"),
        (pa.array([[[1]], [[1, 2], [3]]]), "row 1: chosen: expected codebooks of one length"),
        (pa.array([[[1]], []]), "row 1: chosen: expected at least one frame, got an empty clip"),
    ],
    ids=["floats", "hole", "null", "ragged", "empty"],
)
def test_a_broken_table_is_one_sentence_with_file_and_row(column, message, tmp_path):
    others = {"prompt": ["x", "y"], "rejected": [[[8]], [[9]]]}
    pq.write_table(pa.table({**others, "chosen": column}), tmp_path / "pairs.parquet")
    with pytest.raises(DataError, match=rf"pairs\.parquet {message}"):
        read_examples(tmp_path / "pairs.parquet")


def test_rows_of_a_large_table_are_numbered_through(tmp_path):
    n = 300
    table = pa.table(
        {
            "prompt": [f"p{i}" for i in range(n)],
            "chosen": [[[i]] for i in range(n)],
            "rejected": [[[i + 1]] if i < n - 1 else [[i]] for i in range(n)],
        }
    )
    pq.write_table(table, tmp_path / "pairs.parquet", row_group_size=100)
    with pytest.raises(DataError, match=r"row 299: .*equal codes"):
        read_examples(tmp_path / "pairs.parquet")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_broken_examples_are_not_written(suffix, tmp_path):
    path = tmp_path / f"examples{suffix}"
    write_examples([PAIR], path)
    before = path.read_bytes()
    for broken in ([], [PAIR, PAIR], [PAIR, FEEDBACK], [replace(PAIR, weight=float("nan"))]):
        with pytest.raises(DataError, match="expected"):
            write_examples(broken, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


SIZES = {"n_codebooks": 2, "codebook_size": 10, "max_frames": 3}


def test_examples_that_a_policy_takes_pass():
    validate_examples([FULL_PAIR, PAIR], **SIZES)
    validate_examples([FEEDBACK], **SIZES)
    validate_examples([RANKED], **{**SIZES, "max_frames": None})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n_codebooks": 4}, "chosen: expected 4 codebooks, as the policy has, got 2"),
        ({"codebook_size": 6}, "chosen: expected codes from 0 to 5, as the policy has, got 6"),
        ({"max_frames": 2}, "chosen: expected at most 2 frames, .* got 3, so that the end would"),
    ],
    ids=str,
)
def test_examples_that_a_policy_cannot_take_are_named(changed, message):
    fits = TokenPair(Prompt("x", "x"), codes([1], [1]), codes([2], [2]))
    with pytest.raises(DataError, match=f"example [01]: {message}"):
        validate_examples([fits, PAIR], **{**SIZES, **changed})


@pytest.mark.parametrize("field", ["gold", "rationale", "lesser.rejected"])
def test_every_clip_of_a_pair_has_to_fit(field):
    assert field in dict(named_clips(FULL_PAIR))
    long = codes([0, 0, 0, 0], [0, 0, 0, 0])
    broken = {
        "gold": {"gold": long},
        "rationale": {"rationale": (PROMPT, long)},
        "lesser.rejected": {"lesser": replace(PAIR, rejected=long)},
    }
    with pytest.raises(DataError, match=f"{field}: expected at most 3 frames"):
        validate_examples([replace(FULL_PAIR, **broken[field])], **SIZES)


def test_codes_made_in_memory_have_two_axes_and_whole_numbers():
    for wrong in (A[0], A.astype(np.float64)):
        with pytest.raises(
            DataError, match=r"example 0: chosen: expected whole numbers \[codebook"
        ):
            validate_examples([replace(PAIR, chosen=wrong)], **SIZES)


PAGE = Path(__file__).parents[2] / "docs" / "data-formats.md"


@pytest.mark.parametrize(
    ("heading", "record"),
    [("Pairs", TokenPair), ("Feedback", TokenFeedback), ("Lists", TokenList)],
)
def test_the_keys_are_those_on_the_page(heading, record):
    (section,) = re.findall(rf"^### {heading}\n(.*?)^#", PAGE.read_text() + "#", re.M | re.S)
    keys = re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", section, re.M)
    assert [key for key, _ in keys] == [field.name for field in fields(record)]
    optional = {key for key, value in keys if "optional" in value or "if left out" in value}
    assert optional == {field.name for field in fields(record) if field.default is not MISSING}
