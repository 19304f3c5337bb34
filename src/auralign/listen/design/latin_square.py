"""Balanced Latin squares: every clip at every place, and after every other, equally often."""

from __future__ import annotations

Orders = tuple[tuple[int, ...], ...]


def latin_square(n: int) -> Orders:
    """Orders of `n` clips in which each comes at each place, and after each other, equally often.

    Williams 1949 (Aust. J. Sci. Res. A 2:149): `n` orders for an even `n`; for an odd `n` also
    their mirror images, because no square alone balances what comes before what.
    """
    first = [(-k // 2 if k % 2 else k // 2) % n for k in range(n)]
    square = tuple(tuple((place + row) % n for place in first) for row in range(n))
    mirrored = tuple(order[::-1] for order in square)
    return square if n % 2 == 0 or n == 1 else square + mirrored
