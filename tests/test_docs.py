"""What the pages say is so: their code runs, their commands and files exist, their tables agree."""

import itertools
import re
import shlex
import tomllib
from pathlib import Path

import click
import numpy as np
import pytest
import yaml

import auralign
from auralign.audio import as_audio
from auralign.cli import app
from auralign.data import (
    CLIPS,
    JUDGEMENTS,
    PAIRS,
    PROMPTS,
    SCORES,
    RunFolder,
    Stage,
    StudyFolder,
    StudyHeader,
    validate_study,
)
from auralign.types import Candidate, Judgement, Outcome, Prompt, Source, TrialProtocol

ROOT = Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
}
FORMATS = PAGES["docs/data-formats.md"]


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], flags=re.MULTILINE | re.DOTALL)


def rows(text):
    """The cells of the tables in `text`, without their heads and with code marks kept."""
    found = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in found]
    rules = [i for i, row in enumerate(cells) if set("".join(row)) == {"-"}]
    heads = {i - 1 for i in rules}
    return [row for i, row in enumerate(cells) if i not in heads.union(rules)]


def section(heading):
    """The text of data-formats.md below a heading, up to the next one."""
    found = re.search(rf"^### {re.escape(heading)}\n(.*?)(?=^#|\Z)", FORMATS, flags=re.M | re.S)
    assert found, heading
    return found[1]


def names(table):
    return [row[0].strip("`") for row in table]


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The folder `study` of the pages' examples: five listeners compare two systems."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    study = StudyFolder.create("study", name="example", simulated=True)
    prompts = [Prompt(f"p{i}", "one two") for i in range(6)]
    clips = {
        (prompt.id, system): study.add_audio(
            as_audio(rng.uniform(-0.5, 0.5, 800), 16_000), prompt_id=prompt.id, system=system
        )
        for prompt in prompts
        for system in ("sft", "aligned")
    }
    study.write_prompts(prompts)
    study.write_clips(clips.values())
    study.write_judgements(
        Judgement(
            trial=f"t{i}",
            protocol=TrialProtocol.PAIR,
            dimension="overall",
            prompt_id=prompt.id,
            candidates=tuple(Candidate(clips[prompt.id, s].id) for s in ("sft", "aligned")),
            rater=f"simulated-{rater}",
            source=Source.SIMULATED,
            outcome=Outcome(str(rng.choice(["A", "B", "B", "TIE_GOOD"]))),
        )
        for i, prompt in enumerate(prompts)
        for rater in range(5)
    )
    assert validate_study("study") == []


@pytest.mark.usefixtures("study")
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")])
def test_the_code_of_a_page_runs(page, capsys):
    for block in blocks(page, "python"):
        exec(compile(block, page, "exec"), {})
        assert capsys.readouterr().out


def commands():
    """The lines of shell blocks, without prompts and comments."""
    lines = [line for page in PAGES for block in blocks(page, "sh") for line in block.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def test_every_make_target_on_a_page_exists():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    on_pages = {word for text in PAGES.values() for word in re.findall(r"`make ([a-z-]+)", text)}
    on_pages.update(words[1] for words in commands() if words[0] == "make")
    assert on_pages
    assert on_pages <= set(targets)


@pytest.mark.parametrize(
    "words", [c[1:] for c in commands() if c[0].endswith("auralign")], ids=" ".join
)
def test_every_auralign_command_on_a_page_exists(words):
    command, words = app, list(words)
    while isinstance(command, click.Group):
        named = command.get_command(click.Context(command), words[0])
        command = named or command.get_command(click.Context(command), "clips")
        words = words[1:] if named else words
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_the_quickstart_page_lists_every_option():
    command = app.get_command(click.Context(app), "quickstart")
    options = {parameter.opts[0] for parameter in command.params}
    assert {name for name in names(rows(PAGES["docs/quickstart.md"])) if "--" in name} == options


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", PAGES[page])
    here = (ROOT / page).parent
    assert [x for x in links if "://" not in x and not (here / x).is_file()] == []


@pytest.mark.parametrize("table", [PROMPTS, CLIPS, JUDGEMENTS, PAIRS, SCORES], ids=lambda t: t.name)
def test_the_columns_of_a_table_are_those_on_the_page(table):
    said = rows(section(f"{table.name}.parquet"))
    assert names(said) == table.schema.names
    assert {row[0].strip("`") for row in said if "may be null" in row[1]} == table.optional
    for field, row in zip(table.schema, said, strict=True):
        assert row[1].startswith(str(field.type).partition("<")[0])


def test_the_keys_of_a_study_and_a_run_are_those_on_the_page(tmp_path):
    run = RunFolder.create(tmp_path / "run", "name: demo\n")
    with run.build(Stage(1, "sft", {})):
        pass
    written = {
        "study.yaml": list(StudyHeader.model_fields),
        "manifest.json": list(yaml.safe_load((run.path / "manifest.json").read_text())),
        "stage.json": list(yaml.safe_load((run.path / "stages/01-sft/stage.json").read_text())),
    }
    assert {file: names(rows(section(file))) for file in written} == written


def test_the_paper_index_names_files_and_tests_that_exist():
    index = rows(PAGES["docs/paper-index.md"])
    assert all(len(row) == 5 and all(row) for row in index)
    files = {cell.strip("`") for row in index for cell in row[2:4]}
    assert [file for file in sorted(files) if not (ROOT / file).is_file()] == []


def test_changelog_and_citation_have_the_current_version():
    released = re.findall(r"^## \[([\d.]+)\]", PAGES["CHANGELOG.md"], flags=re.MULTILINE)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (released[0], citation["version"]) == (auralign.__version__,) * 2


def test_constraints_pin_every_dependency_and_nothing_but_versions():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    asked = [*project["dependencies"], *itertools.chain.from_iterable(extras)]
    lines = (ROOT / "constraints.txt").read_text().splitlines()[1:]
    pins = [re.fullmatch(r"([a-z0-9-]+)==[\w.]+", line) for line in lines]
    assert all(pins)
    names = {re.match(r"[\w-]+", name)[0] for name in asked} - {project["name"]}
    assert names <= {pin[1] for pin in pins}
