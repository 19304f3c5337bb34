"""Planning over segments: search a tree of beginnings, each worth what becomes of it.

A node is a prefix of whole segments of codec frames. Its value is the mean reward of K finished
clips that begin with it (the look-ahead of Tree-PLV, EMNLP 2024.125, with a reward in place of a
right answer). The search is best first: the open prefix of the highest value is taken apart into
the next segments of its clips, each of these gets K clips of its own, the best few are kept and the
rest is pruned. The standard error of a value is that of a mean of K: for rewards of 0 and 1 at most
0.5 / sqrt(K).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from auralign.errors import ConfigError
from auralign.test_time.continuation import ContinuingSampler, go_on
from auralign.test_time.selection import (
    Candidates,
    Float,
    Reward,
    Selection,
    choose,
    draw,
    require_positive,
    score,
)
from auralign.types import Prompt, Tokens

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class _Node:
    """A prefix of a prompt's clip, and the indices of the clips that begin with it.

    prefix   [codebook, time]
    whole    the prefix is a finished clip
    """

    prompt: int
    prefix: Tokens
    whole: bool
    clips: list[int]


@dataclass(eq=False)
class _Drawn:
    """All clips so far, and their scores."""

    candidates: Candidates
    scores: Float

    def add(self, candidates: Candidates, scores: Float) -> None:
        self.candidates = Candidates.joined([self.candidates, candidates])
        self.scores = np.append(self.scores, scores)

    def value(self, node: _Node) -> float:
        """Mean score of the node's clips; minus infinity where none has one."""
        scores = self.scores[node.clips]
        known = scores[~np.isnan(scores)]
        return float(known.mean()) if len(known) else -np.inf


def plan(
    policy: ContinuingSampler,
    prompts: Sequence[Prompt],
    reward: Reward,
    *,
    generator: torch.Generator,
    segment: int = 8,
    look_aheads: int = 4,
    keep: int = 2,
    n_expansions: int = 4,
    temperature: float = 1.0,
) -> Selection:
    """The best clip below a prefix that was kept, for each prompt.

    segment        frames of a segment
    look_aheads    K, clips that a prefix is valued by
    keep           next segments of a prefix that are kept; the clips below the others are excluded,
                   even one with the highest score of all: that of a single clip is mostly luck
    n_expansions   how many prefixes are taken apart; with 0 this is the best of K

    At most K + n_expansions K (K - 1) clips are drawn for a prompt; the prompts are searched side
    by side, in one batch. Raises ConfigError for numbers below 1 (of expansions, below 0),
    DataError where no clip of a prompt has a score.
    """
    require_positive(segment=segment, look_aheads=look_aheads, keep=keep)
    if n_expansions < 0:
        raise ConfigError(f"n_expansions: expected at least 0, got {n_expansions}")
    candidates = draw(policy, prompts, look_aheads, generator=generator, temperature=temperature)
    drawn = _Drawn(candidates, score(reward, prompts, candidates))
    choose(prompts, candidates, drawn.scores)  # a prompt without any score is told at once
    frontiers = [[_root(i, candidates)] for i in range(len(prompts))]
    for _ in range(n_expansions):
        opened = [node for nodes in frontiers for node in _best_open(nodes, drawn)]
        families = [_children(node, drawn.candidates, segment) for node in opened]
        lacking = list(_lacking(chain(*families), look_aheads))
        if lacking:
            starts = [(node.prompt, node.prefix) for node in lacking]
            new = go_on(policy, prompts, starts, generator=generator, temperature=temperature)
            for i, node in enumerate(lacking, len(drawn.scores)):
                node.clips.append(i)
            drawn.add(new, score(reward, prompts, new))
        for node, family in zip(opened, families, strict=True):
            frontiers[node.prompt].remove(node)
            frontiers[node.prompt] += sorted(family, key=drawn.value, reverse=True)[:keep]
    excluded = np.ones(len(drawn.scores), dtype=np.bool_)
    excluded[[i for node in chain(*frontiers) for i in node.clips]] = False
    return choose(prompts, drawn.candidates, drawn.scores, excluded=excluded)


def _root(prompt: int, candidates: Candidates) -> _Node:
    """The empty prefix."""
    clips = candidates.of_prompt(prompt).tolist()
    return _Node(prompt, candidates.tokens[clips[0]][:, :0], whole=False, clips=clips)


def _best_open(nodes: Sequence[_Node], drawn: _Drawn) -> list[_Node]:
    """The node of the highest value that can be taken apart, if there is one."""
    tokens = drawn.candidates.tokens
    opened = [n for n in nodes if any(tokens[i].shape[1] > n.prefix.shape[1] for i in n.clips)]
    return [max(opened, key=drawn.value)] if opened else []


def _children(node: _Node, candidates: Candidates, segment: int) -> list[_Node]:
    """A node for each next segment of the node's clips, with the clips that go on so."""
    longer = node.prefix.shape[1] + segment
    found: dict[bytes, _Node] = {}
    for i in node.clips:
        clip = candidates.tokens[i]
        prefix = clip[:, :longer]
        new = _Node(node.prompt, prefix, whole=clip.shape[1] < longer, clips=[])
        found.setdefault(prefix.tobytes(), new).clips.append(i)
    return list(found.values())


def _lacking(nodes: Iterable[_Node], look_aheads: int) -> Iterator[_Node]:
    """Each node as often as it lacks clips; a finished clip has no other one."""
    for node in nodes:
        yield from [node] * (0 if node.whole else look_aheads - len(node.clips))
