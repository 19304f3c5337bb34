import json

from auralign.cli import app
from auralign.cli.console import run
from auralign.losses import OBJECTIVES
from auralign.losses.online import ONLINE_OBJECTIVES


def test_the_list_names_every_objective_once(capsys):
    assert run(app, ["align", "--list-methods", "--json"]) == 0
    methods = json.loads(capsys.readouterr().out)
    assert sorted(m["name"] for m in methods) == sorted({*OBJECTIVES, *ONLINE_OBJECTIVES})


def test_an_online_objective_is_explained_with_its_advantages_and_its_kl(capsys):
    assert run(app, ["align", "--explain", "rloo"]) == 0
    text = capsys.readouterr().out
    assert "k1 in the reward" in text
    assert "leave_one_out" in text


def test_the_text_puts_objectives_below_what_data_they_are_for(capsys):
    assert run(app, ["align", "--list-methods"]) == 0
    blocks = capsys.readouterr().out.split("\n\n")
    noisy = next(b for b in blocks if b.startswith("Pairs of which some are labelled the wrong"))
    assert "  rdpo: " in noisy
    assert "  dpo: " not in noisy


def test_an_explanation_has_formula_options_and_source(capsys):
    assert run(app, ["align", "--explain", "rdpo"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("rdpo(")
    assert "2403.00409" in text


def test_an_unknown_objective_is_a_sentence_that_suggests_the_near_one(capsys):
    assert run(app, ["align", "--explain", "rdop"]) == 2
    assert "did you mean 'rdpo'?" in capsys.readouterr().err


def test_to_look_up_one_and_to_list_all_are_two_commands(capsys):
    assert run(app, ["align", "--list-methods", "--explain", "dpo"]) == 2
    assert "either --list-methods or --explain" in capsys.readouterr().err


def test_without_anything_to_do_it_says_what_training_needs(capsys):
    assert run(app, ["align", "--method", "dpo", "--out", "x"]) == 2
    assert "training needs --policy, --pairs; to look" in capsys.readouterr().err
