"""Linear systems in the Laplacian of a comparison graph.

The information matrix of a model of comparisons is a weighted graph Laplacian, plus the precision
of a ridge prior on its diagonal. Without a ridge it is singular, because adding a constant to all
worths of a block changes nothing; solutions here sum to zero in each block of items, which makes
them those of the pseudo-inverse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from auralign.stats.arrays import FloatArray, IntArray, sum_by

MAX_DENSE_SOLVE = 300
MAX_CG_STEPS = 100
MAX_CG_STEPS_PER_ITEM = 10
MAX_PAIRS_PER_ITEM_DIRECT = 20
CG_TOLERANCE = 1e-10


@dataclass(frozen=True, eq=False)
class PairGraph:
    """Edges between items: `first`, `second` `[pairs]`; `block` `[items]` holds 0 .. blocks - 1.

    No edge joins two blocks, and each block is connected.
    """

    first: IntArray
    second: IntArray
    block: IntArray

    @property
    def largest_block(self) -> int:
        return int(np.bincount(self.block).max())

    def scatter(self, values: FloatArray) -> FloatArray:
        """Add `values` `[k, pairs]` to the first items, subtract from the second: `[items, k]`."""
        n = len(self.block)
        columns = [self.gather(row, -row) for row in values]
        return np.array(columns).reshape(len(values), n).T

    def gather(self, of_first: FloatArray, of_second: FloatArray) -> FloatArray:
        """Sum `[pairs]` values over the pairs that an item is first or second in: `[items]`."""
        n = len(self.block)
        return sum_by(self.first, of_first, n) + sum_by(self.second, of_second, n)

    def solve(
        self,
        weights: FloatArray,
        right: FloatArray,
        *,
        ridge: float = 0.0,
        tolerance: float = CG_TOLERANCE,
    ) -> FloatArray:
        """Centred x with (L + `ridge` I) x = `right`, both `[items, k]`.

        `right` sums to zero in each block. `tolerance` is the residual's norm over that of
        `right`; dense and direct solutions are exact.
        """
        if self.largest_block <= MAX_DENSE_SOLVE:
            return self.pseudo_inverse(weights, ridge) @ right
        matrix = self.laplacian(weights, ridge)
        columns = [matrix.solve(column, tolerance) for column in right.T]
        return centre(np.stack(columns, axis=1), self.block)

    def laplacian(self, weights: FloatArray, ridge: float = 0.0) -> SparseLaplacian:
        """The Laplacian of `weights` `[pairs]` as an operator on `[items]`."""
        order, pattern = self._pattern
        values = weights if order is None else weights[order]
        upper = sparse.csr_array((values, pattern.indices, pattern.indptr), pattern.shape)
        return SparseLaplacian(upper, self.block, ridge)

    def pseudo_inverse(self, weights: FloatArray, ridge: float = 0.0) -> BlockMatrix:
        """The inverse of L + `ridge` I on vectors that sum to zero in each block, by block."""
        pieces = []
        for members in _blocks_by_size(self.block):
            size = members.shape[1]
            dense = _dense_laplacians(self, weights, members) + ridge * np.eye(size)
            # A constant of the Laplacian's own size fills its null space and is taken out again.
            fill = max(float(dense.max()), np.finfo(float).tiny) / size
            constant = 1 / (size * (fill * size + ridge))
            pieces.append((members, np.linalg.inv(dense + fill) - constant))
        return BlockMatrix(tuple(pieces))

    @cached_property
    def _pattern(self) -> tuple[IntArray | None, sparse.csr_array]:
        """The order that sorts pairs by their first item (None: they are), and their places."""
        n, m = len(self.block), len(self.first)
        if (self.first[1:] >= self.first[:-1]).all():
            return None, sorted_by_row(None, self.first, self.second, n)
        pattern = sorted_by_row(np.arange(m), self.first, self.second, n)
        return pattern.data, pattern


@dataclass(frozen=True, eq=False)
class SparseLaplacian:
    """diag(degrees) - U - U' + ridge I, where `upper` U `[items, items]` holds each pair once."""

    upper: sparse.csr_array
    block: IntArray
    ridge: float = 0.0

    @cached_property
    def lower(self) -> sparse.csc_array:
        return self.upper.T

    @cached_property
    def diagonal(self) -> FloatArray:
        ones = np.ones(len(self.block))
        degrees: FloatArray = self.upper @ ones + self.lower @ ones + self.ridge
        np.maximum(degrees, np.finfo(float).tiny, out=degrees)  # an item alone in its block
        return degrees

    def __matmul__(self, x: FloatArray) -> FloatArray:
        product: FloatArray = self.diagonal * x
        product -= self.upper @ x
        product -= self.lower @ x
        return product

    def solve(self, right: FloatArray, tolerance: float = CG_TOLERANCE) -> FloatArray:
        """x with self @ x = `right` `[items]`, determined up to a constant in each block."""
        found = conjugate_gradients(self, right, tolerance, MAX_CG_STEPS)
        if found is None and not self._has_few_pairs():
            limit = MAX_CG_STEPS_PER_ITEM * len(self.block)
            found = conjugate_gradients(self, right, tolerance, limit)
        # Chains and rings: slow for iterations, cheap for a direct factorisation.
        return self.solve_directly(right) if found is None else found

    def _has_few_pairs(self) -> bool:
        distinct = self.upper.copy()
        distinct.has_canonical_format = False
        distinct.sum_duplicates()
        return bool(distinct.nnz <= MAX_PAIRS_PER_ITEM_DIRECT * len(self.block))

    def solve_directly(self, right: FloatArray) -> FloatArray:
        """By sparse factorisation; the first item of each block is grounded without a ridge."""
        from scipy.sparse.linalg import splu  # slow to import

        grounded = np.unique(self.block, return_index=True)[1]
        free = np.delete(np.arange(len(self.block)), [] if self.ridge else grounded)
        matrix = (sparse.diags_array(self.diagonal) - self.upper - self.lower).tocsr()
        factor = splu(
            matrix[free][:, free].tocsc(),
            permc_spec="MMD_AT_PLUS_A",
            options={"SymmetricMode": True},
        )
        solution = np.zeros_like(right)
        solution[free] = factor.solve(right[free])
        return solution


