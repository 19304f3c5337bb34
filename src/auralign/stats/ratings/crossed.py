"""Linear systems of two crossed factors: each cell belongs to one item and one rater.

The matrix is [[diag(by_item), cells], [cells', diag(by_rater)]]. The larger factor is eliminated,
which leaves a dense system of the size of the smaller one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auralign.stats.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class CrossedInverse:
    """Blocks of the inverse of a crossed system.

    `items` `[items]` and `raters` `[raters]` are its diagonal, `cross` is `[items, raters]`.
    """

    items: FloatArray
    raters: FloatArray
    cross: FloatArray
    log_determinant: float
    _swapped: bool
    _diagonal: FloatArray
    _ratio: FloatArray
    _small: FloatArray

    def solve(self, of_items: FloatArray, of_raters: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The solution `[items]` and `[raters]` for this right-hand side."""
        large, small = (of_raters, of_items) if self._swapped else (of_items, of_raters)
        y = self._small @ (small - self._ratio.T @ large)
        x = large / self._diagonal - self._ratio @ y
        return (y, x) if self._swapped else (x, y)

    def item_covariance(self) -> FloatArray:
        """The block of the items, `[items, items]`."""
        return self._small if self._swapped else self._large()

    def rater_covariance(self) -> FloatArray:
        """The block of the raters, `[raters, raters]`."""
        return self._large() if self._swapped else self._small

    def _large(self) -> FloatArray:
        block: FloatArray = self._ratio @ self._small @ self._ratio.T
        block[np.diag_indices_from(block)] += 1 / self._diagonal
        return block


def invert_crossed(
    by_item: FloatArray, by_rater: FloatArray, cells: FloatArray, *, fill: float = 0.0
) -> CrossedInverse:
    """Invert for `by_item` `[items]`, `by_rater` `[raters]` and `cells` `[items, raters]`.

    `fill` is added to all entries of the smaller factor's block: it replaces the null direction
    of a system in which a constant can move from items to raters.
    """
    swapped = len(by_rater) > len(by_item)
    large, small, block = (by_rater, by_item, cells.T) if swapped else (by_item, by_rater, cells)
    ratio = block / large[:, None]
    schur = np.diag(small) - block.T @ ratio + fill
    inverse = np.asarray(np.linalg.inv(schur), dtype=np.float64)
    spread = ratio @ inverse
    of_large = 1 / large + (spread * ratio).sum(axis=1)
    of_small = np.diag(inverse)
    return CrossedInverse(
        items=of_small if swapped else of_large,
        raters=of_large if swapped else of_small,
        cross=-spread.T if swapped else -spread,
        log_determinant=float(np.log(large).sum() + np.linalg.slogdet(schur)[1]),
        _swapped=swapped,
        _diagonal=large,
        _ratio=ratio,
        _small=inverse,
    )
