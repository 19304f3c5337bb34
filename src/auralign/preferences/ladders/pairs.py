"""Preferences that ladders assert, and how many of them to train on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from auralign.errors import ConfigError, DataError
from auralign.preferences.ladders.ladder import Ladder, severity_text
from auralign.types import (
    Candidate,
    Judgement,
    Outcome,
    PreferencePair,
    Source,
    Split,
    TrialProtocol,
)

RULE = "ladder:"
"""How the rules of these pairs begin; the operation's id follows, then `:weak` if it is."""


def ladder_pairs(ladder: Ladder, *, weak: bool = False) -> list[PreferencePair]:
    """A pair for every order that the ladder asserts, on the dimension of its operation.

    Rule `ladder:family/name`; `p_chosen` 1, no votes. With `weak` also the pairs of neighbours,
    which may be ties to a listener, with a rule that ends in `:weak`.
    """
    operation = ladder.operation
    return [
        PreferencePair(
            prompt_id=ladder.prompt.id,
            chosen=better.clip_id,
            rejected=worse.clip_id,
            p_chosen=1.0,
            weight=1.0,
            dimension=operation.dimension,
            n_votes=0,
            rule=RULE + operation.id + ("" if clear else ":weak"),
            split=ladder.prompt.split,
        )
        for better, worse, clear in ladder.order()
        if clear or weak
    ]


def ladder_judgements(
    ladder: Ladder, *, rng: np.random.Generator, weak: bool = False
) -> list[Judgement]:
    """The same orders as judgements of source `synthetic`, sides drawn by a coin."""
    operation = ladder.operation
    judgements = []
    for better, worse, clear in ladder.order():
        if not (clear or weak):
            continue
        names = [severity_text(rung.severity, operation) for rung in (better, worse)]
        judgement = Judgement(
            trial=f"{ladder.prompt.id}:{operation.id}:{ladder.seed}:{names[0]}>{names[1]}",
            protocol=TrialProtocol.PAIR,
            dimension=operation.dimension,
            prompt_id=ladder.prompt.id,
            candidates=(Candidate(better.clip_id), Candidate(worse.clip_id)),
            rater=RULE + operation.id,
            source=Source.SYNTHETIC,
            outcome=Outcome.A,
            context={
                "family": operation.family,
                "operation": operation.id,
                "better": names[0],
                "worse": names[1],
                "order": "clear" if clear else "weak",
            },
        )
        judgements.append(judgement if rng.random() < 0.5 else judgement.swap())
    return judgements


def cap_synthetic(
    synthetic: Sequence[PreferencePair],
    human: Sequence[PreferencePair],
    *,
    max_share: float,
    rng: np.random.Generator,
) -> list[PreferencePair]:
    """As many of the synthetic pairs as make up at most `max_share` of all training pairs.

    Only pairs of the training split count and are returned, in their order. They are drawn evenly
    over the rules that made them, so that the operation with the most rungs has no more say.
    Raises ConfigError unless 0 <= max_share < 1, DataError when no human pair is held out for
    testing: what was learned of ladders has to be tried on what people prefer.
    """
    if not 0 <= max_share < 1:
        raise ConfigError(f"the share of synthetic pairs goes from 0 to below 1, not {max_share:g}")
    if not any(pair.split is Split.TEST for pair in human):
        raise DataError(
            "expected human pairs of the test split, got none: hold some out, because pairs of "
            "ladders cannot show what people prefer"
        )
    n_human = sum(pair.split is Split.TRAIN for pair in human)
    most = int(max_share / (1 - max_share) * n_human + 1e-9)
    by_rule: dict[str, list[int]] = defaultdict(list)
    for i in rng.permutation(len(synthetic)).tolist():
        if synthetic[i].split is Split.TRAIN:
            by_rule[synthetic[i].rule].append(i)
    rounds = [(turn, i) for of_rule in by_rule.values() for turn, i in enumerate(of_rule)]
    kept = sorted(i for _, i in sorted(rounds)[:most])
    return [synthetic[i] for i in kept]
