"""Pairs of clips that share their beginning, from a tree: the loss is about what differs.

A policy that scores codes from left to right gives a shared beginning the same log-ratio in both
clips, so that any objective over sums of log-ratios leaves it out by itself; the weights of codes
say the same to objectives that read them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from auralign.data.example_files import write_examples
from auralign.data.examples import TokenPair
from auralign.training.rounds.context import RoundContext, Train
from auralign.training.rounds.search import Node
from auralign.types import Prompt, Tokens

STEP_EXAMPLES = "step_examples.parquet"

MIN_GAP = 3 / 8
"""Of the values of two siblings: three of eight look-aheads (Tree-PLV)."""


def step_pairs(prompt: Prompt, root: Node) -> list[TokenPair]:
    """At each depth of the best path, the best child against the worst one.

    Children are compared by Q. The label is smoothed by visits: p_chosen = 1 - e, e = min(1 - c,
    0.5), c = 1 / (1 + N_worst / max(1, N_best)); train on `spce`.

    Source: arXiv 2405.00451 (MCTS-DPO), with the authors' code.
    """
    found = []
    node = root
    while node.children:
        best = max(node.children, key=lambda child: child.q)
        worst = min(node.children, key=lambda child: child.q)
        if best.q > worst.q:
            p = 1 - visit_smoothing(best.n_visits, worst.n_visits)
            found += list(_pair(prompt, best, worst, p))
        node = best
    return found


def visit_smoothing(n_best: int, n_worst: int) -> float:
    """e, the probability that the label is wrong: min(1 - c, 0.5), c = 1 / (1 + q_w / max(1, q_b)).

    Source: arXiv 2405.00451, the authors' code.
    """
    return min(1 - 1 / (1 + n_worst / max(1, n_best)), 0.5)


def sibling_pairs(prompt: Prompt, root: Node, *, min_gap: float = MIN_GAP) -> list[TokenPair]:
    """Every two children of a node whose values are at least `min_gap` apart.

    Values are shares of look-aheads that end well, so rewards are 0 or 1. With 8 of them the
    standard error of a value is at most 0.18, and a gap of 3/8 is about 1.5 of a difference's.

    Source: Tree-PLV (EMNLP 2024.125), which trains a verifier on such pairs.
    """
    return [
        pair
        for node in root.walk()
        for a, b in combinations(sorted(node.children, key=lambda c: c.value, reverse=True), 2)
        if a.value - b.value >= min_gap - 1e-9
        for pair in _pair(prompt, a, b, None)
    ]


def with_step_pairs(train: Train, grow: Callable[[Prompt, RoundContext], Node]) -> Train:
    """Training on a tree for each prompt of the round, too.

    grow   a `search` with the policy of the round, seeded by its context

    The pairs stand in `step_examples.parquet` of the round. They have scores and `p_chosen`.
    """

    def step(examples: Sequence[TokenPair], context: RoundContext) -> Mapping[str, float]:
        prompts = dict.fromkeys(pair.prompt for pair in examples)
        found = [pair for prompt in prompts for pair in step_pairs(prompt, grow(prompt, context))]
        if found:
            write_examples(found, context.folder / STEP_EXAMPLES)
        return train([*examples, *found], context)

    return step


def _pair(prompt: Prompt, better: Node, worse: Node, p_chosen: float | None) -> Iterator[TokenPair]:
    """The best clip through one node against the worst through the other."""
    high, low = int(better.rewards.argmax()), int(worse.rewards.argmin())
    chosen, rejected = better.clips[high], worse.clips[low]
    shared = divergence_point(chosen, rejected)
    if better.rewards[high] >= worse.rewards[low] and not np.array_equal(chosen, rejected):
        yield TokenPair(
            prompt,
            chosen,
            rejected,
            p_chosen=p_chosen,
            chosen_score=float(better.rewards[high]),
            rejected_score=float(worse.rewards[low]),
            chosen_weights=_from(shared, chosen),
            rejected_weights=_from(shared, rejected),
        )


def divergence_point(a: Tokens, b: Tokens) -> int:
    """The first frame at which two clips `[codebook, time]` differ, or the shorter one ends."""
    n = min(a.shape[1], b.shape[1])
    differs = np.nonzero((a[:, :n] != b[:, :n]).any(axis=0))[0]
    return int(differs[0]) if len(differs) else n


def _from(frame: int, clip: Tokens) -> np.ndarray:
    weights = np.ones(clip.shape, dtype=np.float32)
    weights[:, :frame] = 0.0
    return weights
