"""Objectives that ask whether a clip fits its condition: the same clip under two conditions.

Notation as in `pairwise`; v is the condition (a caption, a speaker, a melody) that a clip belongs
to, v' one that it contradicts. rho(y|v) - rho(y|v') is not free of the conditions' own normalisers,
as the difference of two clips under one condition is.
"""

from __future__ import annotations

from torch import Tensor

from auralign.losses.batch import Loss, Need, Pairs, require
from auralign.losses.kernels import compare, log_sigmoid_loss, plus
from auralign.losses.objective import Group, entries


def mapl_intra(batch: Pairs, *, beta: float = 0.1) -> Loss:
    """MAPL within a pair: which of two conditions does the chosen clip fit?

    -ls(beta [rho(w|v) - rho(w|v')]); the rejected clips are not looked at

    beta   0.1 as in `dpo`

    Use when: you have clips with captions and can contradict one attribute of a caption (tempo,
    key, speaker, emotion), and no second clip.
    Source: arXiv 2505.12845
    Derived: the policy form of the response-conditioned Bradley-Terry model of its summaries.
    """
    return compare(batch.chosen.log_ratio, _elsewhere(batch), beta)


def mapl_inter(batch: Pairs, *, beta: float = 0.1) -> Loss:
    """MAPL between pairs: a pair that differs by more should have the larger margin.

    -ls(beta [D - D']), D' the margin of the row's lesser pair

    beta   0.1 as in `dpo`

    Use when: prompts ask for several attributes, and one pair misses more of them than another.
    Source: arXiv 2505.12845
    Derived: the loss between pairs is not published in what could be read; this is its plain form.
    """
    return compare(batch.margin, require(batch.lesser, Need.LESSER).margin, beta)


def re_align(batch: Pairs, *, beta: float = 0.1) -> Loss:
    """Re-Align: DPO, and the chosen clip should need its condition.

    -ls(beta D) - ls(beta [rho(w|v) - rho(w|v')])

    The second term, `conditional`, stays at log 2 as long as the policy ignores the condition. Both
    are at the labels' own log-probabilities, where the authors' code has those of other tokens.

    beta   0.1 for both terms

    Use when: the policy answers well and ignores the reference voice, melody or caption.
    Source: arXiv 2502.13146
    """
    chosen = batch.chosen.log_ratio
    fits = log_sigmoid_loss(beta * (chosen - _elsewhere(batch)))
    return plus(compare(chosen, batch.rejected.log_ratio, beta), conditional=fits)


def _elsewhere(batch: Pairs) -> Tensor:
    """rho(w|v'), `[pairs]`."""
    return require(batch.mismatched, Need.MISMATCHED).log_ratio


_MISMATCHED = [Need.REFERENCE, Need.MISMATCHED]

ENTRIES = {
    **entries("pairs", Group.CONDITIONS, _MISMATCHED, mapl_intra, re_align),
    **entries("pairs", Group.CONDITIONS, [Need.REFERENCE, Need.LESSER], mapl_inter),
}
