import json
import re
from pathlib import Path

import click
import numpy as np
import pytest

from auralign.cli import app, run
from auralign.data.importers import import_aes, import_votes
from real_data import AES

AXES = (
    "production_quality",
    "production_complexity",
    "content_enjoyment",
    "content_usefulness",
)


PAGE = (Path(__file__).parents[2] / "docs" / "stats.md").read_text()


def votes_csv() -> str:
    """300 votes of 10 listeners on 6 prompts; alpha is better than beta, beta than gamma."""
    rng = np.random.default_rng(0)
    worth = {"alpha": 1.0, "beta": 0.3, "gamma": -0.7}
    lines = ["first,second,winner,rater,prompt"]
    for k in range(300):
        a, b = rng.choice(list(worth), 2, replace=False)
        p = 1 / (1 + np.exp(worth[b] - worth[a]))
        winner = "tie" if rng.random() < 0.1 else a if rng.random() < p else b
        lines.append(f"{a},{b},{winner},l{k % 10},p{rng.integers(6)}")
    return "\n".join(lines) + "\n"


def ratings_csv() -> str:
    rng = np.random.default_rng(1)
    lines = ["system,prompt,rating,rater"]
    for rater in range(8):
        for prompt in range(4):
            for k, system in enumerate(("alpha", "beta")):
                value = float(np.clip(rng.normal(7 - 2 * k, 1), 0, 10))
                lines.append(f"{system},p{prompt},{value:.1f},l{rater}")
    return "\n".join(lines) + "\n"


def mushra_csv() -> str:
    """Eight listeners of four systems; l7 does not hear the hidden reference."""
    rng = np.random.default_rng(2)
    lines = ["system,prompt,rating,rater"]
    for rater in range(8):
        for prompt in range(5):
            for system, score in (("open", 97), ("alpha", 75), ("beta", 60), ("low", 20)):
                heard = 40 if (rater, system) == (7, "open") else score + rng.integers(-3, 4)
                lines.append(f"{system},p{prompt},{heard},l{rater}")
    return "\n".join(lines) + "\n"


def scores_csv() -> str:
    """Comparisons of alpha with gamma that have a strength."""
    rng = np.random.default_rng(3)
    lines = ["first,second,winner,rater,prompt,strength"]
    for k in range(80):
        score = int(np.clip(round(rng.normal(1, 1)), -3, 3))
        pair = ("alpha", "gamma") if rng.random() < 0.5 else ("gamma", "alpha")
        winner = "tie" if score == 0 else "alpha" if score > 0 else "gamma"
        lines.append(f"{','.join(pair)},{winner},l{k % 8},p{k % 5},{abs(score) or ''}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies")
    (folder / "votes.csv").write_text(votes_csv())
    (folder / "ratings.csv").write_text(ratings_csv())
    import_votes(folder / "votes.csv", folder / "votes")
    import_votes(folder / "ratings.csv", folder / "ratings", scale=(0.0, 10.0))
    (folder / "mushra.csv").write_text(mushra_csv())
    (folder / "scores.csv").write_text(scores_csv())
    import_votes(folder / "mushra.csv", folder / "mushra", scale=(0.0, 100.0))
    import_votes(folder / "scores.csv", folder / "scores")
    return folder


@pytest.fixture
def votes(studies):
    return str(studies / "votes")


@pytest.fixture
def ratings(studies):
    return str(studies / "ratings")


@pytest.fixture
def output(capsys):
    def of(*words):
        code = run(app, ["stats", *map(str, words)])
        return code, *capsys.readouterr()

    return of


