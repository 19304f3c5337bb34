"""Temporal self-rewarding: pairs whose chosen clips come from a future policy (arXiv 2508.06026).

Use it with `curation.anchored`, which takes rejected clips from the policy before round 1:
where one policy makes both sides of a pair, they move towards each other from round to round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from auralign.data.example_files import write_examples
from auralign.data.examples import TokenPair
from auralign.errors import DataError
from auralign.training.rounds.context import Reward, RoundContext, Train
from auralign.types import Tokens

FUTURE = "future_examples.parquet"


def future_guided(train: Train, reward: Reward, *, n: int = 7) -> Train:
    """Trains a future policy, improves the pairs with its clips, and trains on these instead.

    reward   the one that scored the candidates (`annotators.ask_reward`)
    n        clips of the future policy for each pair; 7 in the source

    Both trainings start from the policy as the round found it; the future policy is thrown away.
    What was trained on stands in `future_examples.parquet` of the round. Raises DataError for pairs
    without scores.
    """

    def step(examples: Sequence[TokenPair], context: RoundContext) -> Mapping[str, float]:
        model = context.policy.model
        start = {name: weight.detach().clone() for name, weight in model.state_dict().items()}
        train(examples, replace(context, folder=context.folder / "future"))
        refined = _refined(examples, reward, n, context)
        model.load_state_dict(start)
        write_examples(refined, context.folder / FUTURE)
        return train(refined, context)

    return step


def _refined(
    examples: Sequence[TokenPair], reward: Reward, n: int, context: RoundContext
) -> list[TokenPair]:
    """Each pair, with the best of `n` clips of the policy as chosen where that scores higher."""
    prompts = [pair.prompt for pair in examples]
    generator = context.generator("future clips")
    tokens = context.policy.sample(prompts, n, generator=generator).tokens
    scores = np.asarray(reward([p for p in prompts for _ in range(n)], tokens)).reshape(-1, n)
    groups = [tokens[i * n : (i + 1) * n] for i in range(len(prompts))]
    return [guided(*row) for row in zip(examples, groups, scores, strict=True)]


def guided(pair: TokenPair, clips: Sequence[Tokens], scores: NDArray[np.float64]) -> TokenPair:
    """The pair with the best of the clips as chosen, where it scores above the chosen one.

    scores   `[clips]`, NaN for a clip that could not be scored

    Raises DataError for a pair without scores.
    """
    if pair.chosen_score is None:
        raise DataError(
            f"prompt '{pair.prompt.id}': expected a pair with the scores of its clips, got one "
            "without: let a reward judge the candidates (`ask_reward`)"
        )
    known = np.where(np.isnan(scores), -np.inf, scores)
    best = int(known.argmax())
    if known[best] <= pair.chosen_score:
        return pair
    return replace(pair, chosen=clips[best], chosen_score=float(known[best]))
