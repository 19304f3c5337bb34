"""The recipes of rounds, and what their options mean."""

from pathlib import Path

import pytest

from auralign.errors import ConfigError
from auralign.pipeline import Recipe, packaged_recipe, read_recipe
from auralign.pipeline.runner import _plan
from auralign.pipeline.stages.iterate import IterateOptions

ROOT = Path(__file__).parents[2]


def iterate_of(recipe: Recipe) -> IterateOptions:
    (options,) = (s for s in recipe.stages if isinstance(s, IterateOptions))
    return options


@pytest.mark.parametrize("name", ["iterate_dpo", "iterate-dpo-tiny"])
def test_the_recipe_in_the_repository_is_the_embedded_one_and_can_be_planned(name: str) -> None:
    recipe = packaged_recipe(name)
    assert read_recipe(ROOT / "recipes" / f"{name}.yaml") == recipe
    assert [stage.name for stage in _plan(recipe)][-1] == "iterate"


@pytest.mark.parametrize("name", ["iterate_dpo", "iterate-dpo-tiny"])
def test_rounds_by_default_reuse_no_pair_and_keep_the_reference(name: str) -> None:
    settings = iterate_of(packaged_recipe(name)).rounds
    assert (settings.reference, settings.reuse_pairs) == ("first", False)


def test_the_budget_of_listeners_is_prompts_times_pairs_times_votes() -> None:
    options = iterate_of(packaged_recipe("iterate-dpo-tiny"))
    asked = {"n_prompts": 7, "compared_per_prompt": 3, "votes_per_pair": 2}
    assert options.model_copy(update=asked).votes_per_round == 42


def test_rounds_need_candidates_to_begin_with() -> None:
    recipe = packaged_recipe("iterate-dpo-tiny")
    kept = tuple(s for s in recipe.stages if s.stage != "sft")
    with pytest.raises(ConfigError, match="'prefer' needs what a stage 'sft' makes"):
        _plan(recipe.model_copy(update={"stages": kept}))
