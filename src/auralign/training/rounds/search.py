"""Trees of clips that share their beginnings: search over segments of codec frames.

Each child goes on with its parent's prefix by one segment. Its value is the mean reward of whole
clips that continue it. `puct` searches as MCTS-DPO does (arXiv 2405.00451), `best_first` as
Tree-PLV (EMNLP 2024.125); `step_pairs` makes pairs of what they find.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from auralign.errors import ConfigError, DataError
from auralign.training.rounds.context import Reward
from auralign.types import Prompt, Tokens

EXPLORATION = 1.0
"""c of the upper confidence bound, 1 in MCTS-DPO."""
LENGTH_PENALTY = 1.25
"""Exponent of the number of codes in the prior of a step (the authors' code)."""


class ContinuingPolicy(Protocol):
    """A policy that can go on with the beginning of a clip."""

    def continue_from(
        self,
        prompts: Sequence[Prompt],
        prefixes: Sequence[Tokens],
        *,
        generator: torch.Generator,
    ) -> tuple[list[Tokens], NDArray[np.bool_]]:
        """One whole clip for each prefix `[codebook, time]`, and whether it ended itself."""
        ...

    def token_logps(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
    ) -> tuple[torch.Tensor, torch.Tensor]: ...


@dataclass(eq=False)
class Node:
    """The beginning of a clip; `clips` are whole clips that continue it, with their rewards.

    gain       value less that of the parent: the reward of the step that leads here
    prior      exp(sum of log-probabilities / n^1.25) over the step's n codes
    n_visits   how often the search came through
    """

    prefix: Tokens
    clips: list[Tokens]
    rewards: NDArray[np.float64]
    finished: bool = False
    gain: float = 0.0
    prior: float = 1.0
    n_visits: int = 0
    children: list[Node] = field(default_factory=list)

    @property
    def value(self) -> float:
        return float(self.rewards.mean())

    @property
    def q(self) -> float:
        """Gain of the step, and the mean of what follows it, weighted by visits (gamma is 1)."""
        return self.gain + _following(self.children)

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


def _following(children: Sequence[Node]) -> float:
    """sum max(1, N) Q / sum max(1, N); 0 without children."""
    weights = [max(1, child.n_visits) for child in children]
    total = sum(w * child.q for w, child in zip(weights, children, strict=True))
    return total / sum(weights) if weights else 0.0


Select = Callable[[Node], list[Node]]
"""The path from the root to the node that is expanded next; empty when all are finished."""


def puct(root: Node) -> list[Node]:
    """Down from the root by Q + c prior sqrt(N_parent) / (1 + N), to a node without children."""
    path = [root]
    while path[-1].children:
        parent = path[-1]
        path.append(max(parent.children, key=lambda child: _upper_bound(child, parent)))
    return path


def _upper_bound(child: Node, parent: Node) -> float:
    exploration = EXPLORATION * child.prior * math.sqrt(parent.n_visits)
    return child.q + exploration / (1 + child.n_visits)


def best_first(root: Node) -> list[Node]:
    """The unfinished node without children that has the highest value, wherever it stands."""
    paths = [path for path in _paths([root]) if not (path[-1].children or path[-1].finished)]
    return max(paths, key=lambda path: path[-1].value) if paths else []


def _paths(path: list[Node]) -> Iterator[list[Node]]:
    yield path
    for child in path[-1].children:
        yield from _paths([*path, child])


def search(
    policy: ContinuingPolicy,
    prompt: Prompt,
    reward: Reward,
    *,
    segment: int,
    n_codebooks: int,
    generator: torch.Generator,
    select: Select = puct,
    n_expansions: int = 8,
    n_children: int = 4,
    n_rollouts: int = 8,
) -> Node:
    """The root of a tree that was expanded `n_expansions` times.

    segment      frames of a step; half a second to a second of speech is a word or two
    n_children   continuations of a node that is expanded; equal ones are one child
    n_rollouts   whole clips whose mean reward is a node's value; 8 in Tree-PLV, where rewards are
                 1 for a clip that is right and 0 for one that is not

    Raises ConfigError for sizes below 1, DataError for a clip that the reward cannot score.
    """
    if min(segment, n_expansions, n_children, n_rollouts) < 1:
        raise ConfigError(
            "expected segment, n_expansions, n_children and n_rollouts of at least 1, got "
            f"{segment}, {n_expansions}, {n_children} and {n_rollouts}"
        )
    grower = _Grower(policy, prompt, reward, segment, n_children, n_rollouts, generator)
    empty = np.zeros((n_codebooks, 0), dtype=np.int64)
    (root,) = grower.evaluated([empty])
    for _ in range(n_expansions):
        path = select(root)
        if not path:
            break
        for node in path:
            node.n_visits += 1
        if not path[-1].finished:
            path[-1].children = grower.children(path[-1])
    return root


@dataclass(frozen=True)
class _Grower:
    """Makes nodes; fields as the arguments of `search`."""

    policy: ContinuingPolicy
    prompt: Prompt
    reward: Reward
    segment: int
    n_children: int
    n_rollouts: int
    generator: torch.Generator

    def children(self, parent: Node) -> list[Node]:
        """Different continuations of the parent by one segment."""
        clips = self._continued([parent.prefix] * self.n_children)
        end = parent.prefix.shape[1] + self.segment
        prefixes = {clip[:, :end].tobytes(): clip[:, :end] for clip in clips}
        nodes = self.evaluated(list(prefixes.values()))
        for node in nodes:
            node.finished = node.prefix.shape[1] < end
            node.gain = node.value - parent.value
            node.prior = self._prior(node, parent.prefix.shape[1])
        return nodes

    def evaluated(self, prefixes: Sequence[Tokens]) -> list[Node]:
        """A node for each prefix, with `n_rollouts` clips that continue it."""
        n = self.n_rollouts
        clips = self._continued([prefix for prefix in prefixes for _ in range(n)])
        rewards = np.asarray(self.reward([self.prompt] * len(clips), clips), dtype=np.float64)
        if np.isnan(rewards).any():
            raise DataError(
                f"prompt '{self.prompt.id}': expected a reward for each clip, got none for "
                f"{int(np.isnan(rewards).sum())} of {len(clips)}: give such clips the lowest one"
            )
        rewards = rewards.reshape(-1, n)
        return [
            Node(prefix, clips[i * n : (i + 1) * n], rewards[i])
            for i, prefix in enumerate(prefixes)
        ]

    def _continued(self, prefixes: Sequence[Tokens]) -> list[Tokens]:
        prompts = [self.prompt] * len(prefixes)
        return self.policy.continue_from(prompts, prefixes, generator=self.generator)[0]

    @torch.no_grad()
    def _prior(self, node: Node, begin: int) -> float:
        """exp(sum of log-probabilities of the step / n^1.25), n its number of codes."""
        logps, _ = self.policy.token_logps([self.prompt], [node.prefix])
        step = logps[0, :, begin : node.prefix.shape[1]]
        return math.exp(float(step.sum()) / max(1, step.numel()) ** LENGTH_PENALTY)
