"""Frechet distance of two sets of embeddings, and its limit for sets without end.

The Frechet audio distance (Kilgour et al., Interspeech 2019) between Gaussians fitted to embeddings
is biased upwards by an amount that falls as 1/n with the number of clips; two systems that are
measured with different numbers of clips cannot be compared. The limit (Gui et al., arXiv
2311.01616, after Chong and Forsyth, arXiv 1911.07023) is where a line through the distances of
subsets over 1/n reaches 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auralign.errors import DataError

Float = NDArray[np.float64]

MIN_CLIPS = 500
N_STEPS = 25


class Moments(NamedTuple):
    """Mean `[d]` and covariance `[d, d]` of a set, and of how many embeddings."""

    mean: Float
    covariance: Float
    n: int


class Limit(NamedTuple):
    """The line through the distances of subsets, over 1/n.

    value      where it reaches infinitely many clips; may be below 0 by chance
    slope      the bias is `slope / n`
    r_squared  the share of the variance between subsets that the line explains
    sizes, distances   of the subsets, `[steps]`
    """

    value: float
    slope: float
    r_squared: float
    sizes: NDArray[np.int64]
    distances: Float


def moments(embeddings: Float) -> Moments:
    """Of embeddings `[clips, d]`; the covariance is unbiased. Raises DataError for under 2 clips,
    another shape, or values that are not finite."""
    if embeddings.ndim != 2 or len(embeddings) < 2:
        raise DataError(
            f"expected embeddings [clips, d] of at least 2 clips, got shape {embeddings.shape}"
        )
    if not np.isfinite(embeddings).all():
        raise DataError("expected finite embeddings, got NaN or infinity: leave those clips out")
    embeddings = embeddings.astype(np.float64, copy=False)
    covariance = np.atleast_2d(np.cov(embeddings, rowvar=False))
    return Moments(embeddings.mean(axis=0), covariance, len(embeddings))


def frechet_distance(a: Moments, b: Moments) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a^(1/2) C_b C_a^(1/2))^(1/2)) (Dowson & Landau 1982).

    The trace of the root is the sum of the singular values of C_a^(1/2) C_b^(1/2), which exists for
    singular covariances too, so nothing is added to their diagonals. At least 0.
    """
    if a.mean.shape != b.mean.shape:
        raise DataError(
            f"expected embeddings of one kind, got {a.mean.size} and {b.mean.size} dimensions"
        )
    product = _root(a.covariance) @ _root(b.covariance)
    overlap = np.linalg.svd(product, compute_uv=False).sum()
    spread = np.trace(a.covariance) + np.trace(b.covariance) - 2 * overlap
    return max(float(np.sum((a.mean - b.mean) ** 2) + spread), 0.0)


def frechet_limit(
    embeddings: Float,
    reference: Float | Moments,
    *,
    rng: np.random.Generator,
    min_clips: int = MIN_CLIPS,
    n_steps: int = N_STEPS,
) -> Limit:
    """The distance of `embeddings` `[clips, d]` for n -> infinity.

    Subsets of `min_clips` to all clips are drawn without replacement: each is a sample of the
    system itself. (Drawn with replacement, as in the authors' toolkit, they are samples of the
    clips at hand, and the limit keeps the bias of all of them.) A reference that is given as
    embeddings is cut to the same share in each step, which takes its own bias out as well; one
    that is given as `Moments` stays whole, as in the paper. Raises DataError for too few clips.
    """
    n = len(embeddings)
    if n < 2 * min_clips:
        raise DataError(
            f"expected at least {2 * min_clips} clips to extrapolate from (twice the smallest "
            f"subset), got {n}: score more clips, or report the distance with its n"
        )
    sizes = np.linspace(min_clips, n, n_steps).astype(np.int64)
    distances = np.array([_subset_distance(embeddings, reference, int(k), rng) for k in sizes])
    slope, value = np.polyfit(1 / sizes, distances, 1)
    residual = distances - (value + slope / sizes)
    total = np.sum((distances - distances.mean()) ** 2)
    r_squared = 1 - float(np.sum(residual**2) / total) if total else 1.0
    return Limit(float(value), float(slope), r_squared, sizes, distances)


def _subset_distance(
    embeddings: Float, reference: Float | Moments, size: int, rng: np.random.Generator
) -> float:
    if not isinstance(reference, Moments):
        share = round(len(reference) * size / len(embeddings))
        reference = moments(_subset(reference, max(share, 2), rng))
    return frechet_distance(moments(_subset(embeddings, size, rng)), reference)


def _subset(embeddings: Float, size: int, rng: np.random.Generator) -> Float:
    return embeddings[rng.choice(len(embeddings), size, replace=False)]


def _root(covariance: Float) -> Float:
    """The symmetric square root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return np.asarray(root, dtype=np.float64)
