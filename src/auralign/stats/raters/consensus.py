"""Raters against the rest of the panel: guessing, collusion, and a sequential test of each.

Preferences differ legitimately: agreeing with few others is a reason to look, not a verdict. No
rater is compared with a panel that holds her own answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from auralign.errors import ConfigError, DataError
from auralign.stats.agreement.stimuli import canonical, is_answer, stimulus
from auralign.stats.arrays import FloatArray
from auralign.stats.comparisons import encode, pair_judgements
from auralign.stats.hypotheses.multiplicity import holm_adjusted
from auralign.stats.intervals import check_level
from auralign.stats.proportions import clopper_pearson
from auralign.types import Estimate, Judgement, Outcome


@dataclass(frozen=True, slots=True)
class MajorityAgreement:
    """How often a rater sides with the majority of the others.

    agreement        share of her stimuli on which the others have a majority
    of_others        the same share of the other raters, on the same stimuli
    guessing_share   spam score: the share of guesses that explains the difference between the two,
                     0 for a rater who agrees as others do, 1 for one who guesses; NaN where the
                     others agree no more than by chance
    p_guessing       of so much agreement or more, had she guessed: low speaks for her
    p_as_others      of so little agreement or less, did she agree as the others: low against her
    """

    agreement: Estimate
    of_others: float
    guessing_share: float
    p_guessing: float
    p_as_others: float


@dataclass(frozen=True, slots=True)
class SharedDeviations:
    """How often two raters are together on the minority's side.

    `common` counts their common stimuli, `expected` the number of shared deviations by chance;
    `p_value` is one-sided, `p_adjusted` Holm's over the family that `family` names.
    """

    first: str
    second: str
    common: int
    together: int
    expected: float
    p_value: float
    p_adjusted: float
    family: str


@dataclass(frozen=True, slots=True)
class VoterTest:
    """Evidence that a rater's votes are guesses rather than draws from the panel's votes.

    e_value     product over her votes so far; at most 1 on average for a rater like the others
    largest     of the running products
    p_value     min(1, 1 / largest): valid however often one looks (Ville's inequality)
    p_adjusted  Holm's over the raters of the panel
    decided_at  her how-manieth vote brought the product to 1 / alpha, None if none did
    """

    n: int
    e_value: float
    largest: float
    p_value: float
    p_adjusted: float
    decided_at: int | None
    family: str


@dataclass(frozen=True, eq=False)
class _Panel:
    """`votes` `[raters, stimuli]`: 1 for the first clip by name, -1 for the second, 0 for none.

    `order` lists, for each rater, her stimuli in the order of her answers.
    """

    raters: tuple[str, ...]
    votes: NDArray[np.int64]
    order: tuple[tuple[int, ...], ...]
    dimension: str


def majority_agreement(
    judgements: Iterable[Judgement], dimension: str, *, level: float = 0.95
) -> dict[str, MajorityAgreement]:
    """For each rater her agreement with the majority of the others on decisive pair answers.

    A stimulus is a prompt with an unordered pair of clips; a rater's first decisive answer to it
    counts. Stimuli on which the others are split evenly, or are none, say nothing and are left
    out, and so is a rater without any other stimulus. Intervals are Clopper & Pearson's.

    Raises `DataError` when no stimulus was answered decisively by two raters.
    """
    check_level(level)
    panel = _panel(judgements, dimension)
    others = panel.votes.sum(axis=0) - panel.votes
    counted = (panel.votes != 0) & (others != 0)
    agrees = counted & (np.sign(others) == panel.votes)
    n, agreed = counted.sum(axis=1), agrees.sum(axis=1)
    all_counted, all_agreed = counted.sum(axis=0), agrees.sum(axis=0)
    others_counted = np.where(counted, all_counted - counted, 0).sum(axis=1)
    others_agreed = np.where(counted, all_agreed - agrees, 0).sum(axis=1)
    return {
        rater: _agreement(int(agreed[k]), int(n[k]), others_agreed[k] / others_counted[k], level)
        for k, rater in enumerate(panel.raters)
        if n[k] and others_counted[k]
    }


def collusion(judgements: Iterable[Judgement], dimension: str) -> tuple[SharedDeviations, ...]:
    """Pairs of raters who deviate together more often than chance, most striking first.

    Two raters who copy from each other make the same mistakes; but hard stimuli make everybody
    deviate. Given that k of the n votes on a stimulus are the minority, two raters who are like
    all others are both among them with probability k (k - 1) / (n (n - 1)). A rater who deviates f
    times as often as the k / n of her stimuli say has that multiplied by f. The number of shared
    deviations is then compared with Poisson's distribution, which errs on the side of caution.
    People who share an unusual taste also deviate together. Stimuli with fewer than three raters
    or an even split say nothing.

    Raises `DataError` when no stimulus was answered decisively by two raters.
    """
    panel = _panel(judgements, dimension)
    common, together, expected = _shared_deviations(panel.votes)
    first, second = np.nonzero(np.triu(common, 1))
    if not len(first):
        return ()
    found = together[first, second]
    p = np.where(found > 0, special.pdtrc(np.maximum(found - 1, 0), expected[first, second]), 1.0)
    adjusted = holm_adjusted(p)
    family = f"all {len(first)} pairs of raters with a common stimulus on '{panel.dimension}'"
    return tuple(
        SharedDeviations(
            panel.raters[i],
            panel.raters[j],
            int(common[i, j]),
            int(together[i, j]),
            float(expected[i, j]),
            float(p[k]),
            float(adjusted[k]),
            family,
        )
        for k in np.argsort(p, kind="stable")
        for i, j in [(first[k], second[k])]
    )


def voter_tests(
    judgements: Iterable[Judgement], dimension: str, *, alpha: float = 0.05
) -> dict[str, VoterTest]:
    """For each rater a sequential test of "her votes are like the others'" against guessing.

    Each vote is put among the n votes of the others on the same stimulus. If it is exchangeable
    with them, its side has probability (k + 1) / (n + 1), k of the n being on it, given the votes
    without their names; if she guesses, one half. The ratio, (n + 1) / (2 (k + 1)), is an e-value,
    and their running product a test martingale, which may be looked at after every vote (Ville
    1939; Shafer 2021, JRSS A 184:407). FastChat's test of voters (Chiang et al. 2024, arXiv
    2403.04132) also multiplies evidence vote by vote, with pools that hold the tested rater's own
    votes. A rater's first decisive answer to a stimulus counts, and stimuli without another rater
    say nothing.

    Raises `DataError` when no stimulus was answered decisively by two raters, `ConfigError` for
    an alpha that is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise ConfigError(f"alpha must be between 0 and 1, got {alpha}")
    panel = _panel(judgements, dimension)
    sides = {side: (panel.votes == side).sum(axis=0) for side in (1, -1)}
    pool = sides[1] + sides[-1]
    tests: dict[str, VoterTest] = {}
    family = f"all {len(panel.raters)} raters of '{dimension}'"
    for k, rater in enumerate(panel.raters):
        stimuli = np.array([t for t in panel.order[k] if pool[t] > 1], dtype=np.int64)
        votes = panel.votes[k, stimuli]
        same = np.where(votes == 1, sides[1][stimuli], sides[-1][stimuli])
        log_product = np.cumsum(np.log(pool[stimuli]) - np.log(2 * same))
        tests[rater] = _voter_test(log_product, alpha, family)
    adjusted = holm_adjusted([test.p_value for test in tests.values()])
    return {
        rater: replace(test, p_adjusted=float(p))
        for (rater, test), p in zip(tests.items(), adjusted, strict=True)
    }


