"""The worths behind a study's table, from comparisons or rankings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeVar

from auralign.errors import DataError
from auralign.stats.arrays import IntArray
from auralign.stats.comparisons import comparisons_from, encode, outcome_counts
from auralign.stats.pairs.bradley_terry import BradleyTerryFit, fit_bradley_terry, fit_within_blocks
from auralign.stats.rankings import (
    BestWorst,
    RankingFit,
    Rankings,
    best_worst_from,
    fit_best_worst,
    fit_plackett_luce,
    rankings_from,
)
from auralign.stats.studies.clustering import Influence, n_codes
from auralign.stats.studies.ranking import ItemEstimates
from auralign.stats.studies.selection import Selection, only
from auralign.types import Comparisons, TrialProtocol

Ties = Literal["half", "davidson", "rao_kupper"]
Answers = TypeVar("Answers", Comparisons, Rankings, BestWorst)

UNIT = "log-worth in logits, mean 0"
TIE_WORDS = {
    "half": "a tie counts half",
    "davidson": "Davidson's ties",
    "rao_kupper": "Rao & Kupper's ties",
}


@dataclass(frozen=True, slots=True)
class WorthOptions:
    """How comparisons and rankings are modelled; see `fit_bradley_terry`."""

    ties: Ties = "half"
    order_effect: bool = False
    prior: float = 0.0


def pair_worths(selection: Selection, options: WorthOptions) -> ItemEstimates:
    """Bradley-Terry log-worths of systems, or of clips within the prompts that they answer."""
    comparisons = comparisons_of(selection)
    block_of = _prompt_of_clip(selection) if selection.item == "clip" else {}
    blocks, block = encode([block_of.get(item, "") for item in comparisons.items])

    def fit(answers: Comparisons) -> BradleyTerryFit:
        settings: dict[str, Any] = {name: getattr(options, name) for name in options.__slots__}
        if block_of:
            return fit_within_blocks(answers, block_of, **settings)
        return fit_bradley_terry(answers, **settings)

    found = fit(comparisons)
    return ItemEstimates(
        items=found.items,
        values=found.log_worth,
        influence_of=partial(_worth_influence, comparisons, fit),
        unit=UNIT,
        model=f"Bradley-Terry, {TIE_WORDS[options.ties]}",
        details=_pair_details(selection, found),
        warnings=_about_the_model(found.warnings),
        block=block,
        blocks=blocks,
        fit=found,
    )


def ranking_worths(selection: Selection, options: WorthOptions) -> ItemEstimates:
    """Plackett-Luce log-worths from rankings, MaxDiff's from best-worst answers.

    Raises `DataError` for clips of several prompts, which nobody ranked together.
    """
    if selection.item == "clip" and selection.n_prompts > 1:
        raise DataError("clips of different prompts were never ranked together: rank systems")
    given = selection.judgements, selection.dimension
    if selection.protocol is TrialProtocol.RANKING:
        rankings = rankings_from(*given, item_of=selection.item_of)
        return _of_rankings(rankings, partial(fit_plackett_luce, prior=options.prior))
    answers = best_worst_from(*given, item_of=selection.item_of)
    return _of_rankings(answers, partial(fit_best_worst, prior=options.prior))


def between_items(selection: Selection) -> Selection:
    """The answers about different items; an item says nothing against itself.

    Raises `DataError` when there are none.
    """
    found = only(selection, lambda j: len(set(selection.items(j))) == len(j.candidates))
    left_out = len(selection.judgements) - len(found.judgements)
    if not found.judgements:
        raise DataError(
            f"all {left_out} answers on '{selection.dimension}' are about one {selection.item} "
            "and itself; compare other systems, or rank clips"
        )
    if not left_out:
        return found
    remark = f"left out: {left_out} answers about a {selection.item} and itself"
    return replace(found, warnings=(*found.warnings, remark))


def comparisons_of(selection: Selection) -> Comparisons:
    """The selection's comparisons as arrays, row by row."""
    return comparisons_from(selection.judgements, selection.dimension, item_of=selection.item_of)


def _worth_influence(
    answers: Answers, fit: Callable[[Answers], BradleyTerryFit | RankingFit], cluster: IntArray
) -> Influence:
    """The influence of any clustering: the fit's own, with the clusters in the raters' place."""
    names = tuple(map(str, range(n_codes(cluster))))
    return fit(replace(answers, rater=cluster, raters=names)).influence


def _of_rankings(answers: Answers, fit: Callable[[Answers], RankingFit]) -> ItemEstimates:
    found = fit(answers)
    return ItemEstimates(
        items=found.items,
        values=found.log_worth,
        influence_of=partial(_worth_influence, answers, fit),
        unit=UNIT,
        model=found.model,
        details={**_fit_details(found), "tie_parameters": found.tie_parameters},
        warnings=_about_the_model(found.warnings),
    )


def _about_the_model(warnings: tuple[str, ...]) -> tuple[str, ...]:
    """Without those about the fit's own standard errors: these here are others."""
    return tuple(text for text in warnings if "standard_errors" not in text)


def _prompt_of_clip(selection: Selection) -> dict[str, str]:
    return {c.clip_id: j.prompt_id for j in selection.judgements for c in j.candidates}


def _pair_details(selection: Selection, fit: BradleyTerryFit) -> dict[str, Any]:
    outcomes = outcome_counts(selection.judgements, selection.dimension)
    return {
        **_fit_details(fit),
        "outcomes": {str(outcome): n for outcome, n in outcomes.items() if n},
        "nu": fit.nu,
        "threshold": fit.threshold,
        "order_effect": fit.order_effect,
        "order_effect_error": None if fit.order_effect is None else fit.order_effect_error,
    }


def _fit_details(fit: BradleyTerryFit | RankingFit) -> dict[str, Any]:
    return {
        "status": fit.status,
        "log_likelihood": fit.log_likelihood,
        "iterations": fit.iterations,
        "gradient_max": fit.gradient_max,
        "elo": dict(zip(fit.items, map(float, fit.elo), strict=True)),
    }
