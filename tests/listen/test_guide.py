"""The guide names every setting and type of test, and tests that exist."""

import re
from pathlib import Path

import pytest

from auralign.listen.settings import Design, Playback, TestSettings

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/listen.md").read_text()
KINDS = [path.stem for path in (ROOT / "src/auralign/listen/protocols").glob("*.py")]
NO_TYPES = {"__init__", "questions", "test_type"}


def section(heading):
    return GUIDE.split(f"## {heading}\n")[1].split("\n## ")[0]


def test_every_failure_case_names_tests_that_exist():
    rows = [line for line in section("When something fails").splitlines() if line.startswith("|")]
    cases = rows[2:]
    files = [re.findall(r"`([\w/]+\.py)`", row) for row in cases]
    assert len(cases) == 35
    assert all(files)
    named = {name for row in files for name in row}
    assert [name for name in sorted(named) if not (ROOT / "tests/listen" / name).is_file()] == []


@pytest.mark.parametrize("kind", sorted(set(KINDS) - NO_TYPES))
def test_every_type_of_test_has_a_row(kind):
    assert f"| `{kind}` |" in section("Types of test")


@pytest.mark.parametrize("key", TestSettings.model_fields)
def test_every_part_of_the_settings_is_named(key):
    assert f"`{key}`" in section("Settings")


@pytest.mark.parametrize("key", [*Playback.model_fields, *Design.model_fields])
def test_every_choice_of_playback_and_design_is_named(key):
    assert f"`{key}`" in section("Settings")