@pytest.fixture
def document(output):
    def of(*words):
        code, out, err = output(*words, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return of


def test_fit_prints_a_table_that_fits_80_columns(output, votes):
    code, out, err = output("fit", votes, "--dimension", "overall", "--order-effect")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    rows = re.findall(r"^(\d)  (\w+) +(-?\d\.\d\d)  (\S+) to (\S+)", out, flags=re.MULTILINE)
    assert [row[1] for row in rows] == ["alpha", "beta", "gamma"]
    for _, _, value, low, high in rows:
        assert float(low) < float(value) < float(high)
    for text in ("Answers as presented", "Being presented first adds", "Cycles"):
        assert text in out


def test_fit_as_one_document(document, votes):
    found = document("fit", votes, "--dimension", "overall", "--ties", "davidson")
    assert [row["item"] for row in found["items"]] == ["alpha", "beta", "gamma"]
    assert found["clusters"] == "10 raters x 6 prompts"
    assert found["details"]["nu"] > 0
    assert len(found["differences"]) == 3
    assert found["contests"]["model"]["cycles"]["p_value"] > 0


def test_the_same_seed_gives_the_same_document(document, votes):
    words = ("agreement", votes, "--dimension", "overall", "--seed", "3")
    assert document(*words) == document(*words)


def test_ratings_are_ranked_by_their_means(output, ratings):
    code, out, _ = output("fit", ratings, "--dimension", "overall")
    assert code == 0
    assert "mean rating, on a scale from 0 to 10" in out
    assert re.search(r"^1  alpha +[67]\.\d\d", out, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("option", "model"),
    [
        ("--severity", "severity-corrected mean rating, on a scale from 0 to 10"),
        ("--ordinal", "cumulative-logit mixed model, effect in logits, mean 0"),
    ],
)
def test_ratings_are_ranked_by_models_of_their_raters(output, document, ratings, option, model):
    words = ("fit", ratings, "--dimension", "overall", option)
    code, out, _ = output(*words)
    assert code == 0
    assert model in out
    assert max(map(len, out.splitlines())) <= 80
    assert [row["item"] for row in document(*words)["items"]] == ["alpha", "beta"]


def test_the_document_has_intervals_to_compare_any_two_items(document, votes):
    found = document("fit", votes, "--dimension", "overall")
    assert found["quasi_error"] == pytest.approx(0, abs=1e-6)
    for row in found["items"]:
        low, high = row["comparison"]
        assert low < row["value"]["value"] < high
    spread = {row["item"]: row["quasi_variance"] for row in found["items"]}
    for d in found["differences"]:
        half = (d["value"]["high"] - d["value"]["low"]) / 2
        error = np.sqrt(spread[d["first"]] + spread[d["second"]])
        # 2.571 is the 97.5 % point of Student's t on 6 prompts less one.
        assert half == pytest.approx(2.571 * error, rel=1e-3)


def test_out_writes_a_page_plots_and_the_document(output, document, votes, tmp_path):
    words = ("fit", votes, "--dimension", "overall")
    code, _, err = output(*words, "--out", tmp_path / "out")
    assert (code, err) == (0, f"Plots and page: {tmp_path / 'out' / 'index.html'}\n")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {
        "index.html",
        "result.json",
        "caterpillar.svg",
        "win-matrix.svg",
        "residuals.svg",
    } < names
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == document(*words)
    html = (tmp_path / "out" / "index.html").read_text()
    assert html.count("<svg") == len([name for name in names if name.endswith(".svg")])
    assert output(*words, "--out", tmp_path / "out")[0] == 2
    assert output(*words, "--out", tmp_path / "out", "--force")[0] == 0


def test_force_does_not_replace_a_folder_of_something_else(output, votes, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "letter.txt").write_text("dear")
    words = ("fit", votes, "--dimension", "overall", "--out", tmp_path / "precious", "--force")
    code, _, err = output(*words)
    assert code == 2
    assert "holds no earlier result" in err
    assert (tmp_path / "precious" / "letter.txt").read_text() == "dear"


def test_agreement(output, document, votes, ratings, tmp_path):
    code, out, _ = output("agreement", votes, "--dimension", "overall", "--out", tmp_path / "out")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "pairwise agreement" in out
    assert "do raters agree?" in (tmp_path / "out" / "index.html").read_text()
    names = [
        c["name"] for c in document("agreement", ratings, "--dimension", "overall")["coefficients"]
    ]
    assert {"ICC(2,k)", "Krippendorff's alpha, interval"} <= set(names)


def test_tests(output, document, votes, ratings):
    code, out, _ = output("test", ratings, "--dimension", "overall")
    assert code == 0
    assert "Iman & Davenport's F" in out
    found = document("test", votes, "--dimension", "overall", "--between", "alpha", "gamma")
    assert found["family"] == "one pair of systems on 'overall': 1 tests"
    assert found["tests"][0]["effect"]["value"] > 0.5


def test_mushra(output, document, studies):
    words = ("test", studies / "mushra", "--dimension", "overall", "--standard", "mushra")
    words += ("--reference", "open", "--anchor", "low")
    code, out, _ = output(*words)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "7 of 8 listeners kept" in out
    assert "l7: hidden reference low." in out
    assert re.search(r"^alpha - beta +1\d\.\d\d", out, flags=re.MULTILINE)
    systems = document(*words, "--rules", "none")["result"]["systems"]
    assert [row["system"] for row in systems] == ["open", "alpha", "beta", "low"]


def test_acr(output, ratings):
    code, out, _ = output("test", ratings, "--dimension", "overall", "--standard", "acr")
    assert code == 0
    assert re.search(r"^alpha +[67]\.\d\d", out, flags=re.MULTILINE)
    assert "as if all votes were" in out


def test_cmos(output, document, studies):
    words = ("test", studies / "scores", "--dimension", "overall", "--standard", "cmos")
    code, out, _ = output(*words, "--reference", "gamma")
    assert code == 0
    assert "Scores against 'gamma'" in out
    found = document(*words, "--reference", "gamma")
    assert found["result"]["systems"]["alpha"]["cmos"]["low"] > 0


def test_groups_of_listeners(output, document, votes, tmp_path):
    groups = "rater,group\n" + "".join(f"l{k},{'odd' if k % 2 else 'even'}\n" for k in range(10))
    (tmp_path / "groups.csv").write_text(groups)
    words = ("test", votes, "--dimension", "overall", "--groups", tmp_path / "groups.csv")
    code, out, _ = output(*words)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "alpha against beta: lowest with" in out
    pairs = document(*words)["groups"]
    assert [set(pair["win_rates"]["groups"]) for pair in pairs] == [{"odd", "even"}] * 3


def test_groups_of_raters(output, document, votes):
    words = ("raters", votes, "--dimension", "overall", "--groups", "2")
    code, out, _ = output(*words)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "BIC by number of groups: 1 " in out
    found = document(*words)
    assert sum(found["groups"]["fit"]["share"]) == pytest.approx(1)
    assert set(found["discrimination"]["raters"]) == {f"l{k}" for k in range(10)}


def test_levels_of_a_design(output, document, votes, tmp_path):
    (tmp_path / "design.csv").write_text("system,size\nalpha,large\nbeta,large\ngamma,small\n")
    words = ("explain", votes, "--dimension", "overall", "--conjoint", tmp_path / "design.csv")
    code, out, _ = output(*words)
    assert code == 0
    assert re.search(r"^size +small +0\.\d{3} +-0\.\d{3}", out, flags=re.MULTILINE)
    baseline, small = document(*words)["conjoint"]["levels"]
    assert (baseline["level"], baseline["effect"]) == ("large", None)
    assert small["effect"]["high"] < 0


@pytest.mark.parametrize(
    ("words", "figures"),
    [
        (("test", "VOTES"), {"pairs"}),
        (("test", "VOTES", "--groups", "GROUPS"), {"pairs", "groups"}),
        (("test", "RATINGS"), {"pairs"}),
        (("test", "RATINGS", "--standard", "acr"), {"scores"}),
        (("raters", "VOTES", "--groups", "2"), {"discrimination", "agreement"}),
        (("raters", "RATINGS"), {"severity"}),
        (("explain", "VOTES"), {"confounders"}),
        (("fit", "RATINGS", "--ordinal"), {"caterpillar", "win-matrix"}),
    ],
)
def test_every_verb_about_a_study_writes_a_page(output, votes, ratings, words, figures, tmp_path):
    rows = "".join(f"l{k},{'odd' if k % 2 else 'even'}\n" for k in range(10))
    (tmp_path / "groups.csv").write_text(f"rater,group\n{rows}")
    named = {"VOTES": votes, "RATINGS": ratings, "GROUPS": tmp_path / "groups.csv"}
    out = tmp_path / "out"
    given = (named.get(word, word) for word in words)
    code, text, err = output(*given, "--dimension", "overall", "--out", out)
    assert (code, err) == (0, f"Plots and page: {out / 'index.html'}\n")
    assert text
    assert {path.stem for path in out.glob("*.svg")} == figures
    html = (out / "index.html").read_text()
    assert html.count("<svg") == len(figures)
    assert json.loads((out / "result.json").read_text())["study"]


def test_raters(output, document, votes):
    code, out, _ = output("raters", votes, "--dimension", "overall")
    assert code == 0
    assert out.startswith("overall in votes: 10 raters")
    assert len(document("raters", votes, "--dimension", "overall")["report"]["raters"]) == 10


def test_explain(output, document, votes, tmp_path):
    (tmp_path / "size.csv").write_text("system,size\nalpha,3\nbeta,2\ngamma,0.5\n")
    words = ("explain", votes, "--dimension", "overall", "--attributes", tmp_path / "size.csv")
    code, out, _ = output(*words)
    assert code == 0
    assert re.search(r"^size +\d\.\d\d +\d\.\d\d", out, flags=re.MULTILINE)
    found = document(*words)
    assert found["factors"]["effects"][0]["log_odds"]["low"] > 0
    code, out, _ = output("explain", votes, "--dimension", "overall")
    assert "presented first" in out


def test_power_by_formula(output, document):
    """The survey's numbers: an exact sign test of 0.60 takes 199 votes, times a design effect."""
    words = ("power", "--effect", "0.60", "--listeners-judge", "10", "--icc", "0.1")
    found = document(*words)
    assert found["design_effect"] == pytest.approx(1 + 9 * 0.1)
    assert found["listeners"] * 10 >= 199 * 1.9
    assert found["power"] >= 0.8
    code, out, _ = output(*words)
    assert code == 0
    assert "n = 199 decisive independent judgements" in out


def test_power_from_a_pilot(document, output, votes):
    words = ("power", votes, "--dimension", "overall", "--between", "alpha", "gamma")
    words += ("--listeners-judge", "10", "--simulations", "20")
    found = document(*words, "--listeners", "5", "--listeners", "20")
    assert found["listeners"] == [5, 20]
    assert found["power"][1] >= found["power"][0]
    code, _, err = output(*words)
    assert (code, "--listeners is needed" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("fit", "nowhere", "--dimension", "overall"), "nowhere: expected a study folder"),
        (("fit", "VOTES"), "Missing option '--dimension'"),
        (("fit", "VOTES", "--dimension", "overal"), "did you mean 'overall'"),
        (("fit", "VOTES", "--dimension", "overall", "--level", "95"), "level must be between 0"),
        (("fit", "RATINGS", "--dimension", "overall", "--order-effect"), "belong to comparisons"),
        (("fit", "VOTES", "--dimension", "overall", "--prior", "-1"), "prior must be"),
        (("agreement", "VOTES", "--dimension", "x"), "there are judgements on overall"),
        (("test", "VOTES", "--dimension", "overall", "--between", "alpha", "z"), "system 'z'"),
        (("fit", "VOTES", "--dimension", "overall", "--severity"), "belongs to ratings"),
        (
            ("fit", "RATINGS", "--dimension", "overall", "--ordinal", "--cluster", "both"),
            "takes no --cluster",
        ),
        (("test", "VOTES", "--dimension", "overall", "--anchor", "z"), "--anchor belongs to a"),
        (
            ("test", "RATINGS", "--dimension", "overall", "--standard", "acr", "--block", "rater"),
            "--block has no meaning with a --standard",
        ),
        (
            ("test", "RATINGS", "--dimension", "overall", "--standard", "mushra"),
            "mushra needs a reference",
        ),
        (("raters", "RATINGS", "--dimension", "overall", "--groups", "2"), "need votes between"),
        (
            ("raters", "VOTES", "--dimension", "overall", "--groups", "99"),
            "groups as raters (10), got 99",
        ),
        (("explain", "RATINGS", "--dimension", "overall"), "expected pair judgements"),
        (("power", "--listeners-judge", "10"), "expected one thing to detect"),
        (("power", "--listeners-judge", "5", "--effect", "0.4", "--between", "a", "b"), "pilot"),
        (("power", "VOTES", "--listeners-judge", "5", "--effect", "0.6"), "without a STUDY"),
        (("power", "--listeners-judge", "5", "--effect", "1.6"), "between 0 and 1"),
    ],
)
def test_wrong_input_exits_with_2_and_says_what_is_wrong(output, votes, ratings, words, message):
    named = {"VOTES": votes, "RATINGS": ratings}
    code, out, err = output(*(named.get(word, word) for word in words))
    assert (code, out) == (2, "")
    assert message in err