@dataclass(frozen=True, eq=False)
class DenseLaplacian:
    """The same with all weights in a symmetric table `weights` `[items, items]`, zero diagonal."""

    weights: FloatArray
    ridge: float = 0.0

    @cached_property
    def diagonal(self) -> FloatArray:
        return row_sums(self.weights) + self.ridge

    def __matmul__(self, x: FloatArray) -> FloatArray:
        return self.diagonal * x - self.weights @ x

    def solve(self, right: FloatArray, tolerance: float = CG_TOLERANCE) -> FloatArray:
        """x with self @ x = `right` `[items]`, determined up to a constant."""
        found = conjugate_gradients(self, right, tolerance, MAX_CG_STEPS)
        return self.solve_directly(right) if found is None else found

    def solve_directly(self, right: FloatArray) -> FloatArray:
        fill = float(self.diagonal.max()) / len(right)
        filled = fill - self.weights + np.diag(self.diagonal)
        return np.asarray(np.linalg.solve(filled, right), dtype=np.float64)


def conjugate_gradients(
    matrix: SparseLaplacian | DenseLaplacian, right: FloatArray, tolerance: float, limit: int
) -> FloatArray | None:
    """Jacobi-preconditioned; None when `limit` steps do not bring the residual to `tolerance`."""
    target = tolerance**2 * float(right @ right)
    residual, x = right.copy(), np.zeros_like(right)
    scaled = residual / matrix.diagonal
    direction, energy = scaled.copy(), float(residual @ scaled)
    for _ in range(limit):
        if float(residual @ residual) <= target:
            return x
        product = matrix @ direction
        size = energy / float(direction @ product)
        x += size * direction
        residual -= size * product
        np.divide(residual, matrix.diagonal, out=scaled)
        energy, before = float(residual @ scaled), energy
        direction *= energy / before
        direction += scaled
    return x if float(residual @ residual) <= target else None


def sorted_by_row(
    values: FloatArray | IntArray | None, row: IntArray, column: IntArray, n: int
) -> sparse.csr_array:
    """`values` (None: the least that marks a place) in compressed rows `[n, n]`.

    Entries of one place stay apart.
    """
    entries = np.ones(len(row), dtype=np.int8) if values is None else values
    matrix = sparse.coo_array((entries, (row, column)), (n, n))
    matrix.has_canonical_format = True  # else scipy sorts columns, to add up equal places
    return matrix.tocsr()


def row_sums(table: FloatArray) -> FloatArray:
    """Sums over the last axis, as a product: on small tables numpy's sum is slower."""
    sums: FloatArray = table @ np.ones(table.shape[-1])
    return sums


@dataclass(frozen=True, eq=False)
class BlockMatrix:
    """A matrix over items without entries between blocks.

    Each piece holds all blocks of one size: their items `[blocks, size]` and their entries
    `[blocks, size, size]`.
    """

    pieces: tuple[tuple[IntArray, FloatArray], ...]

    def __matmul__(self, right: FloatArray) -> FloatArray:
        product = np.empty_like(right)
        for members, entries in self.pieces:
            product[members] = entries @ right[members]
        return product

    def diagonal(self) -> FloatArray:
        found = np.empty(sum(members.size for members, _ in self.pieces))
        for members, entries in self.pieces:
            found[members] = np.diagonal(entries, axis1=1, axis2=2)
        return found

    def without_last(self) -> BlockMatrix:
        """Drop the last item of each block and centre the rest, as rows and as columns."""
        return BlockMatrix(
            tuple((members[:, :-1], _double_centre(m[:, :-1, :-1])) for members, m in self.pieces)
        )


def centre(values: FloatArray, block: IntArray) -> FloatArray:
    """`values` `[items, k]` minus their mean in each block."""
    size = np.bincount(block)
    means = np.zeros((len(size), values.shape[1]))
    np.add.at(means, block, values / size[block, None])
    return values - means[block]


def _double_centre(matrices: FloatArray) -> FloatArray:
    rows_centred = matrices - matrices.mean(axis=1, keepdims=True)
    centred: FloatArray = rows_centred - rows_centred.mean(axis=2, keepdims=True)
    return centred


def _blocks_by_size(block: IntArray) -> Iterator[IntArray]:
    """For each size of block, the items `[blocks, size]`, in ascending order within a block."""
    order = np.argsort(block, kind="stable")
    size_of_item = np.bincount(block)[block[order]]
    for size in np.unique(size_of_item):
        yield order[size_of_item == size].reshape(-1, size)


def _dense_laplacians(graph: PairGraph, weights: FloatArray, members: IntArray) -> FloatArray:
    n_blocks, size = members.shape
    place = np.full(len(graph.block), -1)
    place[members] = np.arange(members.size).reshape(members.shape)
    inside = place[graph.first] >= 0
    first, second, weight = place[graph.first[inside]], place[graph.second[inside]], weights[inside]
    cell = np.concatenate([first * size + second % size, second * size + first % size])
    off = sum_by(cell, np.tile(weight, 2), n_blocks * size**2).reshape(n_blocks, size, size)
    laplacians: FloatArray = off.sum(axis=2)[:, :, None] * np.eye(size) - off
    return laplacians
