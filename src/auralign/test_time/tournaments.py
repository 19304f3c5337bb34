"""Tournaments: a judge of pairs, who has no scores to give, finds the best candidate of a prompt.

A knock-out asks about n - 1 pairs and trusts every answer; a Swiss tournament asks about n / 2
pairs a round, lets candidates of equal standing meet, and forgives a wrong answer. All games of a
round, of all prompts, are one call of the judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from auralign.errors import DataError
from auralign.test_time.selection import (
    Candidates,
    Float,
    Index,
    Judge,
    Selection,
    choose,
    require_positive,
)
from auralign.types import Prompt, Tokens

Game = tuple[int, int]
"""Indices of the two candidates that meet."""


def both_orders(judge: Judge) -> Judge:
    """The judge asked in both orders, so that what stands first is not favoured; twice the cost."""

    def unbiased(
        prompts: Sequence[Prompt], first: Sequence[Tokens], second: Sequence[Tokens]
    ) -> Float:
        swapped = np.asarray(judge(prompts, second, first))
        return (np.asarray(judge(prompts, first, second)) + 1 - swapped) / 2

    return unbiased


def knock_out(judge: Judge, prompts: Sequence[Prompt], candidates: Candidates) -> Selection:
    """The winner of each prompt; the scores are how many rounds a candidate came through.

    Neighbours meet, and the first of a pair stays when the judge cannot tell (0.5). Of an odd
    number the last waits a round, and then meets the first. Raises DataError for a judge who gives
    anything but a probability.
    """
    scores = np.zeros(len(candidates.tokens))
    standing = [candidates.of_prompt(i).tolist() for i in range(len(prompts))]
    while any(len(entrants) > 1 for entrants in standing):
        games = [_neighbours(entrants) for entrants in standing]
        p = iter(play(judge, prompts, candidates, list(chain(*games))).tolist())
        standing = [
            entrants[2 * len(pairs) :] + [a if next(p) >= 0.5 else b for a, b in pairs]
            for entrants, pairs in zip(standing, games, strict=True)
        ]
        scores[list(chain(*standing))] += 1
    return choose(prompts, candidates, scores)


def swiss(
    judge: Judge, prompts: Sequence[Prompt], candidates: Candidates, *, n_rounds: int
) -> Selection:
    """The candidate of each prompt with the most points; the scores are points a game.

    A game gives each side the probability that it is preferred. In every round those of nearly
    equal standing meet who have not met before; who finds no such opponent waits. Raises
    ConfigError for less than one round, DataError as `knock_out`.
    """
    require_positive(n_rounds=n_rounds)
    points, n_games = np.zeros(len(candidates.tokens)), np.zeros(len(candidates.tokens))
    played: set[Game] = set()
    for _ in range(n_rounds):
        standing = np.divide(points, n_games, out=np.full_like(points, 0.5), where=n_games > 0)
        rows = (candidates.of_prompt(i) for i in range(len(prompts)))
        games = list(chain(*(_swiss_round(row, standing, played) for row in rows)))
        if not games:
            break
        played.update(games)
        first, second = np.array(games).T
        p = play(judge, prompts, candidates, games)
        points[first] += p
        points[second] += 1 - p
        n_games[first] += 1
        n_games[second] += 1
    scores = np.divide(points, n_games, out=np.full_like(points, 0.5), where=n_games > 0)
    return choose(prompts, candidates, scores)


def play(
    judge: Judge, prompts: Sequence[Prompt], candidates: Candidates, games: Sequence[Game]
) -> Float:
    """Probability that the first of each game is preferred, `[games]`; DataError for no such."""
    first, second = zip(*games, strict=True)
    asked = [prompts[candidates.prompt_index[i]] for i in first]
    tokens = candidates.tokens
    p = np.asarray(judge(asked, [tokens[i] for i in first], [tokens[i] for i in second]), float)
    if p.shape != (len(games),) or not ((p >= 0) & (p <= 1)).all():
        raise DataError(
            f"expected a probability from 0 to 1 for each of {len(games)} pairs, got shape "
            f"{p.shape} with {np.count_nonzero(~((p >= 0) & (p <= 1)))} others: correct the judge"
        )
    return p


def _neighbours(entrants: list[int]) -> list[Game]:
    return list(zip(entrants[::2], entrants[1::2], strict=False))


def _swiss_round(rows: Index, standing: Float, played: set[Game]) -> list[Game]:
    """The games of one prompt: each candidate meets the next in standing whom it has not met."""
    waiting = rows[np.argsort(-standing[rows], kind="stable")].tolist()
    games = []
    while waiting:
        one = waiting.pop(0)
        new = [other for other in waiting if _game(one, other) not in played]
        if new:
            games.append(_game(one, new[0]))
            waiting.remove(new[0])
    return games


def _game(one: int, other: int) -> Game:
    """The pair in the order in which the two were drawn."""
    return min(one, other), max(one, other)