def test_a_number_that_does_not_exist_exits_with_1(output, tmp_path):
    (tmp_path / "one.csv").write_text("first,second,winner\n" + "a,b,a\n" * 5)
    import_votes(tmp_path / "one.csv", tmp_path / "one")
    code, out, err = output("fit", tmp_path / "one", "--dimension", "overall")
    assert (code, out) == (1, "")
    assert "'a' never loses" in err


def test_every_option_is_on_the_page():
    group = app.get_command(click.Context(app), "stats")
    for name, command in group.commands.items():
        assert f"stats {name}" in PAGE
        options = [p.opts[0] for p in command.params if isinstance(p, click.Option)]
        missing = [option for option in options if f"`{option}" not in PAGE]
        assert set(missing) <= {"--quiet", "--debug"}, name


def test_the_table_on_the_page_is_what_the_commands_print(output, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = re.search(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)[1]
    exec(compile(first, "docs/stats.md", "exec"), {})
    assert run(app, ["data", "import", "csv", "votes.csv", "--out", "votes", "--quiet"]) == 0
    capsys.readouterr()
    shown = re.search(r"^```text\n(#  system.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)[1]
    assert shown in output("fit", "votes", "--dimension", "overall")[1]


@pytest.fixture(scope="module")
def pam(tmp_path_factory):
    return import_aes(AES, tmp_path_factory.mktemp("pam") / "study").path


@pytest.mark.realdata("aes")
@pytest.mark.parametrize("axis", AXES)
def test_the_nine_systems_of_pam_are_ranked_on_each_axis(document, pam, axis):
    found = document("fit", pam, "--dimension", axis)
    assert (len(found["items"]), found["n"], found["clusters"]) == (9, 10_000, "200 prompts")
    assert sum(row["n"] for row in found["items"]) == 10_000
    for row in found["items"]:
        assert row["value"]["low"] < row["value"]["value"] < row["value"]["high"]
    described = any("more is not better" in text for text in found["warnings"])
    assert described == (axis == "production_complexity")


@pytest.mark.realdata("aes")
@pytest.mark.parametrize("axis", AXES)
def test_agreement_of_pam_on_each_axis(document, pam, axis):
    found = document("agreement", pam, "--dimension", axis)
    estimates = {c["name"]: c["estimate"] for c in found["coefficients"]}
    alpha, icc = estimates["Krippendorff's alpha, interval"], estimates["ICC(1,1)"]
    assert 0 < alpha["low"] < alpha["value"] < alpha["high"] < 1
    # Of complete tables the two are estimates of one thing, and differ by 1 / n only.
    assert alpha["value"] == pytest.approx(icc["value"], abs=1e-3)
