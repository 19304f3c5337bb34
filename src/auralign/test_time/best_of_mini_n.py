"""Best of mini-N: draw in small loops and stop at the first clip that is good enough.

arXiv 2510.04087. The reward has an outside option: above the threshold a clip is acceptable. As an
accelerator the threshold is 0 and the best clip seen is handed out in any case; as a guardrail the
threshold is calibrated (`calibration`) and a prompt without an acceptable clip gets none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from auralign.errors import ConfigError
from auralign.test_time.selection import (
    NOBODY,
    Candidates,
    Float,
    Index,
    Reward,
    Sampler,
    Selection,
    best_scored,
    choose,
    draw,
    require_positive,
    score,
)
from auralign.types import Prompt

if TYPE_CHECKING:
    import torch


def best_of_mini_n(
    policy: Sampler,
    prompts: Sequence[Prompt],
    reward: Reward,
    *,
    generator: torch.Generator,
    m: int = 4,
    max_loops: int = 4,
    threshold: float = 0.0,
    abstain: bool = False,
    temperature: float = 1.0,
) -> Selection:
    """Up to `max_loops` loops of `m` clips for each prompt, until one scores above the threshold.

    abstain   hand out nothing where none does, instead of the best clip seen

    With the threshold at minus infinity this is the best of m. Raises ConfigError for numbers below
    1, and unless it abstains DataError where no clip of a prompt has a score.
    """
    require_positive(m=m, max_loops=max_loops)
    waiting, parts, scores = np.arange(len(prompts)), list[Candidates](), list[Float]()
    for _ in range(max_loops):
        asked = [prompts[i] for i in waiting.tolist()]
        drawn = draw(policy, asked, m, generator=generator, temperature=temperature)
        parts.append(Candidates(waiting[drawn.prompt_index], drawn.tokens, drawn.terminated))
        scores.append(score(reward, prompts, parts[-1]))
        waiting = _not_yet(waiting, parts[-1], scores[-1], threshold)
        if len(waiting) == 0:
            break
    candidates, all_scores = Candidates.joined(parts), np.concatenate(scores)
    if not abstain:
        return choose(prompts, candidates, all_scores)
    nothing = np.zeros(len(all_scores), dtype=np.bool_)
    chosen = best_scored(prompts, candidates, all_scores, nothing)
    chosen[waiting] = NOBODY
    return Selection(candidates, all_scores, chosen, nothing)


def _not_yet(waiting: Index, drawn: Candidates, scores: Float, threshold: float) -> Index:
    """Of the waiting prompts those without a score above the threshold."""
    return np.setdiff1d(waiting, drawn.prompt_index[scores > threshold])


def stop_probability(p_accept: float, m: int) -> float:
    """Probability that a loop of m draws has an acceptable one: 1 - (1 - p)^m.

    Raises ConfigError for a probability outside [0, 1], and for m below 1.
    """
    require_positive(m=m)
    if not 0 <= p_accept <= 1:
        raise ConfigError(f"expected a probability from 0 to 1, got {p_accept:g}")
    return 1 - (1 - p_accept) ** m


def expected_draws(p_accept: float, m: int, max_loops: int) -> float:
    """Expected number of clips until one is accepted, or all loops are done.

    Derived: loop k is reached with probability (1 - q)^(k - 1), q that of `stop_probability`.
    Errors as there.
    """
    require_positive(max_loops=max_loops)
    going_on = 1 - stop_probability(p_accept, m)
    return float(m * (going_on ** np.arange(max_loops)).sum())
