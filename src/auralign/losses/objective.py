"""The entry of an objective in the table; its options and words come from the function itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Literal

from auralign.errors import ConfigError, did_you_mean
from auralign.losses.batch import Loss, Need

Data = Literal["pairs", "unpaired", "lists"]
Scope = Literal["row", "batch", "mixed"]


class Group(StrEnum):
    """What you have at hand and what troubles it: the headings of "which one should I use?"."""

    CLEAN_PAIRS = "Pairs whose labels are mostly right"
    NOISY_PAIRS = "Pairs of which some are labelled the wrong way round"
    VOTED_PAIRS = "Pairs with the share of listeners that preferred the chosen clip"
    SCORED_PAIRS = "Pairs with a score of each clip: mean opinion, or an external reward"
    FALLING_LIKELIHOOD = "Pairs on which the chosen clips become less likely, too"
    LENGTHS = "Pairs whose two clips differ in length"
    NO_REFERENCE = "Pairs, and no memory for a reference"
    FOREIGN_PAIRS = "Pairs that another policy, or another pool, has produced"
    LOCAL_FAULTS = "Pairs that differ in a few places, and the places are known"
    DIVERSITY = "Pairs, and the variety of answers matters"
    CONDITIONS = "Clips that fit one prompt and not another"
    ACROSS_PROMPTS = "Preferences between clips of different prompts"
    AUXILIARY = "Pairs with something further to learn from: a gold clip, a rationale, a degree"
    EXPLORATION = "Pairs of fresh samples, and the policy has to explore"
    UNPAIRED = "Single clips with a thumb up or down"
    RANKED_LISTS = "Lists of clips that listeners have ranked"
    SCORED_LISTS = "Lists of clips with a score of each"


@dataclass(frozen=True)
class Objective:
    """An objective, and what a batch has to hold for it.

    function   `function(batch, *, options) -> Loss`
    data       the record that it takes: Pairs, Unpaired or Lists
    group      when to look at it
    needs      fields of the batch without which `function` raises ConfigError
    scope      what a value depends on: its own `row`; its row and the rest of the batch (`batch`);
               or the batch alone, so that values belong to no row and cannot be weighted (`mixed`)
    """

    function: Callable[..., Loss]
    data: Data
    group: Group
    needs: frozenset[Need] = frozenset()
    scope: Scope = "row"

    @property
    def family(self) -> str:
        """The module that it lives in."""
        return self.function.__module__.rpartition(".")[2]

    @property
    def doc(self) -> str:
        return inspect.getdoc(self.function) or ""

    @property
    def summary(self) -> str:
        """The first sentence of the docstring, on one line."""
        return re.split(r"\.\s|\n\n", self.doc, maxsplit=1)[0].replace("\n", " ").rstrip(".")

    @property
    def use_when(self) -> str:
        """What the docstring says after `Use when:`, on one line."""
        found = re.search(r"^Use when: (.+?)(?=\n[A-Z][a-z]+: |\n\n|\Z)", self.doc, re.M | re.S)
        return " ".join(found[1].split()) if found else ""

    @property
    def papers(self) -> tuple[str, ...]:
        """arXiv ids in the docstring, in order."""
        return tuple(dict.fromkeys(re.findall(r"\b\d{4}\.\d{5}\b", self.doc)))

    @property
    def derived(self) -> bool:
        """The exact formula of the source could not be read; the docstring says what is ours."""
        return "derived:" in self.doc.lower()

    @property
    def options(self) -> dict[str, Any]:
        """Defaults by name, from the signature."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    def bind(self, options: Mapping[str, Any]) -> Callable[..., Loss]:
        """The function with these options; ConfigError for one that it does not take."""
        for name in options:
            if name not in self.options:
                raise ConfigError(
                    f"{self.function.__name__} takes {', '.join(self.options)}, got '{name}'"
                    f"{did_you_mean(name, self.options)}"
                )
        return partial(self.function, **options)


def entries(
    data: Data,
    group: Group,
    needs: Iterable[Need],
    *functions: Callable[..., Loss],
    scope: Scope = "row",
) -> dict[str, Objective]:
    """One entry for each function, by its name."""
    return {f.__name__: Objective(f, data, group, frozenset(needs), scope) for f in functions}
