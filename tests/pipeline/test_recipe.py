"""Recipes: read strictly, shipped with the package, the same on disk and embedded."""

from pathlib import Path

import pytest

from auralign.data.config import parse
from auralign.errors import ConfigError
from auralign.pipeline import Recipe, packaged_recipe, read_recipe
from auralign.pipeline.quickstart import with_agreement, with_corpus
from auralign.pipeline.runner import _plan

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["quickstart", "quickstart-small", "quickstart-tiny"])
def test_the_recipe_in_the_repository_is_the_embedded_one(name: str) -> None:
    assert read_recipe(ROOT / "recipes" / f"{name}.yaml") == packaged_recipe(name)


def test_a_recipe_written_out_reads_back_equal(tmp_path: Path) -> None:
    recipe = packaged_recipe("quickstart")
    (tmp_path / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    assert read_recipe(tmp_path / "recipe.yaml") == recipe


def test_an_unknown_key_suggests_the_near_one(tmp_path: Path) -> None:
    text = packaged_recipe("quickstart-tiny").to_yaml().replace("flaw_share", "flaw_shere")
    (tmp_path / "r.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"r\.yaml.*flaw_shere.*did you mean 'flaw_share'"):
        read_recipe(tmp_path / "r.yaml")


def test_a_wrong_type_says_what_was_expected(tmp_path: Path) -> None:
    text = packaged_recipe("quickstart-tiny").to_yaml().replace("n_steps: 20", "n_steps: many")
    (tmp_path / "r.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"n_steps.*integer.*many"):
        read_recipe(tmp_path / "r.yaml")


def test_an_unknown_stage_is_an_error() -> None:
    with pytest.raises(ConfigError, match="corpsu"):
        parse(Recipe, {"name": "x", "stages": [{"stage": "corpsu"}]}, "r.yaml")


def test_a_stage_without_what_it_needs_names_it() -> None:
    recipe = packaged_recipe("quickstart-tiny")
    kept = tuple(s for s in recipe.stages if s.stage != "model")
    without = recipe.model_copy(update={"stages": kept})
    with pytest.raises(ConfigError, match="'align' needs what a stage 'model' makes"):
        _plan(without)


def test_an_unknown_packaged_recipe_lists_the_known() -> None:
    with pytest.raises(ConfigError, match="did you mean 'quickstart-small'"):
        packaged_recipe("quickstart-smal")


def test_the_corpus_option_changes_only_the_corpus_stage() -> None:
    recipe = packaged_recipe("quickstart")
    changed = with_corpus(recipe, "fsdd:data")
    assert (changed.stages[0].source, changed.stages[0].path) == ("fsdd", "data")  # type: ignore[union-attr]
    assert changed.stages[1:] == recipe.stages[1:]
    assert with_corpus(changed, "espeak") == recipe


@pytest.mark.parametrize("corpus", ["fsdd", "fsdd:", "espeak:x", "librispeech"])
def test_an_unknown_corpus_is_an_error(corpus: str) -> None:
    with pytest.raises(ConfigError, match="expected 'espeak' or 'fsdd:PATH'"):
        with_corpus(packaged_recipe("quickstart"), corpus)


def test_the_agreement_option_changes_only_the_listeners() -> None:
    recipe = packaged_recipe("quickstart")
    changed = with_agreement(recipe, "music")
    assert [a != b for a, b in zip(changed.stages, recipe.stages, strict=True)].count(True) == 1
