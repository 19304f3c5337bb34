"""The page of traps has a row for each, and every test that it names is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "traps.md").read_text()
PARTS = {"A": 19, "B": 10, "C": 21, "D": 23, "F": 6}
IDS = [f"{part}{n}" for part, last in PARTS.items() for n in range(1, last + 1)]
DIFFUSION = {"C2", "C3", "C4", "C20", "D8", "D9", "D12", "D13", "D15"}
ROWS = [[cell.strip() for cell in row.split("|")] for row in re.findall(r"^\|(.+)\|$", PAGE, re.M)]
TRAPS = [row for row in ROWS if re.fullmatch(r"[A-Z]\d+", row[0])]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


def test_every_trap_has_one_row_in_order():
    assert [row[0] for row in TRAPS] == IDS


@pytest.mark.parametrize("row", TRAPS, ids=lambda row: row[0])
def test_a_row_says_what_where_how_and_by_which_test(row):
    assert all(row)
    assert len(row) == 4
    assert ("later" in row[3]) is (row[0] in DIFFUSION)
    assert re.sub(r"`tests/[\w/]+\.py::test_\w+`|later|[, ]", "", row[3]) == ""


def test_every_test_on_the_page_exists():
    tests = {file: functions(ROOT / file) for file, _ in NAMED}
    assert [f"{file}::{name}" for file, name in NAMED if name not in tests[file]] == []


def test_every_test_that_is_named_after_a_trap_is_on_the_page():
    files = sorted((ROOT / "tests").rglob("test_traps.py"))
    assert len(files) >= 2
    found = [(str(path.relative_to(ROOT)), name) for path in files for name in functions(path)]
    row_of = {row[0].lower(): row[3] for row in TRAPS}
    for file, name in found:
        assert f"`{file}::{name}`" in row_of[name.split("_")[1]], name


def test_no_invariant_is_without_a_test():
    invariants = [row for row in ROWS if len(row) == 2][2:]
    assert len(invariants) == 9
    assert all("`tests/" in row[1] for row in invariants)


def functions(path: Path) -> list[str]:
    """Names of the tests in a file, which is not imported."""
    nodes = ast.parse(path.read_text()).body
    names = [node.name for node in nodes if isinstance(node, ast.FunctionDef)]
    return [name for name in names if name.startswith("test_")]