def _agreement(agreed: int, n: int, of_others: float, level: float) -> MajorityAgreement:
    estimate = clopper_pearson(agreed, n, level=level)
    share = (of_others - estimate.value) / (of_others - 0.5) if of_others > 0.5 else float("nan")
    return MajorityAgreement(
        agreement=replace(estimate, method="agreement with the others' majority; Clopper-Pearson"),
        of_others=float(of_others),
        guessing_share=float(np.clip(share, 0.0, 1.0)),
        p_guessing=float(special.bdtrc(agreed - 1, n, 0.5)) if agreed else 1.0,
        p_as_others=float(special.bdtr(agreed, n, of_others)),
    )


def _voter_test(log_product: FloatArray, alpha: float, family: str) -> VoterTest:
    if not len(log_product):
        return VoterTest(0, 1.0, 1.0, 1.0, 1.0, None, family)
    reached = np.flatnonzero(log_product >= -np.log(alpha))
    largest = float(np.exp(max(0.0, log_product.max())))
    return VoterTest(
        n=len(log_product),
        e_value=float(np.exp(log_product[-1])),
        largest=largest,
        p_value=1 / largest,
        p_adjusted=1.0,
        decided_at=int(reached[0]) + 1 if len(reached) else None,
        family=family,
    )


def _shared_deviations(
    votes: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """`[raters, raters]`: common stimuli, shared deviations, and their number by chance."""
    balance, n = votes.sum(axis=0), (votes != 0).sum(axis=0)
    usable = (n >= 3) & (balance != 0)
    given = ((votes != 0) & usable).astype(np.float64)
    deviates = given * (votes == -np.sign(balance))
    minority = (n - np.abs(balance)) / 2
    one = np.where(usable, minority / np.maximum(n, 1), 0.0)
    both = one * (minority - 1) / np.maximum(n - 1, 1)
    usual = given @ one
    factor = np.divide(deviates.sum(axis=1), usual, out=np.zeros(len(votes)), where=usual > 0)
    expected: FloatArray = np.outer(factor, factor) * ((given * both) @ given.T)
    common, together = given @ given.T, deviates @ deviates.T
    return common.astype(np.int64), together.astype(np.int64), np.maximum(expected, 0.0)


def _panel(judgements: Iterable[Judgement], dimension: str) -> _Panel:
    answers = [j for j in pair_judgements(judgements, dimension) if _is_vote(j)]
    first: dict[tuple[str, str], int] = {}
    for answer in answers:
        ordered = canonical(answer)
        vote = 1 if ordered.outcome is Outcome.A else -1
        first.setdefault((answer.rater, stimulus(ordered)), vote)
    raters, rater = encode([name for name, _ in first])
    stimuli, place = encode([name for _, name in first])
    votes = np.zeros((len(raters), len(stimuli)), dtype=np.int64)
    votes[rater, place] = list(first.values())
    if not len(votes) or (votes != 0).sum(axis=0).max() < 2:
        raise DataError(f"no pair on '{dimension}' was answered decisively by two different raters")
    order: list[list[int]] = [[] for _ in raters]
    for r, t in zip(rater.tolist(), place.tolist(), strict=True):
        order[r].append(t)
    return _Panel(raters, votes, tuple(map(tuple, order)), dimension)


def _is_vote(judgement: Judgement) -> bool:
    return is_answer(judgement) and judgement.outcome in (Outcome.A, Outcome.B)
