"""A gallery of ranked clips that grows with the rounds, and rewards that are fitted to it anew.

A reward that was fitted to clips of earlier policies misorders those of new ones. Here each round's
clips are placed into the ranking, and the reward that judges them has seen them.

Source: arXiv 2410.07171 (IterComp): policy and rewards are refined in turn, three times. There the
policy follows the gradient of the rewards; here it is trained on pairs as in any round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from auralign.data.example_files import read_examples, write_examples
from auralign.data.examples import TokenList
from auralign.errors import DataError
from auralign.training.rounds.annotators import ask_reward
from auralign.training.rounds.context import Annotate, Reward, RoundContext
from auralign.training.rounds.records import Annotation, Candidates
from auralign.types import Prompt, Tokens

GALLERY = "gallery.parquet"

Refit = Callable[[Sequence[TokenList]], Reward]
"""A reward from ranked clips; the same ranking must give the same reward."""


def ask_refitted_reward(gallery: Sequence[TokenList], refit: Refit, *, name: str) -> Annotate:
    """Places the candidates into the gallery, fits the reward anew, and scores them by it.

    gallery   clips of several systems for the prompts of the rounds, as people have ranked them;
              scores are not used

    The grown gallery is `gallery.parquet` of the round, from which the next one goes on.
    """

    def annotate(candidates: Candidates, context: RoundContext) -> Annotation:
        before = context.folder_before
        lists = _read(before / GALLERY) if before else list(gallery)
        grown = grow(lists, candidates, refit(lists))
        write_examples(grown, context.folder / GALLERY)
        return ask_reward(refit(grown), name=name)(candidates, context)

    return annotate


def grow(gallery: Sequence[TokenList], candidates: Candidates, reward: Reward) -> list[TokenList]:
    """The rankings with the candidates of their prompts placed by the reward.

    The clips that were ranked before keep their order. Raises DataError for a prompt that is not in
    the gallery.
    """
    found = {one.prompt.id: one for one in gallery}
    for prompt_id, clips in candidates.by_prompt().items():
        if prompt_id not in found:
            raise DataError(
                f"expected candidates for prompts of the gallery, got '{prompt_id}': give all "
                "rounds the gallery's prompts"
            )
        for clip in clips:
            found[prompt_id] = _with_clip(found[prompt_id], candidates.tokens[clip.id], reward)
    return list(found.values())


def _with_clip(one: TokenList, clip: Tokens, reward: Reward) -> TokenList:
    if any(np.array_equal(clip, other) for other in one.clips):
        return one
    prompts: list[Prompt] = [one.prompt] * (len(one.clips) + 1)
    *ranked, value = reward(prompts, [*one.clips, clip]).tolist()
    at = insertion_place(ranked, value)
    return replace(one, clips=(*one.clips[:at], clip, *one.clips[at:]), scores=None)


def insertion_place(ranked: Sequence[float], value: float) -> int:
    """Where a clip goes into a ranking so that its reward disagrees with the fewest ranked clips.

    ranked   rewards of the ranked clips, best first, which may contradict the ranking
    value    the reward of the new clip

    The highest of equal places.
    Derived: the source inserts by reward without saying what a contradiction does.
    """
    rewards = np.asarray(ranked)
    disagreeing = [
        int((rewards[:at] < value).sum() + (rewards[at:] > value).sum())
        for at in range(len(rewards) + 1)
    ]
    return int(np.argmin(disagreeing))


def _read(path: Path) -> list[TokenList]:
    return [one for one in read_examples(path) if isinstance(one, TokenList)]
