import json
import sys

import numpy as np
import pytest

from auralign.cli import app, run
from auralign.data import StudyFolder, read_yaml, validate_study
from auralign.listen.demo import make_demo
from auralign.listen.settings import TestSettings

pytestmark = pytest.mark.slow


def output_of(capsys, *words):
    code = run(app, words)
    return code, *capsys.readouterr()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return make_demo(tmp_path_factory.mktemp("listen") / "demo", rng=np.random.default_rng(0))


def test_new_writes_settings_that_can_be_read_and_keeps_what_is_there(capsys, tmp_path):
    code, out, _ = output_of(capsys, "listen", "new", str(tmp_path), "--json")
    assert (code, json.loads(out)) == (0, {"settings": str(tmp_path / "test.yaml")})
    assert read_yaml(TestSettings, tmp_path / "test.yaml").test.type == "ab"
    code, _, err = output_of(capsys, "listen", "new", str(tmp_path))
    assert code == 2
    assert "is there already" in err


def test_simulated_listeners_go_through_and_become_a_study(capsys, demo, tmp_path):
    words = ("--listeners", "4", "--at-once", "2", "--json")
    code, out, _ = output_of(capsys, "listen", "simulate", str(demo), *words)
    simulation = json.loads(out)
    assert code == 0
    assert simulation["listeners"] == sum(simulation["outcomes"].values()) == 4
    assert set(simulation["outcomes"]) <= {"finished", "left"}
    code, out, _ = output_of(capsys, "listen", "status", str(demo), "--simulated", "--json")
    assert json.loads(out)["answers"] == simulation["answers"]
    # Looking for people makes a database for them, in which there is nobody.
    assert json.loads(output_of(capsys, "listen", "status", str(demo), "--json")[1])["answers"] == 0
    target = tmp_path / "study"
    code, out, err = output_of(
        capsys, "listen", "export", str(demo), "--out", str(target), "--json"
    )
    assert (code, json.loads(out)["judgements"]) == (0, simulation["answers"])
    assert "programs, not people" in err
    assert validate_study(target) == []
    assert StudyFolder.open(target).header.simulated


def test_a_closed_study_says_so(capsys, demo):
    for changed in (True, False):
        _, out, _ = output_of(capsys, "listen", "close", str(demo), "--json")
        assert json.loads(out)["changed"] is changed
    _, out, _ = output_of(capsys, "listen", "status", str(demo))
    assert "(closed)" in out


def test_the_methods_card_is_a_page_or_markdown_and_never_overwrites(capsys, demo, tmp_path):
    page = tmp_path / "card.html"
    assert output_of(capsys, "listen", "card", str(demo), "--out", str(page))[0] == 0
    assert "<h2>Clips and loudness</h2>" in page.read_text()
    code, _, err = output_of(capsys, "listen", "card", str(demo), "--out", str(page))
    assert (code, "is there already" in err) == (2, True)
    code, _, err = output_of(capsys, "listen", "card", str(demo), "--out", "card.pdf")
    assert (code, "expected a file that ends in .html or .md, got card.pdf" in err) == (2, True)
    assert "## Screening" in output_of(capsys, "listen", "card", str(demo))[1]


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("--workers", "2"), "several workers need PostgreSQL: give its address with --db"),
        (("--workers", "2", "--organiser"), "the organiser's page is served by one worker"),
    ],
)
def test_workers_that_cannot_work_are_refused(capsys, demo, words, match):
    code, _, err = output_of(capsys, "listen", "serve", str(demo), *words)
    assert (code, match in err) == (2, True)


def test_a_missing_package_names_the_extra(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "alembic", None)
    code, _, err = output_of(capsys, "listen", "status", str(tmp_path))
    assert code == 2
    assert "'alembic' is needed here and not installed" in err
    assert "auralign[listen]" in err


def test_a_folder_without_settings_is_one_sentence(capsys, tmp_path):
    code, out, err = output_of(capsys, "listen", "status", str(tmp_path))
    assert (code, out) == (2, "")
    assert "expected a YAML file" in err
