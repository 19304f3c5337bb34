"""MAUVE: how far two sets of embeddings overlap, by a divergence frontier over clusters.

Pillutla et al., arXiv 2102.01454, and Liu et al., arXiv 2106.07898 (frontier integral); the
smoothed form is recommended by arXiv 2212.14578. Made for text; over audio embeddings it is the
same formula, and no published number applies.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.integrate
from numpy.typing import NDArray

from auralign.errors import DataError

Float = NDArray[np.float64]
Int = NDArray[np.int64]

SCALE = 5.0
"""The constant c of arXiv 2102.01454."""
N_WEIGHTS = 25
EXPLAINED_VARIANCE = 0.9
N_RESTARTS = 5
MAX_ITERATIONS = 500
CLIPS_PER_CLUSTER = 10


class Frontier(NamedTuple):
    """How alike two sets are.

    mauve                area under the divergence curve, 0 to 1, higher is more alike
    mauve_star           the same with half a clip added to each cluster
    frontier_integral    0 to 1, lower is more alike
    n_clusters           that the embeddings were quantised to
    """

    mauve: float
    mauve_star: float
    frontier_integral: float
    n_clusters: int


def mauve(
    embeddings: Float,
    reference: Float,
    *,
    rng: np.random.Generator,
    n_clusters: int | None = None,
) -> Frontier:
    """Of two sets `[clips, d]`, quantised together; by default a cluster for ten clips of the
    smaller set.

    Embeddings are brought to unit length, projected on the principal components that hold 90 % of
    their variance, and clustered by k-means. Raises DataError for too few clips.
    """
    n = min(len(embeddings), len(reference))
    n_clusters = n_clusters or max(2, round(n / CLIPS_PER_CLUSTER))
    if n < n_clusters:
        raise DataError(
            f"expected at least a clip for each of {n_clusters} clusters in both sets, got {n}"
        )
    projected = _principal(_unit(np.concatenate([embeddings, reference]).astype(np.float64)))
    labels = k_means(projected, n_clusters, rng=rng)
    p = np.bincount(labels[: len(embeddings)], minlength=n_clusters)
    q = np.bincount(labels[len(embeddings) :], minlength=n_clusters)
    return Frontier(
        divergence_area(p / p.sum(), q / q.sum()),
        divergence_area(*((c + 0.5) / (c.sum() + 0.5 * n_clusters) for c in (p, q))),
        frontier_integral(p / p.sum(), q / q.sum()),
        n_clusters,
    )


def divergence_area(
    p: Float, q: Float, *, scale: float = SCALE, n_weights: int = N_WEIGHTS
) -> float:
    """Area under exp(-c KL(p | r)) over exp(-c KL(q | r)), r = w p + (1 - w) q, 0 < w < 1.

    arXiv 2102.01454, eq. 1 and 2, by trapezoids; `p` and `q` are distributions `[clusters]`.
    """
    weights = np.linspace(1e-6, 1 - 1e-6, n_weights)[:, None]
    mixtures = weights * p + (1 - weights) * q
    x = np.r_[1.0, np.exp(-scale * _kl(q, mixtures)), 0.0]
    y = np.r_[0.0, np.exp(-scale * _kl(p, mixtures)), 1.0]
    return float(scipy.integrate.trapezoid(y[::-1], x[::-1]))


def frontier_integral(p: Float, q: Float) -> float:
    """2 times the integral over w of w KL(p | r) + (1 - w) KL(q | r) (arXiv 2106.07898, eq. 5)."""
    mean = (p + q) / 2
    both = (p > 0) & (q > 0) & (p != q)
    a, b = p[both], q[both]
    mean[both] -= a * b * np.log(a / b) / (a - b)
    mean[p == q] = 0.0
    return float(mean.sum())


def k_means(points: Float, n_clusters: int, *, rng: np.random.Generator) -> Int:
    """The cluster of each of `points` `[n, d]`: the best of five runs of Lloyd's algorithm.

    Seeded by k-means++ (Arthur and Vassilvitskii 2007).
    """
    runs = [_lloyd(points, _seeds(points, n_clusters, rng)) for _ in range(N_RESTARTS)]
    return min(runs, key=lambda run: run[0])[1]


def _lloyd(points: Float, centres: Float) -> tuple[float, Int]:
    """Sum of squared distances, and labels."""
    labels = np.full(len(points), -1)
    for _ in range(MAX_ITERATIONS):
        nearest = _squared_distances(points, centres).argmin(axis=1)
        if np.array_equal(nearest, labels):
            break
        labels = nearest
        counts = np.bincount(labels, minlength=len(centres))
        sums = np.zeros_like(centres)
        np.add.at(sums, labels, points)
        centres = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centres)
    return float(((points - centres[labels]) ** 2).sum()), labels


def _seeds(points: Float, n_clusters: int, rng: np.random.Generator) -> Float:
    chosen = [int(rng.integers(len(points)))]
    nearest = np.full(len(points), np.inf)
    while len(chosen) < n_clusters:
        nearest = np.minimum(nearest, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        total = nearest.sum()
        chance = nearest / total if total else None
        chosen.append(int(rng.choice(len(points), p=chance)))
    return points[chosen]


def _squared_distances(points: Float, centres: Float) -> Float:
    """Less the squared length of each point, which does not change which centre is nearest."""
    return np.asarray((centres**2).sum(axis=1) - 2 * points @ centres.T)


def _kl(p: Float, mixtures: Float) -> Float:
    """KL(p | r) [nats] for each row of `mixtures` `[n, clusters]`."""
    some = p > 0
    return np.asarray((p[some] * np.log(p[some] / mixtures[:, some])).sum(axis=1))


def _unit(points: Float) -> Float:
    length = np.linalg.norm(points, axis=1, keepdims=True)
    return np.asarray(points / np.where(length > 0, length, 1.0))


def _principal(points: Float) -> Float:
    """Points on the first principal components that hold `EXPLAINED_VARIANCE`."""
    centred = np.asarray(points - points.mean(axis=0))
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    total = np.sum(spread**2)
    if not total:
        return centred
    n = int(np.argmax(np.cumsum(spread**2) >= EXPLAINED_VARIANCE * total)) + 1
    return np.asarray(centred @ axes[:n].T)
