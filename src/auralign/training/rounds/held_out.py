"""How far a round has come: its clips against those of the policy before round 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from auralign.errors import DataError
from auralign.training.rounds.candidates import (
    POLICY,
    draw_from_policy,
    read_candidates,
    write_candidates,
)
from auralign.training.rounds.context import Annotate, Decode, Evaluate, RoundContext
from auralign.training.rounds.records import Annotation, Candidates, HeldOut
from auralign.training.rounds.win_matrix import share_of_first
from auralign.types import Outcome, Prompt, TrialProtocol


def compare_with_first(
    prompts: Sequence[Prompt],
    annotate: Annotate,
    *,
    n: int = 1,
    decode: Decode | None = None,
    simulated: bool = False,
    dimension: str = "overall",
) -> Evaluate:
    """Listeners or a judge compare `n` clips of either policy on prompts that are kept apart.

    annotate   whoever did not judge the candidates, so that the judge itself cannot be learnt;
               with `annotators.ask_people` the round waits for votes on its folder `held_out`

    Clips that the two policies share count as a tie.
    """

    def evaluate(context: RoundContext) -> HeldOut:
        path = context.folder / "held_out"
        if not path.exists():
            draw = draw_from_policy(n, n_first=n)
            sampled = draw(prompts, replace(context, seed=context.seed_of("held out")))
            name = f"round {context.number} against the policy before round 1"
            write_candidates(path, sampled, decode, name=name, simulated=simulated)
        candidates = read_candidates(path)
        answers = annotate(candidates, context)
        return HeldOut.of(list(preferences(candidates, answers, dimension).values()))

    return evaluate


def preferences(
    candidates: Candidates, answers: Annotation, dimension: str = "overall"
) -> dict[str, float]:
    """Prompt id -> share of answers that prefer the policy to the first one, ties half.

    Raises DataError for a prompt that nobody answered about.
    """
    system = {clip.id: clip.system for clip in candidates.clips}
    shares: dict[str, list[float]] = {}
    for j in answers.judgements:
        if j.protocol is not TrialProtocol.PAIR or j.dimension != dimension:
            continue
        if j.outcome in (None, Outcome.SKIP):
            continue
        sides = [system[c.clip_id] for c in j.candidates]
        if sides[0] != sides[1]:
            first = share_of_first(j)
            shares.setdefault(j.prompt_id, []).append(first if sides[0] == POLICY else 1 - first)
    return {
        prompt_id: _mean(shares, prompt_id, systems)
        for prompt_id, systems in _systems(candidates).items()
    }


def _systems(candidates: Candidates) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {prompt_id: set() for prompt_id in candidates.prompts}
    for clip in candidates.clips:
        found[clip.prompt_id].add(clip.system)
    return found


def _mean(shares: Mapping[str, list[float]], prompt_id: str, systems: set[str]) -> float:
    if len(systems) == 1:  # both policies made the same clips
        return 0.5
    if prompt_id not in shares:
        raise DataError(
            f"prompt '{prompt_id}': expected answers that compare a round with the policy before "
            "round 1, got none: collect some on every held-out prompt"
        )
    return float(np.mean(shares[prompt_id]))
