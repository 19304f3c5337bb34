"""What the plots show: names and finished numbers, filled by the caller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auralign.types import Estimate


@dataclass(frozen=True, slots=True)
class CaterpillarRow:
    """One item with its interval; items that share a letter are not told apart."""

    name: str
    value: Estimate
    letters: str = ""


@dataclass(frozen=True, slots=True)
class CaterpillarPlot:
    """Items in the order of the rows; `reference` is where a line of comparison stands."""

    title: str
    x_label: str
    rows: tuple[CaterpillarRow, ...]
    reference: float | None = None
    decimals: int = 2


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """Row against column: a share or a residual, from `n` answers; None where there is none."""

    value: float | None
    n: float = 0.0


@dataclass(frozen=True, slots=True)
class MatrixPlot:
    """A square table of items against items, `cells[row][column]`; the diagonal is not drawn."""

    title: str
    items: tuple[str, ...]
    cells: tuple[tuple[MatrixCell, ...], ...]


@dataclass(frozen=True, slots=True)
class LengthInterval:
    """Agreement about stimuli of `low` to `high` seconds."""

    low: float
    high: float
    agreement: Estimate


@dataclass(frozen=True, slots=True)
class LengthPlot:
    """Agreement against length; `chance` is what guessing gives, where that is one number."""

    title: str
    y_label: str
    bins: tuple[LengthInterval, ...]
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class TriadPlot:
    """Three items, pair by pair: `shares` of `counts` that a wins over b, b over c, c over a."""

    title: str
    items: tuple[str, str, str]
    shares: tuple[float, float, float]
    counts: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of finished text; `numeric` are the columns that stand right."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing with its heading, a sentence on how to read it, and the name of its file."""

    name: str
    title: str
    svg: str
    caption: str


@dataclass(frozen=True, slots=True)
class StatisticsPage:
    """One page about one analysis of a study."""

    title: str
    kicker: str
    subtitle: str
    simulated: bool
    figures: Sequence[Figure]
    tables: Sequence[TextTable]
    notes: Sequence[str]
