"""How well listeners predict each other on the pairs that signals are held to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from auralign.errors import DataError
from auralign.evaluation.validity.answers import Answers
from auralign.evaluation.validity.pair_accuracy import agreement
from auralign.evaluation.validity.pair_shares import Units, pair_share
from auralign.stats.agreement import pair_ceiling
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.ratings.table import rating_value
from auralign.types import Estimate, TrialProtocol

N_SPLITS = 20


def listeners_accuracy(
    answers: Answers, units: Units, level: float, rng: np.random.Generator
) -> Estimate:
    """Of votes: how often the majority of the others votes alike (`stats.agreement.pair_ceiling`).

    Of ratings: how often one half of the ratings of each clip, drawn at random, orders two clips as
    the other half does, over 20 draws; smaller than what the whole panel would reach. Raises
    DataError where nothing was judged twice.
    """
    if answers.protocol is TrialProtocol.PAIR:
        found = pair_ceiling(answers.judgements, answers.dimension, rng=rng, level=level)
        return found.leave_one_out
    if answers.ratings is None:
        raise DataError("listeners of rankings are not compared with each other")
    return _by_halves(answers, units, level, rng)


def _by_halves(answers: Answers, units: Units, level: float, rng: np.random.Generator) -> Estimate:
    place = {clip.id: k for k, clip in enumerate(answers.clips)}
    given = [j for j in answers.judgements if j.candidates[0].clip_id in place]
    clip = np.array([place[j.candidates[0].clip_id] for j in given])
    rating = np.array([rating_value(j) for j in given])
    if np.bincount(clip).max() < 2:
        raise DataError("no clip was rated twice")
    shares = np.array([_one_split(answers, clip, rating, rng) for _ in range(N_SPLITS)])
    known = np.isfinite(shares).sum(axis=0)
    mean = np.full(shares.shape[1], np.nan)
    np.divide(np.nansum(shares, axis=0), known, out=mean, where=known > 0)
    found = pair_share(mean, answers.pairs, units, what="", rng=rng, level=level)
    return replace(found, method=f"half of the ratings against the other half{found.method}")


def _one_split(
    answers: Answers, clip: IntArray, rating: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """For each pair 1 where two halves of the ratings agree; NaN where the one half ties."""
    order = np.lexsort((rng.random(len(clip)), clip))
    begin = np.searchsorted(clip[order], clip[order])
    half = (np.arange(len(clip)) - begin) % 2
    first, second = (_means(answers, clip, rating, order[half == k]) for k in (0, 1))
    pairs = answers.pairs
    told = (1 + np.sign(second[pairs.first] - second[pairs.second])) / 2
    return agreement(first, replace(pairs, outcome=np.where(np.isfinite(told), told, 0.5)))


def _means(answers: Answers, clip: IntArray, rating: FloatArray, rows: IntArray) -> FloatArray:
    n = len(answers.clips)
    count = np.bincount(clip[rows], minlength=n)
    means: FloatArray = np.full(n, np.nan)
    np.divide(sum_by(clip[rows], rating[rows], n), count, out=means, where=count > 0)
    return means
