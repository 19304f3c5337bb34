"""Ratings of systems as arrays: who rated which system on which item."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auralign.errors import DataError
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.comparisons import encode
from auralign.stats.ratings.table import rating_judgements, rating_value
from auralign.types import Judgement


@dataclass(frozen=True, eq=False)
class SystemRatings:
    """Ratings `[n]` with the indices of their rater, item and system, all `[n]`.

    An item is a prompt; a system's clips of one prompt are the same item.
    """

    values: FloatArray
    rater: IntArray
    item: IntArray
    system: IntArray
    raters: tuple[str, ...]
    items: tuple[str, ...]
    systems: tuple[str, ...]
    scale: tuple[float, float] | None

    def cube(self) -> FloatArray:
        """Mean ratings `[rater, item, system]`, NaN where there is none."""
        shape = len(self.raters), len(self.items), len(self.systems)
        cell = np.ravel_multi_index((self.rater, self.item, self.system), shape)
        return _means(cell, self.values, int(np.prod(shape))).reshape(shape)

    def by_rater(self) -> FloatArray:
        """Mean rating that each rater gave each system, `[rater, system]`."""
        return self._by(self.rater, len(self.raters))

    def by_item(self) -> FloatArray:
        """Mean rating that each system got for each item, `[item, system]`."""
        return self._by(self.item, len(self.items))

    def select(self, rows: NDArray[np.bool_]) -> SystemRatings:
        """Some of the ratings, with the same names."""
        return SystemRatings(
            self.values[rows],
            self.rater[rows],
            self.item[rows],
            self.system[rows],
            self.raters,
            self.items,
            self.systems,
            self.scale,
        )

    def _by(self, row: IntArray, n_rows: int) -> FloatArray:
        n_systems = len(self.systems)
        cell = row * n_systems + self.system
        return _means(cell, self.values, n_rows * n_systems).reshape(n_rows, n_systems)


def system_ratings(
    judgements: Iterable[Judgement], dimension: str, systems: Mapping[str, str]
) -> SystemRatings:
    """The rating judgements of one dimension, with `systems` from clip ids.

    Raises `DataError` when there are none, scales differ, a rating has no value or a clip no
    system.
    """
    found = rating_judgements(judgements, dimension)
    values = np.array([rating_value(j) for j in found], dtype=np.float64)
    clips = [j.candidates[0].clip_id for j in found]
    unknown = next((clip for clip in clips if clip not in systems), None)
    if unknown is not None:
        raise DataError(f"clip '{unknown}' was rated but has no system; add it to the systems")
    raters, rater = encode([j.rater for j in found])
    items, item = encode([j.prompt_id for j in found])
    names, system = encode([systems[clip] for clip in clips])
    return SystemRatings(values, rater, item, system, raters, items, names, found[0].scale)


def _means(cell: IntArray, values: FloatArray, n_cells: int) -> FloatArray:
    count = np.bincount(cell, minlength=n_cells)
    mean: FloatArray = np.full(n_cells, np.nan)
    np.divide(sum_by(cell, values, n_cells), count, out=mean, where=count > 0)
    return mean
