"""Linear systems in the Laplacian of a comparison graph.

The information matrix of a model of comparisons is a weighted graph Laplacian. It is singular,
because adding a constant to all worths of a block changes nothing; solutions here sum to zero in
each block of items, which makes them those of the pseudo-inverse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, cg, splu

from auralign.stats.arrays import FloatArray, IntArray, sum_by

MAX_DENSE_SOLVE = 300
MAX_CG_STEPS = 100
CG_TOLERANCE = 1e-8


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

    def solve(self, weights: FloatArray, right: FloatArray) -> FloatArray:
        """Centred x with L x = `right`, both `[items, k]`; `right` sums to zero in each block."""
        if self.largest_block <= MAX_DENSE_SOLVE:
            return self.pseudo_inverse(weights) @ right
        matrix = _sparse_laplacian(self, weights)
        columns = [_conjugate_gradients(matrix, column) for column in right.T]
        solved = [column for column in columns if column is not None]
        if len(solved) == len(columns):
            return centre(np.stack(solved, axis=1), self.block)
        # Chains and rings: slow for iterations, cheap for a direct factorisation.
        return centre(_solve_directly(matrix, self.block, right), self.block)

    def pseudo_inverse(self, weights: FloatArray) -> BlockMatrix:
        """The pseudo-inverse of the Laplacian, block by block."""
        pieces = []
        for members in _blocks_by_size(self.block):
            dense = _dense_laplacians(self, weights, members)
            # A constant of the Laplacian's own size fills its null space and is taken out again.
            fill = max(float(dense.max()), np.finfo(float).tiny) / members.shape[1]
            pieces.append(
                (members, np.linalg.inv(dense + fill) - 1 / (fill * members.shape[1] ** 2))
            )
        return BlockMatrix(tuple(pieces))


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


def _sparse_laplacian(graph: PairGraph, weights: FloatArray) -> sparse.csr_array:
    n = len(graph.block)
    row, column = np.r_[graph.first, graph.second], np.r_[graph.second, graph.first]
    twice = np.tile(weights, 2)
    degree = sum_by(row, twice, n)
    entries = np.concatenate([-twice, degree])
    places = np.r_[row, np.arange(n)], np.r_[column, np.arange(n)]
    return sparse.coo_array((entries, places), (n, n)).tocsr()


def _conjugate_gradients(matrix: sparse.csr_array, right: FloatArray) -> FloatArray | None:
    """Jacobi-preconditioned; None when the tolerance is not reached in `MAX_CG_STEPS` steps."""
    diagonal = matrix.diagonal()
    preconditioner = LinearOperator(matrix.shape, lambda x: x / diagonal)
    solution, failed = cg(matrix, right, rtol=CG_TOLERANCE, maxiter=MAX_CG_STEPS, M=preconditioner)
    return None if failed else np.asarray(solution)


def _solve_directly(matrix: sparse.csr_array, block: IntArray, right: FloatArray) -> FloatArray:
    """Ground the first item of each block, which leaves a positive definite matrix."""
    grounded = np.unique(block, return_index=True)[1]
    free = np.setdiff1d(np.arange(len(block)), grounded)
    factor = splu(
        matrix[free][:, free].tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        options={"SymmetricMode": True},
    )
    solution = np.zeros_like(right)
    solution[free] = factor.solve(right[free])
    return solution
