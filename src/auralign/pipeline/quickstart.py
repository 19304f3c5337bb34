"""What the quickstart's options change in its recipe."""

from __future__ import annotations

from typing import Any

from auralign.errors import ConfigError
from auralign.pipeline.recipe import Recipe


def with_corpus(recipe: Recipe, corpus: str) -> Recipe:
    """`espeak`, or `fsdd:PATH` for real recordings; ConfigError for anything else."""
    source, _, path = corpus.partition(":")
    if (source, bool(path)) not in (("espeak", False), ("fsdd", True)):
        raise ConfigError(
            f"--corpus: expected 'espeak' or 'fsdd:PATH', got '{corpus}': for real recordings give "
            "the folder of the Free Spoken Digit Dataset after 'fsdd:'"
        )
    return _with(recipe, "corpus", source=source, path=path or None)


def with_agreement(recipe: Recipe, agreement: str) -> Recipe:
    """`speech` or `music`: how often two simulated listeners agree."""
    return _with(recipe, "prefer", agreement=agreement)


def _with(recipe: Recipe, stage: str, **options: Any) -> Recipe:
    """The recipe with options of its stages of one name replaced."""
    stages = tuple(s.model_copy(update=options) if s.stage == stage else s for s in recipe.stages)
    return recipe.model_copy(update={"stages": stages})
