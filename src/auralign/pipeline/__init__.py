"""recipe.yaml -> stages -> run folder: deterministic, resumable, every stage a public function."""

from auralign.pipeline.recipe import Recipe, packaged_recipe, read_recipe
from auralign.pipeline.runner import Observer, run_recipe

__all__ = ["Observer", "Recipe", "packaged_recipe", "read_recipe", "run_recipe"]
